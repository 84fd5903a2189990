"""Sums over comparisons are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import DatasetError
from scdp_flows.jobs.compare_seeds import CompareSeedsMaker
from scdp_flows.jobs.seed import SeedMaker
from scdp_flows.schemas.outputs import Refusal, SeedOutput

if TYPE_CHECKING:
    from pymatgen.core import Molecule


def test_sums_go_over_all_batches(
    gaussian_code: Any, molecules: list[Molecule], store_path: str
) -> None:
    maker = SeedMaker(code=gaussian_code, store_path=store_path)
    outputs = [
        SeedMaker.make.original(maker, part)  # type: ignore[attr-defined]
        for part in (molecules[:2], molecules[1:3])
    ]
    refusal = Refusal(index=0, item="X", error="StructureError", reason="too small")
    outputs[0] = outputs[0].updated(failed=[refusal])
    summing = CompareSeedsMaker(title="three molecules", store_path=store_path)
    doc = CompareSeedsMaker.make.original(summing, outputs, gaussian_code)  # type: ignore[attr-defined]
    assert (doc.name, doc.code) == ("three molecules", "GaussianCode")
    assert len(doc.seed_ids) == doc.start("default").n_structures == 3
    assert doc.start("exact").iterations_saved_percent == pytest.approx(60)
    assert doc.failed == [refusal]
    with summing.open_stores() as stores:
        assert stores.reports.benchmarks.get(doc.benchmark_id).same_content(doc)


def test_nothing_to_compare_with_is_an_error(gaussian_code: Any, store_path: str) -> None:
    summing = CompareSeedsMaker(store_path=store_path)
    with pytest.raises(DatasetError, match="none of 0 comparisons"):
        CompareSeedsMaker.make.original(  # type: ignore[attr-defined]
            summing, [SeedOutput(seed_ids=[])], gaussian_code
        )
    refusal = Refusal(index=0, item="X", error="StructureError", reason="too small")
    with pytest.raises(DatasetError, match="the first reason: X: too small"):
        CompareSeedsMaker.make.original(  # type: ignore[attr-defined]
            summing, [SeedOutput(seed_ids=[], failed=[refusal])], gaussian_code
        )
