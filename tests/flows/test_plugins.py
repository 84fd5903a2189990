from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, EntryPoints
from typing import TYPE_CHECKING

import pytest

from scdp_flows import plugins
from scdp_flows.errors import MissingDependencyError, UnknownNameError
from scdp_flows.io.chgcar import ChgcarFormat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package outside that offers two readers and tries to replace one."""
    (tmp_path / "outside_reader.py").write_text("class Reader:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    group = "scdp_flows.readers"
    points = [
        EntryPoint("outside", "outside_reader:Reader", group),
        EntryPoint("broken", "outside_reader:Nothing", group),
        EntryPoint("chgcar", "outside_reader:Reader", group),
    ]
    monkeypatch.setattr(
        plugins, "entry_points", lambda *, group: EntryPoints(points).select(group=group)
    )
    plugins._external.cache_clear()
    yield
    plugins._external.cache_clear()


def test_a_name_becomes_what_it_stands_for() -> None:
    assert plugins.resolve("readers", "chgcar") is ChgcarFormat


@pytest.mark.parametrize("name", plugins.available("readers"))
def test_every_built_in_reader_can_be_imported(name: str) -> None:
    assert callable(plugins.resolve("readers", name))


@pytest.mark.parametrize("group", plugins.GROUPS)
def test_every_group_has_something_to_offer(group: str) -> None:
    assert plugins.available(group)


def test_an_unknown_name_lists_the_closest_first() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown reader 'chgcra'.*: chgcar"):
        plugins.resolve("readers", "chgcra")


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"plugin group 'reader'.*: readers"):
        plugins.available("reader")


@pytest.mark.usefixtures("outside")
def test_packages_outside_add_names() -> None:
    assert {"outside", "chgcar", "cube"} <= set(plugins.available("readers"))
    found = plugins.resolve("readers", "outside")
    assert found is sys.modules["outside_reader"].Reader


@pytest.mark.usefixtures("outside")
def test_packages_outside_cannot_replace_ours() -> None:
    assert plugins.resolve("readers", "chgcar") is ChgcarFormat


@pytest.mark.usefixtures("outside")
def test_a_broken_plugin_is_named() -> None:
    with pytest.raises(MissingDependencyError, match=r"'broken'.*outside_reader:Nothing"):
        plugins.resolve("readers", "broken")
