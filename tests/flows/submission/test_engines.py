"""Flows are put into the queues of engines in their own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jobflow import JobStore
from maggma.stores import MemoryStore

from scdp_flows.errors import SettingsError, StoreError
from scdp_flows.jobs.doctor import DoctorMaker
from scdp_flows.submission.cluster import TEMPLATE, Cluster
from scdp_flows.submission.engines import states, submit_flow

if TYPE_CHECKING:
    from pathlib import Path


def test_the_local_engine_keeps_nothing() -> None:
    with pytest.raises(SettingsError, match="'local' runs flows at once"):
        states(Cluster(), 1)


def test_another_engine_needs_all_places() -> None:
    cluster = Cluster().model_copy(update={"engine": "fireworks"})
    with pytest.raises(SettingsError, match="work lacks light"):
        submit_flow(DoctorMaker().make(), cluster)


def test_a_store_that_the_engine_would_not_use_is_refused() -> None:
    with pytest.raises(SettingsError, match="where the project 'scdp' says"):
        submit_flow(DoctorMaker().make(), Cluster.parse(TEMPLATE), store=JobStore(MemoryStore()))


@pytest.fixture
def launchpad(tmp_path: Path, mongo_port: int) -> Path:
    """Give the file of an empty LaunchPad."""
    from fireworks import LaunchPad

    pad = LaunchPad(host="127.0.0.1", port=mongo_port, name=tmp_path.name)
    pad.reset("", require_password=False)
    pad.to_file(str(tmp_path / "launchpad.yaml"))
    pad.connection.close()
    return tmp_path / "launchpad.yaml"


@pytest.mark.requires("fireworks")
def test_fireworks_takes_a_flow_and_tells_its_states(launchpad: Path) -> None:
    text = TEMPLATE.replace("engine: remote ", f"launchpad: {launchpad}\nengine: fireworks ")
    cluster = Cluster.parse(text)
    (number,) = submit_flow(DoctorMaker().make(), cluster)
    assert states(cluster, 5) == [(number, "doctor", "READY", "cpu")]


@pytest.mark.requires("fireworks")
def test_a_missing_launchpad_is_named(tmp_path: Path) -> None:
    cluster = Cluster.parse(TEMPLATE.replace("engine: remote ", "engine: fireworks "))
    missing: Any = cluster.model_copy(update={"launchpad": tmp_path / "none.yaml"})
    with pytest.raises(SettingsError, match=r"none\.yaml is no file"):
        submit_flow(DoctorMaker().make(), missing)


@pytest.mark.requires("fireworks")
def test_a_database_that_is_away_is_told_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "launchpad.yaml"
    file.write_text(
        "host: 127.0.0.1\nport: 1\nname: d\nmongoclient_kwargs: {serverSelectionTimeoutMS: 100}\n"
    )
    text = TEMPLATE.replace("engine: remote ", f"launchpad: {file}\nengine: fireworks ")
    with pytest.raises(StoreError, match=r"FireWorks does not answer.*launchpad\.yaml$"):
        submit_flow(DoctorMaker().make(), Cluster.parse(text))
