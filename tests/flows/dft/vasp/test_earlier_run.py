from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.vasp.earlier_run import EarlierRunSource
from scdp_flows.dft.vasp.inputs import read_folder
from scdp_flows.errors import CalculationError
from scdp_flows.io.chgcar import read_chgcar, write_chgcar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymatgen.core import Structure

SHAPE = (24, 24, 24)


def test_the_same_crystal_gets_its_density_and_occupancies_back(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path
) -> None:
    inputs = read_folder(write_inputs(silicon))
    seed = EarlierRunSource((str(finished),)).seed(inputs, SHAPE)
    density = read_chgcar(finished / "CHGCAR.gz")
    assert seed.density.nmae(density) < 1e-3
    assert density.augmentation is not None
    assert seed.density.augmentation is not None
    expected = density.augmentation[0].occupancies
    assert np.array_equal(seed.density.augmentation[0].occupancies, expected)


def test_the_nearest_run_is_taken(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path, tmp_path: Path
) -> None:
    far = shutil.copytree(finished, tmp_path / "all" / "far")
    shutil.copytree(finished, tmp_path / "all" / "near")
    density = read_chgcar(far / "CHGCAR.gz")
    (far / "CHGCAR.gz").unlink()
    stretched = replace(
        density,
        values=density.values / 1.05**3,
        cell=1.05 * density.cell,
        positions=1.05 * density.positions,
    )
    write_chgcar(stretched, far / "CHGCAR")
    inputs = read_folder(write_inputs(silicon))
    source = EarlierRunSource((str(tmp_path / "all"),))
    assert source.seed(inputs, SHAPE).density.nmae(density) < 1e-3
    only_far = EarlierRunSource((str(far),)).seed(inputs, SHAPE).density
    assert only_far.nmae(density) > 1e-3
    assert only_far.integral() == pytest.approx(8.0, abs=1e-4)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("PAW_PBE Si 01Jan2026", "PAW_PBE Si_d 01Jan2026"),
        ("GGA     =    --", "GGA     =    PS"),
        ("NIONS =      2", "LDAUU = 4.0"),
    ],
    ids=["potential", "functional", "hubbard"],
)
def test_runs_of_another_kind_do_not_count(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path, old: str, new: str
) -> None:
    text = (finished / "OUTCAR").read_text()
    assert old in text
    (finished / "OUTCAR").write_text(text.replace(old, new))
    inputs = read_folder(write_inputs(silicon))
    with pytest.raises(CalculationError, match="no earlier run of Si2"):
        EarlierRunSource((str(finished),)).seed(inputs, SHAPE)


def test_far_structures_and_unfinished_runs_do_not_count(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path
) -> None:
    inputs = read_folder(write_inputs(silicon))
    stretched = silicon.copy()
    stretched.apply_strain(0.2)
    far = read_folder(write_inputs(stretched, name="far"))
    source = EarlierRunSource((str(finished),))
    with pytest.raises(CalculationError, match=r"within a strain of 0\.1"):
        source.seed(far, SHAPE)
    (finished / "OUTCAR").unlink()
    with pytest.raises(CalculationError, match="no earlier run"):
        source.seed(inputs, SHAPE)
    (finished / "OUTCAR").write_text("killed\n")
    (finished / "CHGCAR").write_text("killed\n")
    with pytest.raises(CalculationError, match="no earlier run"):
        source.seed(inputs, SHAPE)


def test_a_run_is_no_source_of_itself(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path
) -> None:
    folder = write_inputs(silicon)
    for path in finished.iterdir():
        shutil.copy(path, folder)
    with pytest.raises(CalculationError, match="no earlier run"):
        EarlierRunSource((str(folder),)).seed(read_folder(folder), SHAPE)


def test_a_magnetisation_is_taken_only_for_the_moments_it_began_with(
    write_inputs: Callable[..., Path], repository: Path, tmp_path: Path
) -> None:
    from pymatgen.core import Lattice, Structure

    iron = tmp_path / "iron"
    iron.mkdir()
    shutil.copy(repository / "tests/data/vasp/Fe_bcc_CHGCAR_spin.gz", iron / "CHGCAR.gz")
    (iron / "OUTCAR").write_text("   TITEL  = PAW_PBE Fe 06Sep2000\n   LEXCH  = PE\n")
    density = read_chgcar(iron / "CHGCAR.gz")
    structure = Structure(Lattice(density.cell), ["Fe"], [[0, 0, 0]])
    source = EarlierRunSource((str(iron),))
    found = []
    for moment in (2.0, -2.0):
        folder = tmp_path / f"run{moment}"
        folder.mkdir()
        (folder / "INCAR").write_text(f"ISPIN = 2\nMAGMOM = {moment}\nENCUT = 270\n")
        structure.to(folder / "POSCAR", fmt="poscar")
        (folder / "POTCAR.spec").write_text("Fe\n")
        found.append(source.seed(read_folder(folder), (28, 28, 28)).density.magnetization)
    assert found[1] is None
    assert found[0] is not None
    assert found[0].mean() * density.volume == pytest.approx(2.273, abs=1e-3)
