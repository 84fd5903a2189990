"""Densities of the Materials Project, replayed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from monty.json import MontyEncoder
from pymatgen.io.vasp.outputs import Chgcar

from scdp_flows.errors import CalculationError, DatasetError
from scdp_flows.io.materials_project import MpTask
from scdp_flows.jobs.ingest_materials_project import IngestMaterialsProjectMaker
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TASK: dict[str, Any] = {
    "input": {
        "incar": {"ENCUT": 520, "ISPIN": 2},
        "parameters": {"NELECT": 8.0, "GGA": "PE"},
        "potcar_spec": [{"titel": "PAW_PBE Fe_pv 02Aug2007"}],
    }
}


class _Replay:
    """Answers for iron, for a material without density, and not at all."""

    def __init__(self, chgcar: Mapping[str, Any]) -> None:
        self.chgcar = chgcar
        self.asked: list[str] = []

    def static_tasks(self, material_ids: Sequence[str]) -> list[MpTask]:
        (material_id,) = material_ids
        if material_id == "mp-0":
            raise CalculationError("no network")
        numbers = {"mp-13": ["mp-1", "mp-2"]}.get(material_id, [])
        return [MpTask(material_id, f"task-{number}", _TASK) for number in numbers]

    def charge_density(self, task_id: str) -> Mapping[str, Any] | None:
        self.asked.append(task_id)
        return self.chgcar if task_id == "task-mp-1" else None


@pytest.fixture
def client(repository: Path) -> _Replay:
    """Give a client that answers with a real density in the form of the service."""
    source = repository / "tests" / "data" / "vasp" / "Fe_bcc_CHGCAR_spin.gz"
    content = Chgcar.from_file(str(source)).as_dict()
    return _Replay(json.loads(json.dumps(content, cls=MontyEncoder)))


@pytest.fixture
def maker(tmp_path: Path) -> IngestMaterialsProjectMaker:
    """Give a Maker with a store of its own."""
    return IngestMaterialsProjectMaker(store_path=str(tmp_path / "store"), n_processes=1)


def test_task_and_licence_are_kept(client: _Replay, maker: IngestMaterialsProjectMaker) -> None:
    output = maker.fetch(client, ["mp-13"], ["mp"])
    assert (output.n_new, [failed.item for failed in output.failed]) == (1, ["mp-13/task-mp-2"])
    with open_stores(maker.store_path) as stores:
        doc = stores.densities.get(output.density_ids[0])
    assert doc.source == "mp-13/task-mp-1"
    assert doc.tags == ["licence:CC-BY-4.0", "mp", "potcar:PAW_PBE Fe_pv 02Aug2007"]
    assert (doc.kind["spin"], doc.n_electrons) == ("unrestricted", 8.0)


def test_what_is_missing_is_reported(client: _Replay, maker: IngestMaterialsProjectMaker) -> None:
    output = maker.fetch(client, ["mp-13", "mp-99", "mp-0"])
    reasons = {failed.item: failed.reason for failed in output.failed}
    assert "no static calculation" in reasons["mp-99"]
    assert "no network" in reasons["mp-0"]
    with pytest.raises(DatasetError, match="no materials"):
        maker.fetch(client, [])
