from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.dft.vasp.audit import audit_folder, corrections, is_ours, scf_steps
from scdp_flows.errors import CalculationError
from scdp_flows.schemas.vasp_seed import VaspSeedDoc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READ = " charge-density read from file: Si2\n"
OUTCAR = """ vasp.5.4.1
  dimension x,y,z NGXF=    24 NGYF=   24 NGZF=   24
   ICHARG =      {}    charge: 1-file 2-atom 10-const
"""
OSZICAR = """       N       E                     dE             d eps
DAV:   1     0.1E+01    0.1E+01   -0.3E+03   928   0.774E+02
RMM:   2    -0.1E+02    0.1E-05   -0.3E+03   928   0.774E+02
   1 F= -.10846783E+02 E0= -.10846783E+02  d E =0.000000E+00  mag=     0.2500
DAV:   1     0.1E+01    0.1E+01   -0.3E+03   928   0.774E+02
"""


@pytest.fixture
def record(example: Callable[[str], dict[str, Any]]) -> VaspSeedDoc:
    stored = example("vasp_seed") | {"grid": [24, 24, 24], "audit": None, "ispin": 1}
    return VaspSeedDoc.model_validate(stored)


def _run(folder: Path, said: str, icharg: int = 1) -> Path:
    (folder / "OUTCAR").write_text(OUTCAR.format(icharg))
    (folder / "vasp.out").write_text(said)
    (folder / "OSZICAR").write_text(OSZICAR)
    return folder


def test_a_used_seed_is_told_by_the_output(tmp_path: Path, record: VaspSeedDoc) -> None:
    audit = audit_folder(_run(tmp_path, READ), record)
    assert audit.seed_used
    assert (audit.occupancies, audit.magnetization) == ("read", "none")
    assert (audit.grid, audit.icharg, audit.vasp_version) == ((24, 24, 24), 1, "5.4.1")
    assert audit.scf_steps == [2, 1]
    assert audit.energy_ev == pytest.approx(-10.846783)


@pytest.mark.parametrize(
    ("said", "icharg", "reason"),
    [
        (" WARNING: dimensions on CHGCAR file are different\n", 1, "another grid"),
        (" WARNING: chargedensity file is incomplete\n", 1, "incomplete"),
        (" RD_RHO_PAW: ion 1 data corrupt\n PAW occupancies are missing\n", 1, "corrupt"),
        (" WARNING: PAW occupancies are missing on CHGCAR\n", 1, "missing"),
        (READ, 2, "ICHARG = 2"),
        (" entering main loop\n", 1, "not report"),
    ],
    ids=["grid", "cut", "corrupt", "missing", "tag changed", "silent"],
)
def test_a_dropped_seed_is_told_with_its_reason(
    tmp_path: Path, record: VaspSeedDoc, said: str, icharg: int, reason: str
) -> None:
    audit = audit_folder(_run(tmp_path, said, icharg), record)
    assert not audit.seed_used
    assert reason in str(audit.why_not_used)


def test_another_grid_than_predicted_counts_as_unused(tmp_path: Path, record: VaspSeedDoc) -> None:
    other = record.updated(grid=(24, 24, 28))
    assert "24, 24, 28" in str(audit_folder(_run(tmp_path, READ), other).why_not_used)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (READ + " magnetization density read from file 1\n", "read"),
        (READ + " magnetization density of overlapping atoms calculated\n", "atoms"),
    ],
    ids=["read", "atoms"],
)
def test_the_origin_of_the_magnetisation_is_told(
    tmp_path: Path, record: VaspSeedDoc, said: str, expected: str
) -> None:
    audit = audit_folder(_run(tmp_path, said), record.updated(ispin=2))
    assert audit.magnetization == expected
    assert audit.moment_mub is None or audit.moment_mub == pytest.approx(0.25)


def test_what_was_left_alone_is_audited_too(tmp_path: Path, record: VaspSeedDoc) -> None:
    left = record.updated(status="left", reason="a band structure")
    audit = audit_folder(_run(tmp_path, ""), left)
    assert "a band structure" in str(audit.why_not_used)
    assert audit.scf_steps


def test_before_a_run_there_is_nothing_to_audit(tmp_path: Path, record: VaspSeedDoc) -> None:
    with pytest.raises(CalculationError, match="no OUTCAR"):
        audit_folder(tmp_path, record)


def test_corrections_that_touch_the_start_are_listed(tmp_path: Path) -> None:
    delete = {"file": "CHGCAR", "action": {"_file_delete": {"mode": "actual"}}}
    tag = {"dict": "INCAR", "action": {"_set": {"ICHARG": 2}}}
    other = {"dict": "INCAR", "action": {"_set": {"ALGO": "All"}}}
    log = [
        {
            "corrections": [
                {"handler": {"@class": "X"}, "errors": ["e"], "actions": [delete, other]}
            ]
        },
        {"corrections": [{"handler": "Y", "errors": [], "actions": [tag]}, {"actions": None}]},
    ]
    (tmp_path / "custodian.json").write_text(json.dumps(log))
    found = corrections(tmp_path)
    assert [text.split()[0] for text in found] == ["X", "Y"]
    assert "ALGO" not in found[0]
    assert corrections(tmp_path / "elsewhere") == []


def test_an_empty_log_has_no_steps() -> None:
    assert scf_steps([]) == ([], None, None)


def test_a_rewritten_chgcar_is_no_longer_ours(tmp_path: Path, record: VaspSeedDoc) -> None:
    assert not is_ours(tmp_path, record)
    (tmp_path / "CHGCAR").write_text("another")
    assert not is_ours(tmp_path, record)
