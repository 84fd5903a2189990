from __future__ import annotations

from typing import TYPE_CHECKING

from custodian.custodian import Validator
from monty.json import MontyDecoder

from scdp_flows.dft.vasp.auditor import SeedAuditor, record_audit
from scdp_flows.dft.vasp.earlier_run import EarlierRunSource
from scdp_flows.dft.vasp.folder import JobIdentity, read_record, seed_folder
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from pymatgen.core import Structure


def test_an_audit_is_kept_in_folder_and_store(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path, tmp_path: Path
) -> None:
    folder = write_inputs(silicon)
    job = JobIdentity("1c1b2a36", 2, "static")
    seed_folder(folder, EarlierRunSource((str(finished),)), job=job)
    (folder / "OUTCAR").write_text((finished / "OUTCAR").read_text().replace("=      2 ", "= 1 "))
    (folder / "vasp.out").write_text(" charge-density read from file: Si2\n")
    auditor = SeedAuditor(str(tmp_path / "store"))
    assert auditor.check(str(folder)) is False
    with open_stores(tmp_path / "store") as stores:
        doc = stores.reports.vasp_seeds.get("1c1b2a36-2")
    assert doc == read_record(folder)
    assert doc.job_name == "static"
    assert doc.audit is not None
    assert doc.audit.seed_used


def test_nothing_goes_wrong_where_nothing_was_seeded(
    tmp_path: Path,
    write_inputs: Callable[..., Path],
    silicon: Structure,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert record_audit(tmp_path) is None
    folder = write_inputs(silicon)
    seed_folder(folder, EarlierRunSource())
    assert SeedAuditor(str(tmp_path / "store")).check(str(folder)) is False
    assert "no OUTCAR" in caplog.text


def test_custodian_can_write_it_down() -> None:
    again = MontyDecoder().process_decoded(SeedAuditor("store").as_dict())
    assert isinstance(again, SeedAuditor)
    assert isinstance(again, Validator)
    assert again.store_path == "store"
