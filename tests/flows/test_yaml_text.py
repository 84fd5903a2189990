"""What people write is read, and what is wrong with it is said in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel, ConfigDict

from scdp_flows.errors import SettingsError
from scdp_flows.yaml_text import parse_mapping, read_mapping, validated

if TYPE_CHECKING:
    from pathlib import Path


class Place(BaseModel):
    """Where something is."""

    model_config = ConfigDict(extra="forbid")

    cores: int
    queue: str = "cpu"


def test_a_mapping_or_nothing_is_read(tmp_path: Path) -> None:
    file = tmp_path / "place.yaml"
    file.write_text("# nothing yet\n")
    assert read_mapping(file) == {}
    file.write_text("cores: 4\n")
    assert validated(Place, read_mapping(file), source="place").cores == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cores: [", r"^place: is no YAML"),
        ("- 1", "holds a list; expected lines such as name: value"),
        ("cores: many\ngpu: 1", "place: cores: .*integer.*; gpu: Extra .*correct these fields"),
    ],
    ids=["no-yaml", "list", "fields"],
)
def test_mistakes_are_named(text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        validated(Place, parse_mapping(text, source="place"), source="place")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yaml: cannot be read"):
        read_mapping(tmp_path / "none.yaml")
