from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.vasp.converged import why_no_density
from scdp_flows.dft.vasp.earlier_run import EarlierRunSource
from scdp_flows.dft.vasp.folder import seed_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymatgen.core import Structure


def test_a_finished_run_offers_its_density(finished: Path) -> None:
    assert why_no_density(finished) is None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("   ISPIN", "   LCHARG =      F    write CHGCAR\n   ISPIN", "LCHARG = .FALSE."),
        ("ICHARG =      2", "ICHARG =     11", "ICHARG >= 10"),
        ("   ISPIN", "   NELM   =      2;\n   ISPIN", "did not converge in NELM = 2"),
        ("TITEL", "", "neither pseudopotentials"),
    ],
    ids=["not written", "kept fixed", "not converged", "no log"],
)
def test_other_runs_say_why_not(finished: Path, old: str, new: str, reason: str) -> None:
    text = (finished / "OUTCAR").read_text()
    (finished / "OUTCAR").write_text(text.replace(old, new))
    steps = "DAV:   1    0.1 \nDAV:   2    0.1 \n   1 F= -.1E+02 E0= -.1E+02  d E =0\n"
    (finished / "OSZICAR").write_text(steps)
    assert reason in str(why_no_density(finished))


def test_missing_files_are_told(finished: Path) -> None:
    (finished / "CHGCAR.gz").write_bytes(b"")
    assert "empty" in str(why_no_density(finished))
    (finished / "OUTCAR").unlink()
    assert "no OUTCAR" in str(why_no_density(finished))


def test_a_seed_is_no_result(
    finished: Path, write_inputs: Callable[..., Path], silicon: Structure
) -> None:
    folder = write_inputs(silicon)
    doc = seed_folder(folder, EarlierRunSource((str(finished),)))
    assert doc.status == "seeded"
    shutil.copy(finished / "OUTCAR", folder / "OUTCAR")
    assert "still the seed" in str(why_no_density(folder))
