"""The client of the Materials Project, whose package need not be installed."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from scdp_flows.errors import CalculationError, MissingDependencyError
from scdp_flows.io.materials_project import MpApiClient


class _Rester:
    """Answers in the form of mp-api 0.46, as its source defines it."""

    materials: Any

    def __init__(self, **_settings: Any) -> None:
        self.materials = self
        self.tasks = _Tasks()

    def search(self, *, material_ids: list[str], fields: list[str]) -> list[dict[str, Any]]:
        assert fields == ["material_id", "calc_types"]
        types = {"mp-1": "GGA Static", "mp-2": "GGA Structure Optimization", "mp-3": "GGA+U Static"}
        return [{"material_id": found, "calc_types": types} for found in material_ids]

    def get_charge_density_from_task_id(self, task_id: str) -> Any:
        if task_id == "mp-3":
            raise KeyError(task_id)
        return {"poscar": {}, "data": {}}


class _Tasks:
    def search(self, *, task_ids: list[str]) -> list[dict[str, Any]]:
        return [{"task_id": task_id} for task_id in task_ids]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> MpApiClient:
    """Give a client that asks the recorded answers."""
    package, module = ModuleType("mp_api"), ModuleType("mp_api.client")
    module.MPRester = _Rester  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mp_api", package)
    monkeypatch.setitem(sys.modules, "mp_api.client", module)
    return MpApiClient()


def test_only_static_calculations_have_densities(client: MpApiClient) -> None:
    tasks = client.static_tasks(["mp-149"])
    assert [(task.material_id, task.task_id) for task in tasks] == [
        ("mp-149", "mp-1"), ("mp-149", "mp-3"),
    ]  # fmt: skip
    assert client.charge_density("mp-1") == {"poscar": {}, "data": {}}
    assert client.charge_density("mp-3") is None


def test_unexpected_answers_are_explained(client: MpApiClient) -> None:
    with pytest.raises(CalculationError, match="did not answer as expected"):
        client.static_tasks(None)  # type: ignore[arg-type]


def test_the_package_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mp_api.client", None)
    with pytest.raises(MissingDependencyError, match=r"scdp-flows\[mp\]"):
        MpApiClient()
