"""Judge predicted densities of the ablation's test molecules against their calculation."""

from __future__ import annotations

import time
from statistics import fmean
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ablation_data import ELEMENTS, SETTINGS, Groups, fit, read_label

from scdp_flows.dft.pyscf.atoms import atomic_reference
from scdp_flows.dft.pyscf.compare import StartErrors
from scdp_flows.dft.pyscf.seed import seed_density_matrix
from scdp_flows.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pymatgen.core import Molecule

    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.orbital import OrbitalDensity
    from scdp_models.predict import Model

__all__ = ["TESTS", "Judge"]

TESTS = ("ethanol_test", "qm7_test")
Row = dict[str, Any]
_MOST_TESTS = 16
_UNITS = {"nmae": "%", "coulomb": "mHa", "nmae_dm0": "%", "seconds": "s", "electrons": "e"}


class Judge:
    """Measure errors of densities.

    Parameters
    ----------
    parts
        Molecules by part and name.
    labels
        Folder of their labels.
    diagonalise
        Whether to measure what one diagonalisation makes of a density, the dearest of all.
    """

    def __init__(self, parts: Groups, labels: Path, *, diagonalise: bool = True) -> None:
        self.labels, self.diagonalise = labels, diagonalise
        self.molecules = [
            (part, name, molecule)
            for part in TESTS
            for name, molecule in list(parts[part].items())[:_MOST_TESTS]
        ]

    @staticmethod
    def unit(quantity: str) -> str:
        """Return the unit of a figure."""
        return _UNITS[quantity]

    @staticmethod
    def means(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
        """Return the mean of each quantity over each part."""
        return {
            part: {
                quantity: fmean(row[quantity] for row in rows if row["part"] == part)
                for quantity in _UNITS
                if all(quantity in row for row in rows)
            }
            for part in dict.fromkeys(row["part"] for row in rows)
        }

    def models(self, runs: Sequence[Path]) -> dict[Path, list[Row]]:
        """Judge the models of several runs, molecule by molecule."""
        from scdp_models.predict import load

        models = {run: load(run / "model.safetensors") for run in runs}
        rows: dict[Path, list[Row]] = {run: [] for run in runs}
        if models:
            for part, name, molecule, errors in self._prepared("judge models"):
                for run, model in models.items():
                    density, seconds = _timed(model, molecule)
                    row = {"part": part, "name": name, "seconds": seconds}
                    rows[run].append(row | self._measure(errors, density))
        return rows

    def floor(self, basis: BasisSet, target: str) -> dict[str, dict[str, float]]:
        """Judge the best fit in a basis."""
        rows = []
        for part, name, molecule, errors in self._prepared(f"judge fit {basis.name} {target}"):
            label = read_label(self.labels, name)
            density, _ = fit(label, molecule, basis, target=target)
            if target == "delta":
                atoms = atomic_reference(SETTINGS, ELEMENTS)
                density = atoms.superposition(label.numbers, label.positions) + density
            row = {"part": part, "name": name, "seconds": 0.0}
            rows.append(row | self._measure(errors, density))
        return self.means(rows)

    def _measure(self, errors: StartErrors, density: OrbitalDensity) -> Row:
        """Return the errors of a density and of what one diagonalisation makes of it."""
        mean_field = errors.mean_field
        expected = mean_field.mol.nelectron
        held = density.n_electrons()
        row = {
            "nmae": errors.nmae(density),
            "coulomb": 1e3 * errors.coulomb(density),
            "electrons": abs(held - expected),
        }
        if self.diagonalise:
            # Without charge projection a model can be off by more than a start may be.
            start = density.scaled(expected / held)
            dm0 = seed_density_matrix(mean_field.mol, mean_field, start)
            row["nmae_dm0"] = errors.nmae_of_matrix(dm0)
        return row

    def _prepared(self, title: str) -> Iterator[tuple[str, str, Molecule, StartErrors]]:
        for part, name, molecule in track(self.molecules, title, total=len(self.molecules)):
            label = read_label(self.labels, name)
            run: Any = SimpleNamespace(mf=label.mean_field(molecule), dm=label.dm)
            yield part, name, molecule, StartErrors(run)


def _timed(model: Model, molecule: Molecule) -> tuple[OrbitalDensity, float]:
    """Predict, and return the processor time of the second of two calls."""
    numbers, positions = [site.specie.Z for site in molecule], molecule.cart_coords
    model.predict(numbers, positions)
    start = time.process_time()
    density = model.predict(numbers, positions)
    return density, time.process_time() - start
