from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_flows.dft.abinit.audit import audit_folder, record_audit
from scdp_flows.dft.abinit.folder import write_record
from scdp_flows.schemas.run_seed import RunSeedDoc
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from pathlib import Path

OUTPUT = """
            ngfft          18      18      20
 ETOT  1  -7.8593555940111    -7.859E+00 1.199E-02 6.310E+00
 ETOT  2  -7.8628109883813    -3.455E-03 9.384E-04 2.955E-01
 ETOT  3  -7.8629638188183    -1.528E-04 2.861E-04 1.461E-02
 ETOT  1  -7.8630000000000    -1.528E-04 2.861E-04 1.461E-02
 Magnetization (Bohr magneton)=  2.07E-01
- Calculation completed.
"""


def _record(status: str = "seeded") -> RunSeedDoc:
    fields = {
        "code": "abinit",
        "formula": "Si2",
        "n_atoms": 2,
        "structure_hash": "0",
        "source": "x",
    }
    return RunSeedDoc(run_id="job-1", status=status, reason="moments", **fields)


def test_the_outputs_tell_of_steps_grid_and_moment(tmp_path: Path) -> None:
    (tmp_path / "run.abo").write_text(OUTPUT)
    (tmp_path / "run.log").write_text(" read_rhor completed\n")
    audit = audit_folder(tmp_path, _record())
    assert audit.seed_used
    assert (audit.scf_steps, audit.grid, audit.moment_mub) == ([3, 1], (18, 18, 20), 0.207)


def test_a_density_that_was_interpolated_or_ignored_is_no_seed(tmp_path: Path) -> None:
    (tmp_path / "run.abo").write_text(OUTPUT)
    (tmp_path / "run.log").write_text("read_rhor completed after a Fourier interpolation\n")
    assert not audit_folder(tmp_path, _record()).seed_used
    (tmp_path / "run.log").write_text("")
    assert "did not read" in str(audit_folder(tmp_path, _record()).why_not_used)


def test_the_record_is_completed_and_stored(tmp_path: Path) -> None:
    store_path = str(tmp_path / "store")
    assert record_audit(tmp_path, store_path) is None
    write_record(tmp_path, _record("left"))
    (tmp_path / "run.abo").write_text(OUTPUT)
    record_audit(tmp_path, store_path)
    with open_stores(store_path) as stores:
        (stored,) = stores.reports.run_seeds.query()
    assert stored.audit is not None
    assert "moments" in str(stored.audit.why_not_used)
