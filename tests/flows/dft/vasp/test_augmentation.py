from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_flows.dft.vasp.augmentation import OccupancyLibrary, spherical
from scdp_flows.dft.vasp.harvested import harvest
from scdp_flows.dft.vasp.inputs import read_folder
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymatgen.core import Structure


def test_directions_are_left_out() -> None:
    values = np.arange(1.0, 11.0)
    assert spherical(values, (0, 1)).tolist() == [1, 0, 0, 0, 5, 0, 0, 0, 0, 0]


def test_a_library_survives_its_file_and_serves_each_atom(
    finished: Path, tmp_path: Path, write_inputs: Callable[..., Path], silicon: Structure
) -> None:
    file = tmp_path / "library.json"
    library = OccupancyLibrary(()).extended([harvest(finished)]).extended([harvest(finished)])
    library.write(file)
    assert OccupancyLibrary.read(file) == library
    assert len(library.runs) == 1
    found = library.records(read_folder(write_inputs(silicon)))
    assert [len(record) for record in found.records] == [33, 33]
    assert found.origin == "library of 1 runs"
    # In a tetrahedral site there is nothing that depends on a direction.
    assert np.allclose(found.records[0], library.runs[0].values[0], atol=1e-5)


def test_the_nearest_environment_is_chosen(
    finished: Path, write_inputs: Callable[..., Path], silicon: Structure
) -> None:
    run = harvest(finished)
    wide = silicon.copy()
    wide.apply_strain(0.1)
    other = replace(
        run,
        cell=tuple(map(tuple, wide.lattice.matrix.tolist())),
        positions=tuple(map(tuple, wide.cart_coords.tolist())),
        values=((0.5,) + (0.0,) * 32,) * 2,
    )
    library = OccupancyLibrary((run, other))
    stretched = silicon.copy()
    stretched.apply_strain(0.09)
    here = library.records(read_folder(write_inputs(silicon))).records
    there = library.records(read_folder(write_inputs(stretched, name="stretched"))).records
    assert here[0][0] == pytest.approx(run.values[0][0])
    assert there[0][0] == 0.5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"title": "PAW_PBE Si_d 01Jan2026"}, "no occupancies of PAW_PBE Si 01Jan2026"),
        ({"functional": "PBEsol"}, "with PBE among those at hand"),
        ({"channels": (0, 1)}, "has the projector channels"),
        ({"potcar_hash": "text:0"}, "two pseudopotentials of one title; harvest"),
    ],
    ids=["title", "functional", "projectors", "hash"],
)
def test_what_does_not_fit_is_refused(
    finished: Path,
    write_inputs: Callable[..., Path],
    silicon: Structure,
    change: dict[str, str],
    reason: str,
) -> None:
    run = harvest(finished)
    library = OccupancyLibrary((replace(run, kinds=(replace(run.kinds[0], **change),)),))  # type: ignore[arg-type]
    with pytest.raises(CalculationError, match=reason):
        library.records(read_folder(write_inputs(silicon)))


def test_of_two_kinds_that_fit_the_more_common_one_serves(
    finished: Path, write_inputs: Callable[..., Path], silicon: Structure
) -> None:
    run = harvest(finished)
    # One folder still had its POTCAR, the others had none.
    known = replace(
        run,
        kinds=(replace(run.kinds[0], potcar_hash="sha256:0"),),
        values=((0.5,) + (0.0,) * 32,) * 2,
    )
    for library, first in (
        (OccupancyLibrary((run, replace(run, formula="Si2"), known)), run.values[0][0]),
        (OccupancyLibrary((run, known, replace(known, formula="Si2"))), 0.5),
    ):
        found = library.records(read_folder(write_inputs(silicon, name=f"run {first}")))
        assert found.records[0][0] == pytest.approx(first)


def test_components_that_were_not_written_are_not_given(
    finished: Path, write_inputs: Callable[..., Path], silicon: Structure
) -> None:
    run = harvest(finished)
    kind = replace(run.kinds[0], lmaxmix=1)
    inputs = read_folder(write_inputs(silicon, "ENCUT = 245\nLMAXMIX = 4\n"))
    with pytest.raises(CalculationError, match="up to L = 2; those at hand end at 1"):
        OccupancyLibrary((replace(run, kinds=(kind,)),)).records(inputs)
    # Silicon's projectors have no larger L: nothing is missing.
    assert OccupancyLibrary((run,)).records(inputs).records


def test_what_is_no_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CalculationError, match="no library"):
        OccupancyLibrary.read(tmp_path / "missing.json")
    (tmp_path / "other.json").write_text('{"format": "scdp-occupancies", "version": 3, "runs": []}')
    with pytest.raises(CalculationError, match="version 3, expected"):
        OccupancyLibrary.read(tmp_path / "other.json")
