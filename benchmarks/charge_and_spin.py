"""Train one small network on radicals, ions and closed shells, and start PySCF from both densities.

Run ``OMP_NUM_THREADS=1 python benchmarks/charge_and_spin.py [--quick]``; it prints the table of
``docs/guide/charge_and_spin.md`` and writes ``benchmarks/results/charge_and_spin.json``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pymatgen.core import Molecule
from results_file import Row, make_row, write_results

from scdp_flows.dft.base import Label, ScfStart, SpinDensities
from scdp_flows.dft.pyscf.atoms import atomic_reference
from scdp_flows.dft.pyscf.compare import seeded_comparison
from scdp_flows.dft.pyscf.inputs import PyscfSettings
from scdp_flows.dft.pyscf.label import label_structure
from scdp_flows.predictors.accuracy import LabelComparison
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_models.basis.library import lean_basis
from scdp_models.data.samples import make_sample, with_spin
from scdp_models.data.shards import write_shard
from scdp_models.nn.config import NetworkConfig
from scdp_models.training.config import RunSpecification, TrainingConfig
from scdp_models.training.run import run

if TYPE_CHECKING:
    from scdp_flows.predictors.base import Predicted
    from scdp_models.basis.shells import BasisSet

SETTINGS = PyscfSettings(
    basis="gth-dzvp", spin="unrestricted", spacing=0.2, padding=3.5, charge_tolerance=5e-3
)
NETWORK = NetworkConfig(n_channels=16, lmax=3, charge_input=True, spin_output=True)
WATER = [[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]]
PLANE = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [-0.5, 0.866, 0.0], [-0.5, -0.866, 0.0]]
PYRAMID = [[0.0, 0.0, 0.1], [0.94, 0.0, -0.23], [-0.47, 0.81, -0.23], [-0.47, -0.81, -0.23]]
# Name, atoms, positions in Å, charge, spin multiplicity. The radical OH is not among them: its hole
# picks one of two degenerate orbitals, and no equivariant network can know which.
SPECIES = (
    ("OH-", "OH", [[0.0, 0.0, 0.0], [0.0, 0.0, 0.97]], -1, 1),
    ("NH2", "NHH", np.multiply(WATER, 1.05).tolist(), 0, 2),
    ("CH3", "CHHH", np.multiply(PLANE, 1.08).tolist(), 0, 2),
    ("H3O+", "OHHH", PYRAMID, 1, 1),
    ("H2O", "OHH", WATER, 0, 1),
)


class Case(NamedTuple):
    """A labelled molecule."""

    name: str
    structure: Molecule
    label: Label


def labelled(n_each: int, seed: int, basis: BasisSet) -> list[Case]:
    """Shake every species `n_each` times and label it; no degenerate geometry is left."""
    generator = np.random.default_rng(seed)
    cases = []
    for name, symbols, places, charge, multiplicity in SPECIES:
        for _ in range(n_each):
            moved = np.array(places) + generator.normal(scale=0.05, size=np.shape(places))
            molecule = Molecule(list(symbols), moved, charge, multiplicity)
            cases.append(Case(name, molecule, label_structure(molecule, SETTINGS, basis)))
            print(f"labelled {name}", flush=True)
    return cases


def trained(cases: list[Case], basis: BasisSet, n_steps: int, folder: Path) -> ScdpPredictor:
    """Train on both densities."""
    reference = atomic_reference(SETTINGS, [1, 6, 7, 8])
    samples = []
    for index, case in enumerate(cases):
        fit = case.label.fit
        sample = make_sample(str(index), fit.density, basis, reference)
        samples.append(sample if fit.spin is None else with_spin(sample, fit.spin))
    training = TrainingConfig(
        loss_weights={"coulomb_spin": 1.0}, n_steps=n_steps, batch_size=4, accelerator="cpu"
    )
    RunSpecification(
        training_shards=(str(write_shard(folder / "train.safetensors", samples)),),
        validation_shards=(),
        network=NETWORK,
        training=training,
        basis=basis.to_dict(),
        reference=reference.to_dict(),
        kind=SETTINGS.kind().as_dict(),
    ).write(folder)
    return ScdpPredictor(str(run(folder).model))


def errors(case: Case, predicted: Predicted) -> dict[str, float]:
    """Return the errors of a prediction in percent."""
    label = case.label
    row = LabelComparison(
        case.name, label.density, n_electrons=label.n_electrons, fitted=label.fit.density
    ).errors(predicted)
    found = {"nmae": row.nmae_percent, "electrons": abs(row.electron_error_e)}
    if case.structure.spin_multiplicity > 1:
        found["spin nmae"] = row.spin_nmae_percent
    return found


def starts(case: Case, predicted: Predicted) -> list[ScfStart]:
    """Converge a molecule from PySCF's guess, the prediction, its fit, and the exact densities."""
    fit = case.label.fit
    none = fit.density.scaled(0.0)
    densities = {
        "total only": predicted.density,
        "predicted": SpinDensities(predicted.density, predicted.spin_density),
        "fit": SpinDensities(fit.density, none if fit.spin is None else fit.spin),
    }
    return seeded_comparison(case.structure, SETTINGS, densities)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few molecules and steps")
    quick = parser.parse_args().quick
    basis = lean_basis([1, 6, 7, 8])
    n_train, n_steps = (1, 30) if quick else (2, 300)
    with tempfile.TemporaryDirectory() as folder:
        predictor = trained(labelled(n_train, 0, basis), basis, n_steps, Path(folder))
        rows = measured(labelled(1, 1, basis), predictor)
    if not quick:
        write_results("charge_and_spin", rows)


def measured(cases: list[Case], predictor: ScdpPredictor) -> list[Row]:
    """Print the table and return its rows."""
    rows, iterations = [], []
    for case in cases:
        predicted = next(iter(predictor.predict_many([case.structure])))
        found = errors(case, predicted)
        runs = starts(case, predicted)
        cycles = {one.start: one.iterations for one in runs}
        iterations.append(cycles)
        worst = max(abs(one.energy_difference_ha) for one in runs)
        print(case.name, found, cycles, [one.fallback_reason for one in runs], f"{worst:.1e} Ha")
        for name, value in found.items():
            unit = "e" if name == "electrons" else "%"
            rows.append(make_row(f"{name} of {case.name}", value, unit))
    for start in iterations[0]:
        mean = statistics.fmean(cycles[start] for cycles in iterations)
        rows.append(make_row(f"mean SCF iterations from {start}", mean, "iterations"))
        print(start, mean)
    return rows


if __name__ == "__main__":
    main()
