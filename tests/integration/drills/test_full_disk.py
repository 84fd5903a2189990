"""A full disk stops a job with a word on what to do; after that the job goes on where it was."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import ScdpFlowsError
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.predict import PredictMaker
from scdp_flows.jobs.report import ReportMaker
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.stores.check import check_stores
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.requires("pyscf")


def fill(folder: Path) -> Path:
    """Write a file until nothing more fits, and return it."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as stream, suppress(OSError):
        for size in (2**16, 2**9, 1):
            with suppress(OSError):
                while stream.write(b"x" * size):
                    pass
    return file


def run(maker: Any, *given: Any, **named: Any) -> Any:
    """Run the job of a Maker here."""
    return type(maker).make.original(maker, *given, **named)


def test_labels_go_on_after_space_is_made(small_disk: Path, whole_way: Any) -> None:
    maker = LabelMaker(code=whole_way.CODE, n_processes=1, store_path=str(small_disk / "store"))
    molecules = whole_way.molecules()[:2]
    first = run(maker, molecules[:1])
    filler = fill(small_disk)
    with pytest.raises(ScdpFlowsError, match="free some space"):
        run(maker, molecules)
    filler.unlink()
    done = run(maker, molecules)
    assert (done.n_reused, done.n_new) == (1, 1)
    assert done.density_ids[:1] == first.density_ids
    with open_stores(small_disk / "store") as stores:
        assert not check_stores(stores).problems


@pytest.mark.parametrize("what", ["store", "files", "report"])
def test_every_step_says_that_the_disk_is_full(
    small_disk: Path, tmp_path: Path, water: Any, what: str
) -> None:
    store = str((small_disk if what == "store" else tmp_path) / "store")
    coarse = PredictMaker(predictor=ScdpPredictor(), store_path=store, spacing=0.5)
    steps: dict[str, tuple[Any, ...]] = {
        "store": (coarse, [water]),
        "files": (replace(coarse, formats=["cube"], folder=str(small_disk)), [water]),
        "report": (ReportMaker(folder=str(small_disk / "report"), store_path=store),),
    }
    with open_stores(store):
        filler = fill(small_disk)
        with pytest.raises(ScdpFlowsError, match=r"space|full"):
            run(*steps[what])
        filler.unlink()
        run(*steps[what])
