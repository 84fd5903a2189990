"""While the database is away jobs wait; what was stored is there when it is back."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import StoreError
from scdp_flows.kind import DensityKind
from scdp_flows.schemas.density import DensityDoc
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_flows.stores.factory import Stores

_KIND = DensityKind("valence", "gth-pbe", "PBE", "gth-dzvp")


@pytest.fixture
def settings(proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let documents and blobs go through the proxy."""
    spec = {"type": "MongoStore", "database": "drill", "host": "127.0.0.1", "port": proxy.port}
    spec["mongoclient_kwargs"] = {"serverSelectionTimeoutMS": 300}
    for name, collection in (("DENSITY", "densities"), ("BLOB", "blobs")):
        text = json.dumps({**spec, "collection_name": collection})
        monkeypatch.setenv(f"SCDP_{name}_STORE", text)
    monkeypatch.setenv("SCDP_STORE_WAIT_S", "30")


def store_one(stores: Stores, number: int) -> str:
    """Store a density and return its identifier."""
    density = ChargeDensity(
        np.full((4, 4, 4), 1.0 + number), 3 * np.eye(3), np.zeros(3), np.array([8]),
        np.zeros((1, 3)), kind=_KIND,
    )  # fmt: skip
    doc = DensityDoc.from_charge_density(density, structure_hash=str(number), settings_hash="drill")
    return stores.densities.put(doc, {"grid": density.to_arrays()}).density_id


def store_while(stores: Stores, trouble: Callable[[], None]) -> list[str]:
    """Store densities while there is trouble, and some after it."""
    thread = threading.Thread(target=trouble)
    thread.start()
    stored: list[str] = []
    while thread.is_alive() or len(stored) < 10:
        stored.append(store_one(stores, len(stored)))
        time.sleep(0.05)
    return stored


@pytest.mark.usefixtures("settings")
def test_writers_outlast_a_cut_connection(proxy: Any) -> None:
    def cut_and_mend() -> None:
        time.sleep(0.3)
        proxy.cut()
        time.sleep(1.5)
        proxy.mend()

    with open_stores() as stores:
        stored = store_while(stores, cut_and_mend)
        assert {doc.density_id for doc in stores.densities.query()} == set(stored)


@pytest.mark.usefixtures("settings")
def test_writers_outlast_a_server_that_is_killed_and_restored(server: Any) -> None:
    def kill_and_start() -> None:
        time.sleep(0.3)
        server.kill()
        server.start()

    with open_stores() as stores:
        stored = store_while(stores, kill_and_start)
        docs = {doc.density_id: doc for doc in stores.densities.query()}
        assert set(docs) == set(stored)
        assert all(stores.densities.is_whole(doc) for doc in docs.values())


@pytest.mark.usefixtures("settings")
def test_who_waits_in_vain_is_told_what_to_do(proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCDP_STORE_WAIT_S", "1")
    with open_stores() as stores:
        store_one(stores, 0)
        proxy.cut()
        with pytest.raises(StoreError, match=r"cannot be reached from this machine.*shared folder"):
            store_one(stores, 1)
        with pytest.raises(StoreError, match="cannot be reached"):
            list(stores.densities.query())


@pytest.mark.usefixtures("settings")
def test_a_worker_without_a_way_to_the_database_is_told_at_once(proxy: Any) -> None:
    proxy.cut()
    start = time.monotonic()
    with pytest.raises(StoreError, match="send the job to a worker that reaches it"):
        open_stores()
    assert time.monotonic() - start < 10
