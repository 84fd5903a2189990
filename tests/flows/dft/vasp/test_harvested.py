from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from scdp_flows.dft.vasp.augmentation import OccupancyLibrary
from scdp_flows.dft.vasp.harvested import harvest, read_kinds
from scdp_flows.dft.vasp.potcar import channel_blocks
from scdp_flows.errors import DensityFormatError
from scdp_models.density.orbital import rotation_matrix

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.dft.vasp.harvested import OccupancyRun


def test_a_run_gives_occupancies_and_what_they_depend_on(finished: Path) -> None:
    run = harvest(finished)
    (kind,) = run.kinds
    assert (kind.title, kind.functional) == ("PAW_PBE Si 01Jan2026", "PBE")
    assert (kind.channels, kind.lmaxmix, kind.potcar_hash) == ((0, 0, 1, 1), 2, None)
    assert run.atoms_of(kind) == [0, 1]
    assert (run.formula, len(run.values[1])) == ("Si", 33)


def test_the_hash_is_that_of_the_potcar_else_of_the_log(finished: Path, repository: Path) -> None:
    stated = 8 * "0123abcd"
    outcar = finished / "OUTCAR"
    text = outcar.read_text()
    outcar.write_text(text.replace("   VRHFIN", f"   SHA256 =  {stated} Si/POTCAR\n   VRHFIN"))
    assert harvest(finished).kinds[0].potcar_hash == f"sha256:{stated}"
    psp = repository / "tests/data/vasp/psp/POT_GGA_PAW_PBE_54/POTCAR.Si"
    shutil.copy(psp, finished / "POTCAR")
    assert str(harvest(finished).kinds[0].potcar_hash).startswith("text:")


def test_files_that_do_not_fit_together_are_refused(finished: Path) -> None:
    text = (finished / "OUTCAR").read_text()
    (finished / "OUTCAR").write_text(text.replace("L=           1", "L=           2"))
    with pytest.raises(DensityFormatError, match="different runs"):
        harvest(finished)
    (finished / "OUTCAR").unlink()
    with pytest.raises(DensityFormatError, match="OUTCAR is missing"):
        harvest(finished)


def test_projectors_are_read_from_a_real_log(repository: Path) -> None:
    (kind,) = read_kinds(repository / "tests/data/vasp/Si_static_OUTCAR.gz", "PBE")
    assert (kind.title, kind.channels, kind.lmaxmix) == ("PAW_PBE Si 05Jan2001", (0, 0, 1, 1), 2)


def _real(repository: Path) -> tuple[OccupancyRun, ...]:
    return OccupancyLibrary.read(repository / "tests/data/vasp/real_occupancies.json").runs


def _largest_mismatch(run: OccupancyRun, order: dict[int, list[int]]) -> float:
    """Return by how much blocks of equivalent atoms differ from being turned into each other."""
    structure = run.structure
    worst = 0.0
    for operation in SpacegroupAnalyzer(structure, 1e-3).get_space_group_operations():
        turn = structure.lattice.matrix.T @ operation.rotation_matrix
        turn = turn @ np.linalg.inv(structure.lattice.matrix.T)
        images = structure.frac_coords @ operation.rotation_matrix.T + operation.translation_vector
        for atom, image in enumerate(images):
            off = image - structure.frac_coords
            partner = int(np.abs(off - np.rint(off)).sum(axis=1).argmin())
            start = 0
            for _, _, l in channel_blocks(run.kinds[run.kind_of_atom[atom]].channels):
                rows = [run.values[a][start : start + 2 * l + 1] for a in (atom, partner)]
                one, two = np.array(rows)[:, order.get(l, list(range(2 * l + 1)))]
                miss = rotation_matrix(l, turn) @ one - two
                worst = max(worst, float(np.abs(miss).max()))
                start += 2 * l + 1
    return worst


@pytest.mark.parametrize(
    "name", ["Si10_supercell", "Si_32", "Si2_24", "Si_static", "LiH", "Fe_bcc"]
)
def test_real_blocks_turn_like_harmonics_from_minus_l_to_l(repository: Path, name: str) -> None:
    run = next(run for run in _real(repository) if run.formula.startswith(name))
    assert _largest_mismatch(run, {}) < 2e-6


@pytest.mark.parametrize(
    "order", [{1: [2, 0, 1]}, {1: [2, 1, 0], 2: [4, 3, 2, 1, 0]}, {2: [2, 3, 1, 4, 0]}],
    ids=["xyz", "reversed", "m = 0 first"],
)  # fmt: skip
def test_no_other_order_does(repository: Path, order: dict[int, list[int]]) -> None:
    run = next(run for run in _real(repository) if run.formula.startswith("Si10"))
    assert _largest_mismatch(run, order) > 1e-2
