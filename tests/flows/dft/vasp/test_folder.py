from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pymatgen.io.vasp.inputs import Incar
from pymatgen.io.vasp.outputs import Chgcar

from scdp_flows.dft.vasp.earlier_run import EarlierRunSource
from scdp_flows.dft.vasp.folder import RECORD, read_record, seed_folder
from scdp_flows.dft.vasp.sources import Seed
from scdp_flows.errors import CalculationError
from scdp_flows.io.chgcar import read_chgcar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymatgen.core import Structure

    from scdp_flows.dft.vasp.grid import Shape
    from scdp_flows.dft.vasp.inputs import VaspFolder

SPIN = "ENCUT = 245\nPREC = Normal\nNGXF = 24; NGYF = 24; NGZF = 24\nISPIN = 2\nMAGMOM = 2*{m}\n"


class Given:
    """A source that gives the density of a file, changed or not."""

    name = "given"

    def __init__(self, path: Path, factor: float = 1.0, *, occupancies: bool = True) -> None:
        self.path, self.factor, self.occupancies = path, factor, occupancies

    def seed(self, inputs: VaspFolder, shape: Shape) -> Seed:
        from dataclasses import replace

        assert inputs.shape() == shape
        density = read_chgcar(self.path)
        kept = density.augmentation if self.occupancies else None
        return Seed(
            replace(density, values=self.factor * density.values, augmentation=kept), "given"
        )


def _layout(lines: list[str]) -> list[str]:
    """Return lines with every digit and sign alike."""
    return [
        "".join(
            "0" if c.isdigit() else c for c in line.replace("-.", "0.").replace("-", " ")
        ).rstrip()
        for line in lines
    ]


def test_a_seed_is_a_density_and_one_tag(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path
) -> None:
    folder = write_inputs(silicon)
    before = Incar.from_file(folder / "INCAR")
    others = {n: (folder / n).read_bytes() for n in ("POSCAR", "POTCAR", "KPOINTS")}
    doc = seed_folder(folder, EarlierRunSource((str(finished),)))
    assert (doc.status, doc.reason, doc.grid) == ("seeded", None, (24, 24, 24))
    assert Incar.from_file(folder / "INCAR") == before | {"ICHARG": 1}
    assert {name: (folder / name).read_bytes() for name in others} == others
    names = {path.name for path in folder.iterdir()}
    assert names == {"INCAR", "CHGCAR", RECORD, *others}
    assert read_record(folder) == doc


def test_the_chgcar_is_read_by_pymatgen_and_holds_all_electrons(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path
) -> None:
    strained = silicon.copy()
    strained.apply_strain(0.01)
    folder = write_inputs(strained)
    doc = seed_folder(folder, EarlierRunSource((str(finished),)))
    made = Chgcar.from_file(str(folder / "CHGCAR"))
    assert made.data["total"].mean() == pytest.approx(8.0, abs=1e-4)
    assert abs(doc.excess_electrons or 0.0) < 1e-3
    assert made.structure == strained
    real = read_chgcar(finished / "CHGCAR.gz").augmentation
    again = read_chgcar(folder / "CHGCAR").augmentation
    assert real is not None
    assert again is not None
    assert np.allclose(again[0].occupancies, real[0].occupancies, rtol=1e-6, atol=1e-12)


def test_one_spin_has_the_layout_of_the_real_file(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path
) -> None:
    folder = write_inputs(silicon)
    seed_folder(folder, Given(finished / "CHGCAR.gz"))
    with gzip.open(finished / "CHGCAR.gz", "rt") as stream:
        real = stream.read().splitlines()
    made = (folder / "CHGCAR").read_text().splitlines()
    assert len(made) == len(real)
    assert _layout(made[11:]) == _layout(real[11:])


