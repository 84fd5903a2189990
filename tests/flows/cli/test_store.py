from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    Command = Callable[..., Result]


def test_a_sound_store_passes_and_a_lost_blob_fails(scdp: Command, store: Path) -> None:
    assert scdp("store", "check", "--store", store).exit_code == 0
    with open_stores(store) as stores:
        doc = next(stores.densities.query())
        stores.blobs.discard(doc.blobs["grid"])
    done = scdp("store", "check", "--quick", "--store", store)
    assert done.exit_code == 1
    assert "missing blob" in done.stdout
    assert doc.density_id in done.stdout


def test_garbage_is_collected_after_a_look(scdp: Command, store: Path) -> None:
    with open_stores(store) as stores:
        orphan = stores.blobs.put(b"nobody's")
        seen = scdp("store", "gc", "--store", store, "--dry-run", "--grace-hours", 0)
        assert "would be removed" in seen.stdout
        assert stores.blobs.has(orphan)
        assert scdp("store", "gc", "--store", store).exit_code == 0
        assert stores.blobs.has(orphan)
        assert scdp("store", "gc", "--store", store, "--grace-hours", 0).exit_code == 0
        assert not stores.blobs.has(orphan)
