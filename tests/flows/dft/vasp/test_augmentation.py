from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.vasp.augmentation import (
    OccupancyLibrary,
    harvest,
    projector_channels,
    spherical,
)
from scdp_flows.dft.vasp.inputs import read_folder
from scdp_flows.errors import CalculationError, DensityFormatError
from scdp_flows.io.chgcar import read_chgcar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymatgen.core import Structure


def test_a_run_gives_what_no_rotation_changes(finished: Path) -> None:
    first, second = harvest(finished)
    assert first == second
    assert (first.title, first.functional) == ("PAW_PBE Si 01Jan2026", "PBE")
    assert first.channels == (0, 0, 1, 1)
    assert first.neighbours[:4] == pytest.approx((2.357,) * 4, abs=1e-3)
    density = read_chgcar(finished / "CHGCAR.gz")
    assert density.augmentation is not None
    # In a tetrahedral site nothing else is there.
    assert np.allclose(first.values, density.augmentation[0].record(0), atol=1e-5)


def test_directions_are_left_out() -> None:
    values = np.arange(1.0, 11.0)
    assert spherical(values, (0, 1)).tolist() == [1, 0, 0, 0, 5, 0, 0, 0, 0, 0]


def test_a_library_survives_its_file_and_serves_each_atom(
    finished: Path, tmp_path: Path, write_inputs: Callable[..., Path], silicon: Structure
) -> None:
    file = tmp_path / "library.json"
    library = OccupancyLibrary(()).extended(harvest(finished)).extended(harvest(finished))
    library.write(file)
    assert OccupancyLibrary.read(file) == library
    assert len(library.items) == 1
    records = library.records(read_folder(write_inputs(silicon)))
    assert [len(record) for record in records] == [33, 33]


def test_the_nearest_environment_is_chosen(
    finished: Path, write_inputs: Callable[..., Path], silicon: Structure
) -> None:
    from dataclasses import replace

    (item, _) = harvest(finished)
    other = replace(
        item, neighbours=tuple(1.1 * d for d in item.neighbours), values=(0.5,) + (0.0,) * 32
    )
    library = OccupancyLibrary((item, other))
    stretched = silicon.copy()
    stretched.apply_strain(0.09)
    here = library.records(read_folder(write_inputs(silicon)))
    there = library.records(read_folder(write_inputs(stretched, name="stretched")))
    assert here[0][0] == pytest.approx(item.values[0])
    assert there[0][0] == 0.5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"title": "PAW_PBE Si_d 01Jan2026"}, "no occupancies of PAW_PBE Si 01Jan2026"),
        ({"functional": "PBEsol"}, "with PBE in the library"),
        ({"channels": (0, 1)}, "two pseudopotentials of one title"),
    ],
    ids=["title", "functional", "projectors"],
)
def test_what_does_not_fit_is_refused(
    finished: Path,
    write_inputs: Callable[..., Path],
    silicon: Structure,
    change: dict[str, str],
    reason: str,
) -> None:
    from dataclasses import replace

    library = OccupancyLibrary((replace(harvest(finished)[0], **change),))  # type: ignore[arg-type]
    with pytest.raises(CalculationError, match=reason):
        library.records(read_folder(write_inputs(silicon)))


def test_files_that_do_not_fit_together_are_refused(finished: Path) -> None:
    text = (finished / "OUTCAR").read_text()
    (finished / "OUTCAR").write_text(text.replace("L=           1", "L=           2"))
    with pytest.raises(DensityFormatError, match="different runs"):
        harvest(finished)
    (finished / "OUTCAR").unlink()
    with pytest.raises(DensityFormatError, match="OUTCAR is missing"):
        harvest(finished)


def test_projectors_are_read_from_a_real_log(repository: Path) -> None:
    path = repository / "tests/data/vasp/Si_static_OUTCAR.gz"
    assert projector_channels(path) == ((0, 0, 1, 1),)


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CalculationError, match="no library"):
        OccupancyLibrary.read(tmp_path / "missing.json")
