"""Read a flow from a YAML file: which Maker, which fields, which structures."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import partial
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import Maker
from pydantic import BaseModel, ConfigDict, Field

from scdp_flows.errors import SettingsError, UnknownNameError
from scdp_flows.io.structures import read_structures
from scdp_flows.yaml_text import read_mapping, validated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import Field as DataclassField

    from jobflow import Flow, Job

__all__ = ["FlowFile", "read_flow"]

_MAKERS = {
    "active_learning": "scdp_flows.flows.active_learning:ActiveLearningMaker",
    "doctor": "scdp_flows.jobs.doctor:DoctorMaker",
    "label": "scdp_flows.flows.label:LabelFlowMaker",
    "pipeline": "scdp_flows.flows.pipeline:PipelineMaker",
    "predict": "scdp_flows.flows.predict:PredictFlowMaker",
    "seeded_scf": "scdp_flows.flows.seeded_scf:SeededScfMaker",
    "train": "scdp_flows.flows.train:TrainFlowMaker",
}


# In annotations: what plain mappings are for, what must be a Maker, and what may be left out.
_MAPPINGS = re.compile(r"\b(dict|Mapping|Any)\b", re.IGNORECASE)
_MAKER = re.compile(r"\b(\w*Maker)\b")
_NONE = re.compile(r"\b(None|Optional)\b")


class FlowFile(BaseModel):
    """Describe a flow in plain data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    maker: str = Field(description="Short name, or module:Class of a Maker.")
    fields: dict[str, Any] = Field(
        default_factory=dict,
        description="Fields of the Maker; those that are Makers take a mapping of their fields, "
        "and 'class' in it another class (module:Class).",
    )
    structures: dict[str, list[str] | str] = Field(
        default_factory=dict, description="Argument of make → files of structures."
    )
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="Other arguments of make, as they are."
    )

    def build(self, folder: Path) -> Flow | Job:
        """Build the flow.

        Parameters
        ----------
        folder
            Where relative paths of structures start.

        Raises
        ------
        SettingsError
            If a class, field or argument is unknown.
        StructureError
            If a file of structures cannot be read.
        """
        kind = _class(_MAKERS.get(self.maker, self.maker), "maker")
        if not (isinstance(kind, type) and issubclass(kind, Maker)):
            raise SettingsError(f"maker: {self.maker} is no jobflow Maker")
        maker = _made(kind, self.fields)
        given = {
            name: [
                structure
                for path in ([paths] if isinstance(paths, str) else paths)
                for structure in read_structures(folder / path)
            ]
            for name, paths in self.structures.items()
        }
        try:
            # A job looks at its arguments only when it runs.
            signature(maker.make).bind(**given, **self.arguments)
            return maker.make(**given, **self.arguments)  # type: ignore[no-any-return]
        except TypeError as error:
            raise SettingsError(
                f"{self.maker}: {error}; correct structures and arguments"
            ) from error


def read_flow(path: str | Path) -> Flow | Job:
    """Read a file and build its flow.

    Raises
    ------
    SettingsError
        If the file cannot be read or describes no flow; see :class:`FlowFile`.
    """
    file = Path(path)
    described = validated(FlowFile, read_mapping(file), source=str(file))
    return described.build(file.parent)


def _made(kind: Any, given: Mapping[str, Any]) -> Any:
    """Return an instance of a dataclass with some fields of its own choice."""
    known = _known_fields(kind, given)
    needed = {
        name
        for name, one in known.items()
        if one.default is MISSING and one.default_factory is MISSING
    }
    if missing := needed - set(given):
        raise SettingsError(
            f"{kind.__name__} needs {', '.join(sorted(missing))}; give these fields"
        )
    first = {name: _value(kind, known[name], None, given[name]) for name in needed}
    start = _built(kind, kind, first)
    return _changed(start, {name: new for name, new in given.items() if name not in needed})


def _changed(value: Any, given: Mapping[str, Any]) -> Any:
    """Return a dataclass with other fields; nested mappings change nested dataclasses."""
    kind = type(value)
    known = _known_fields(kind, given)
    changes = {
        name: _value(kind, known[name], getattr(value, name), new) for name, new in given.items()
    }
    return _built(kind, partial(replace, value), changes)


def _known_fields(kind: Any, given: Mapping[str, Any]) -> dict[str, DataclassField[Any]]:
    known = {one.name: one for one in fields(kind)}
    for name in given:
        if name not in known:
            what = f"field of {kind.__name__}"
            raise SettingsError(str(UnknownNameError(name, known, what=what)))
    return known


def _built(kind: Any, build: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    try:
        return build(**values)
    except TypeError as error:
        raise SettingsError(
            f"{kind.__name__}: {error}; correct the values of {', '.join(sorted(values))}"
        ) from error


def _value(kind: Any, field: DataclassField[Any], old: Any, given: Any) -> Any:
    """Return the value of a field: what is given, the old value changed, or another class."""
    # The annotation as it is written: most of its names are known to type checkers alone.
    expected, where = str(field.type), f"{field.name} of {kind.__name__}"
    new = given
    if isinstance(given, dict) and "class" in given:
        made = _class(str(given["class"]), where)
        if not (isinstance(made, type) and is_dataclass(made)):
            raise SettingsError(f"{where}: {given['class']} has no fields; name a class that has")
        new = _made(made, {name: one for name, one in given.items() if name != "class"})
    elif isinstance(given, dict) and is_dataclass(old):
        new = _changed(old, given)
    elif isinstance(given, dict) and not _MAPPINGS.search(expected):
        raise SettingsError(
            f"{where} is {old!r}, of which no fields can be changed; it takes {expected}: say "
            "which, as 'class: module:Class' beside the fields"
        )
    makers = _MAKER.findall(expected)
    fits = new is None and _NONE.search(expected)
    if makers and not fits and not set(makers) & {one.__name__ for one in type(new).__mro__}:
        raise SettingsError(f"{where} takes {expected}, not {type(new).__name__}; correct it")
    return new


def _class(place: str, where: str) -> Any:
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        known = f"one of {', '.join(sorted(_MAKERS))}, or " if where == "maker" else ""
        raise SettingsError(
            f"{where}: {place!r} is not found ({error}); give {known}module:Class"
        ) from error