def test_two_spins_have_the_layout_of_the_real_file(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path, repository: Path
) -> None:
    folder = write_inputs(silicon, SPIN.format(m=0.6))
    doc = seed_folder(folder, Given(finished / "CHGCAR.gz"))
    assert doc.magnetization == "atoms"
    with gzip.open(repository / "tests/data/vasp/Fe_bcc_CHGCAR_spin.gz", "rt") as stream:
        real = stream.read().splitlines()
    made = (folder / "CHGCAR").read_text().splitlines()
    second = [index for index, line in enumerate(made) if line == made[11]]
    assert len(second) == 2
    reference = [index for index, line in enumerate(real) if line == "   28   28   28"]
    # The record of moments, the grid line and the first values between the two grids.
    shapes = [_layout(x[i - 1 : i + 2]) for x, i in ((made, second[1]), (real, reference[1]))]
    assert len(shapes[0][0]) == 2 * len(shapes[1][0])
    assert shapes[0][1:] == [shapes[1][1], shapes[1][2]]
    density = read_chgcar(folder / "CHGCAR")
    assert density.magnetization is not None
    assert density.magnetization.mean() * density.volume == pytest.approx(1.2, abs=1e-4)
    spins = density.augmentation
    assert spins is not None
    assert np.allclose(spins[1].occupancies, 0.15 * spins[0].occupancies, rtol=1e-5, atol=1e-12)
    assert spins[0].moments.tolist() == [0.6, 0.6]


@pytest.mark.parametrize(
    ("incar", "reason"),
    [
        ("ENCUT = 245\nICHARG = 11\n", "ICHARG"),
        ("ENCUT = 245\nPREC = High\n", "PREC"),
        ("ENCUT = 245\nPREC = Normal\n", "grid"),
        (SPIN.format(m=2.0), "2 µB"),
        ("NGXF = 24; NGYF = 24; NGZF = 24\nNELECT = 7\n", "NELECT is 7"),
    ],
    ids=["fixed density", "unknown grid", "other grid", "large moments", "charged"],
)
def test_what_cannot_be_seeded_is_untouched_and_explained(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path, incar: str, reason: str
) -> None:
    folder = write_inputs(silicon, incar)
    doc = seed_folder(folder, Given(finished / "CHGCAR.gz"))
    assert doc.status == "left"
    assert reason in str(doc.reason)
    assert (folder / "INCAR").read_text() == incar
    assert not (folder / "CHGCAR").exists()
    assert read_record(folder) == doc


def test_densities_without_fitting_occupancies_are_refused(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path
) -> None:
    folder = write_inputs(silicon)
    bare = seed_folder(folder, Given(finished / "CHGCAR.gz", occupancies=False))
    assert "occupancies" in str(bare.reason)
    text = (folder / "POTCAR").read_text()
    (folder / "POTCAR").write_text(text.replace("  1  2  1.900", "  1  1  1.900"))
    other = seed_folder(folder, Given(finished / "CHGCAR.gz"))
    assert "33 PAW occupancies, expected 15" in str(other.reason)


def test_small_errors_of_the_charge_are_scaled_away(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path
) -> None:
    folder = write_inputs(silicon)
    doc = seed_folder(folder, Given(finished / "CHGCAR.gz", 1.01))
    assert doc.excess_electrons == pytest.approx(0.08, abs=1e-3)
    assert read_chgcar(folder / "CHGCAR").integral() == pytest.approx(8.0, abs=1e-6)


def test_an_earlier_density_is_kept_unless_told_otherwise(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path
) -> None:
    folder = write_inputs(silicon)
    (folder / "CHGCAR").write_text("of prev_dir")
    source = EarlierRunSource((str(finished),))
    assert "CHGCAR" in str(seed_folder(folder, source).reason)
    assert (folder / "CHGCAR").read_text() == "of prev_dir"
    assert seed_folder(folder, source, strategy="every").status == "seeded"


def test_unreadable_inputs_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(CalculationError, match="INCAR"):
        seed_folder(tmp_path, EarlierRunSource())


def test_a_full_disk_leaves_no_half_seed(
    write_inputs: Callable[..., Path],
    silicon: Structure,
    finished: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    folder = write_inputs(silicon)
    before = (folder / "INCAR").read_text()
    monkeypatch.setattr("scdp_flows.dft.vasp.folder.write_chgcar", full)
    assert "No space" in str(seed_folder(folder, Given(finished / "CHGCAR.gz")).reason)
    assert (folder / "INCAR").read_text() == before
    assert not (folder / "CHGCAR").exists()


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    (tmp_path / RECORD).write_text("{")
    assert read_record(tmp_path) is None


def test_a_sample_is_left_unseeded(
    write_inputs: Callable[..., Path], silicon: Structure, finished: Path
) -> None:
    source = EarlierRunSource((str(finished),))
    folder = write_inputs(silicon)
    doc = seed_folder(folder, source, unseeded_sample=1.0)
    assert (doc.status, doc.is_sample) == ("left", True)
    assert doc.reason == "left unseeded for comparison"
    assert not (folder / "CHGCAR").exists()
    assert not seed_folder(folder, source, unseeded_sample=0.0).is_sample
