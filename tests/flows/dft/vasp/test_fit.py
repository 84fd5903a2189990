from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save_file

from scdp_flows.dft.vasp.augmentation import OccupancyLibrary
from scdp_flows.dft.vasp.fit import OccupancyModel, example_of, learn_occupancies
from scdp_flows.dft.vasp.harvested import harvest
from scdp_flows.dft.vasp.inputs import read_folder
from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pymatgen.core import Structure


@pytest.fixture(scope="module")
def real(repository: Path) -> OccupancyLibrary:
    """Give occupancies of rattled boron nitride, by another PAW program (pw.x)."""
    return OccupancyLibrary.read(repository / "tests/data/qe/bn_occupancies.json")


def test_real_occupancies_are_learned_from_a_few_runs(real: OccupancyLibrary) -> None:
    model = learn_occupancies(OccupancyLibrary(real.runs[:7]))
    assert [(each.n_runs, each.n_atoms) for each in model.learned] == [(7, 28), (7, 28)]
    for each in model.learned:
        examples = [example_of(run, each.kind) for run in real.runs[7:]]
        wanted = np.concatenate([example.values for example in examples])
        found = np.concatenate([each.head.predict(*example[:4]).values for example in examples])
        spread = np.linalg.norm(wanted - each.head.mean)
        assert np.linalg.norm(wanted - found) < 0.15 * spread


def test_a_model_survives_its_file_and_serves_each_atom(
    finished: Path, tmp_path: Path, write_inputs: Callable[..., Path], silicon: Structure
) -> None:
    run = harvest(finished)
    model = learn_occupancies(OccupancyLibrary((run,)))
    model.write(tmp_path / "model.safetensors")
    again = OccupancyModel.read(tmp_path / "model.safetensors")
    assert again.learned[0].kind == run.kinds[0]
    inputs = read_folder(write_inputs(silicon))
    found = again.records(inputs)
    assert np.array_equal(found.records, model.records(inputs).records)
    assert found.origin == "predicted from 1 runs for 2 of 2 atoms"
    assert np.allclose(found.records[0], run.values[0], atol=1e-5)
    # Far from all that was learned, the mean is left, and the record says so.
    silicon = silicon.copy()
    silicon.apply_strain(0.05)
    far = again.records(read_folder(write_inputs(silicon, name="far")))
    assert far.origin == "predicted from 1 runs for 0 of 2 atoms, else the mean"


def test_other_pseudopotentials_are_refused(
    finished: Path, write_inputs: Callable[..., Path], silicon: Structure
) -> None:
    run = harvest(finished)
    other = replace(run, kinds=(replace(run.kinds[0], potcar_hash="text:0"),))
    model = learn_occupancies(OccupancyLibrary((other,)))
    with pytest.raises(CalculationError, match="here and text:0 where"):
        model.records(read_folder(write_inputs(silicon)))


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    with pytest.raises(CalculationError, match="no model of occupancies"):
        OccupancyModel.read(file)
    save_file({"a": np.zeros(1)}, file, {"scdp": '{"format": "another", "version": 7}'})
    with pytest.raises(CalculationError, match="another of version 7"):
        OccupancyModel.read(file)
    with pytest.raises(CalculationError, match="empty"):
        learn_occupancies(OccupancyLibrary(()))
