"""A worker is examined before work is sent to it, and nothing stays behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from scdp_flows.errors import SettingsError
from scdp_flows.jobs.doctor import DoctorMaker
from scdp_flows.schemas.doctor import Examination
from scdp_flows.stores.blobs import BlobStore
from scdp_flows.stores.factory import open_stores
from scdp_flows.stores.sqlite import SqliteStore


@pytest.fixture
def maker(store_path: str) -> DoctorMaker:
    """Examine an empty store."""
    return DoctorMaker(store_path=store_path, programs=["sh"], modules=["json"])


def test_a_healthy_worker_passes_and_keeps_nothing(maker: DoctorMaker, run_flow: Any) -> None:
    found = Examination.model_validate(run_flow(maker.make()))
    assert [(check.name, check.ok) for check in found.checks] == [
        ("stores", True),
        ("torch", True),
        ("sh", True),
        ("json", True),
    ]
    assert "deleted in" in found.checks[0].detail
    age = datetime.now(UTC) - datetime.fromisoformat(str(found.examined_at))
    assert -1 < age.total_seconds() < 60
    with open_stores(maker.store_path) as stores:
        assert list(stores.blobs.iterate()) == []
        assert all(store.count() == 0 for store in stores.connected)


def test_what_is_missing_is_named(maker: DoctorMaker, run_flow: Any) -> None:
    poor = replace(maker, gpus=99, programs=["no-such-program"], modules=["no_such_module"])
    found = Examination.model_validate(run_flow(poor.make()))
    assert not found.healthy
    told = {check.name: check.detail for check in found.checks if not check.ok}
    assert set(told) == {"torch", "no-such-program", "no_such_module"}
    assert "expected 99" in told["torch"]
    assert "not on the PATH" in told["no-such-program"]


def test_an_unknown_kind_of_work_is_refused() -> None:
    odd: Any = "odd"
    with pytest.raises(SettingsError, match="work is 'odd'; expected one of light, dft"):
        DoctorMaker(work=odd)


def test_a_store_that_changes_blobs_is_found(
    maker: DoctorMaker, run_flow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BlobStore, "get", lambda *_: b"other")
    found = Examination.model_validate(run_flow(maker.make()))
    assert "came back changed" in found.checks[0].detail


def test_a_database_that_refuses_is_a_failed_check(
    maker: DoctorMaker, run_flow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OperationFailure("not authorized on scdp")

    monkeypatch.setattr(SqliteStore, "update", refuse)
    found = Examination.model_validate(run_flow(maker.make()))
    assert [check.ok for check in found.checks] == [False, True, True, True]
    assert found.checks[0].detail == "OperationFailure: not authorized on scdp"
