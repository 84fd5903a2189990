"""What runs of VASP say of themselves."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import DensityFormatError
from scdp_flows.io.vasp_run import find_output, read_outcar, read_task
from scdp_flows.kind import DensityKind

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def outcar(data: Path) -> Path:
    """Give the OUTCAR of a static calculation of silicon."""
    return data / "vasp" / "Si_static_OUTCAR.gz"


def test_a_real_static_calculation(outcar: Path) -> None:
    run = read_outcar(outcar)
    assert run.potcars == ("PAW_PBE Si 05Jan2001",)
    assert (run.functional, run.encut_ev, run.ispin, run.n_atoms) == ("PBE", 520.0, 2, 2)
    assert (run.n_electrons, run.grid, run.writes_density) == (8.0, (60, 60, 60), True)
    assert run.static_core_hours == pytest.approx(3.8995 * 16 / 3600)
    kind = DensityKind.from_dict(run.kind())
    assert (kind.functional, kind.pseudopotential, kind.basis) == ("PBE", "paw-pbe", "520eV")


@pytest.mark.parametrize(
    ("old", "new", "functional"),
    [
        ("GGA     =    --", "GGA     =    PS", "PBEsol"),
        ("METAGGA=      F", "METAGGA=  R2SCAN", "R2SCAN"),
        ("   ISTART =", "   LHFCALC = T\n   ISTART =", "hybrid-PBE"),
    ],
)
def test_functionals(outcar: Path, tmp_path: Path, old: str, new: str, functional: str) -> None:
    text = gzip.decompress(outcar.read_bytes()).decode()
    assert old in text
    (tmp_path / "OUTCAR").write_text(text.replace(old, new))
    assert read_outcar(tmp_path / "OUTCAR").functional == functional


def test_hubbard_terms_are_part_of_the_kind(outcar: Path, tmp_path: Path) -> None:
    text = gzip.decompress(outcar.read_bytes()).decode()
    line = "   U (eV)           for each species LDAUU =   5.3  0.0\n"
    (tmp_path / "OUTCAR").write_text(text.replace("   ISTART =", line + "   ISTART =", 1))
    run = read_outcar(tmp_path / "OUTCAR")
    assert run.hubbard_u_ev == (5.3, 0.0)
    assert run.kind()["functional"] == "PBE+U"


def test_runs_that_ended_at_once_are_refused(tmp_path: Path) -> None:
    (tmp_path / "OUTCAR").write_text(" vasp.6.4.2\n")
    assert find_output(tmp_path, "OUTCAR") == tmp_path / "OUTCAR"
    assert find_output(tmp_path, "CHGCAR") is None
    with pytest.raises(DensityFormatError, match="names neither"):
        read_outcar(tmp_path / "OUTCAR")


def test_task_documents() -> None:
    task: dict[str, Any] = {
        "input": {
            "incar": {"ENCUT": 680, "ISPIN": 2, "METAGGA": "R2scan", "LCHARG": False},
            "parameters": {"NELECT": 32.0, "GGA": "--"},
            "potcar_spec": [{"titel": "PAW_PBE Ga_d 06Jul2010"}, {"titel": "PAW_PBE As 22Sep2009"}],
            "hubbards": {},
        },
        "structure": {"sites": [{}, {}]},
    }
    run = read_task(task)
    assert (run.functional, run.encut_ev, run.ispin, run.n_electrons) == ("R2SCAN", 680, 2, 32)
    assert (run.n_atoms, run.writes_density, len(run.potcars)) == (2, False, 2)
    assert read_task({}).kind() == {"electrons": "valence", "code": "vasp"}


def test_tasks_tell_what_the_first_step_cost() -> None:
    """A relaxation of three ionic steps, whose first took 20 of 40 electronic steps."""
    output = {
        "run_stats": {"elapsed_time": 720.0, "cores": 10},
        "num_electronic_steps": [20, 12, 8],
    }
    run = read_task({"calcs_reversed": [{"output": {}}, {"output": output}], "nsites": 7})
    assert (run.n_cores, run.loop_s, run.n_atoms) == (10, (360.0, 216.0, 144.0), 7)
    assert run.static_core_hours == 1.0
    assert read_task({"calcs_reversed": []}).static_core_hours is None
