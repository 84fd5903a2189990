"""Read YAML that people write, and say in one line what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["parse_mapping", "problems_of", "read_mapping", "validated"]

Model = TypeVar("Model", bound=BaseModel)


def parse_mapping(text: str, *, source: str) -> dict[Any, Any]:
    """Read one mapping, or nothing.

    Parameters
    ----------
    text
        YAML.
    source
        Name of it in errors.

    Raises
    ------
    SettingsError
        If it is no YAML or no mapping.

    Examples
    --------
    >>> parse_mapping("cores: 4", source="example")
    {'cores': 4}
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{source}: is no YAML ({error}); correct it") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(
            f"{source}: holds a {type(content).__name__}; expected lines such as name: value"
        )
    return content


def read_mapping(path: Path) -> dict[Any, Any]:
    """Read a file that holds one mapping, or nothing.

    Raises
    ------
    SettingsError
        If it cannot be read, or as :func:`parse_mapping`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read ({error}); correct it") from error
    return parse_mapping(text, source=str(path))


def validated(kind: type[Model], content: Mapping[Any, Any], *, source: str) -> Model:
    """Return a model of what was read.

    Parameters
    ----------
    kind
        The model.
    content
        Its fields.
    source
        Name of them in errors.

    Raises
    ------
    SettingsError
        If a field is unknown, missing or impossible; the message names all of them.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{source}: {problems_of(error)}; correct these fields") from error


def problems_of(error: ValidationError, *, with_values: bool = False) -> str:
    """Return what is wrong with each field, in one line.

    Parameters
    ----------
    error
        What pydantic found.
    with_values
        Whether to name the values too.
    """
    return "; ".join(
        ".".join(map(str, one["loc"]))
        + (f"={one['input']!r}: " if with_values else ": " if one["loc"] else "")
        + one["msg"]
        for one in error.errors()
    )
