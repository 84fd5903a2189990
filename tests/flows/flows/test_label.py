"""Batches of labels are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.pyscf import PyscfCode
from scdp_flows.errors import DatasetError
from scdp_flows.flows.label import LabelFlowMaker
from scdp_flows.jobs.label import LabelMaker

if TYPE_CHECKING:
    from pathlib import Path

    from pymatgen.core import Molecule


def test_batches_give_one_output(
    gaussian_code: Any, molecules: list[Molecule], run_flow: Any, tmp_path: Path
) -> None:
    maker = LabelFlowMaker(
        label_maker=LabelMaker(code=gaussian_code), batch_size=4, store_path=str(tmp_path)
    )
    flow = maker.make(molecules, tags=["mine"])
    assert [job.name for job in flow.jobs] == ["label", "label", "merge labels"]
    output = run_flow(flow)
    assert len(output.density_ids) == output.n_new == output.n_items == 6


def test_one_batch_needs_no_merging(molecules: list[Molecule]) -> None:
    flow = LabelFlowMaker().make(molecules)
    assert [job.name for job in flow.jobs] == ["label"]


def test_pyscf_labels_by_default() -> None:
    assert isinstance(LabelFlowMaker().label_maker.code, PyscfCode)


def test_a_flow_survives_json(molecules: list[Molecule]) -> None:
    from monty.json import MontyDecoder

    maker = LabelFlowMaker(batch_size=3)
    assert MontyDecoder().process_decoded(maker.as_dict()) == maker
    flow = MontyDecoder().process_decoded(maker.make(molecules).as_dict())
    assert len(flow.jobs) == 3


def test_no_structures_is_an_error() -> None:
    with pytest.raises(DatasetError, match="no structures"):
        LabelFlowMaker().make([])
