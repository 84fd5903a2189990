"""Labels and training samples of the ablation: ethanol frames and small QM7 molecules by PySCF.

One file per molecule holds its density matrix and its density on a grid, so that every basis and
target is fitted from the same calculation. About an hour of processor time; a run that was
stopped goes on.
"""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_flows.demo.structures import (
    ETHANOL_TEST_FRAMES,
    ETHANOL_TRAIN_FRAMES,
    QM7_TEST_IDS,
    load_ethanol,
    load_qm7_small,
)
from scdp_flows.dft.pyscf.atoms import atomic_reference
from scdp_flows.dft.pyscf.auxiliary import contract_with_density_matrix
from scdp_flows.dft.pyscf.fit import fit_shells
from scdp_flows.dft.pyscf.grid import box_density
from scdp_flows.dft.pyscf.inputs import PyscfSettings
from scdp_flows.dft.pyscf.molecule import build_molecule, mean_field
from scdp_flows.dft.pyscf.scf import check_converged, run_scf
from scdp_flows.io.structures import molecule_box
from scdp_flows.io.xyz import parse_xyz
from scdp_flows.parallel import map_parallel
from scdp_flows.progress import track

if TYPE_CHECKING:
    from pymatgen.core import Molecule

    from scdp_models.basis.shells import BasisSet
    from scdp_models.density.orbital import OrbitalDensity

__all__ = ["ELEMENTS", "SETTINGS", "Label", "groups", "label_all", "read_label", "sample_of"]

SETTINGS = PyscfSettings()
ELEMENTS = (1, 6, 7, 8)
_RIDGE = 1e-6
_EXTRA = Path(__file__).parent / "data" / "ablation.extxyz.gz"

Groups = dict[str, dict[str, "Molecule"]]


def groups() -> Groups:
    """Return the molecules, by part and name."""
    ethanol = load_ethanol()
    qm7 = {
        int(m.properties["qm7_id"]): m
        for m in load_qm7_small()
        if {element.Z for element in m.composition} <= set(ELEMENTS)
    }
    lines = gzip.decompress(_EXTRA.read_bytes()).decode("ascii").splitlines()
    extra = {str(m.properties["label"]): m for m in parse_xyz(iter(lines), _EXTRA.name)}
    frames = {name: m for name, m in extra.items() if name.startswith("f")}
    six = {name: m for name, m in extra.items() if name.startswith("q")}
    tests = set(QM7_TEST_IDS)
    return {
        "ethanol": {f"e{i}": ethanol[i] for i in ETHANOL_TRAIN_FRAMES} | frames,
        "qm7": {f"q{i}": m for i, m in qm7.items() if i not in tests} | six,
        "ethanol_test": {f"e{i}": ethanol[i] for i in ETHANOL_TEST_FRAMES},
        "qm7_test": {f"q{i}": m for i, m in qm7.items() if i in tests},
    }


class Label(SimpleNamespace):
    """What is kept of a calculation.

    Attributes
    ----------
    name, numbers, positions
        The molecule (Å).
    dm
        Density matrix.
    values, origin, cell
        Density on the box of voxels, e/Å^3, float32.
    """

    name: str
    numbers: Any
    positions: Any
    dm: Any
    values: Any
    origin: Any
    cell: Any

    def mean_field(self, structure: Molecule) -> Any:
        """Return PySCF's object for this molecule."""
        return mean_field(build_molecule(structure, SETTINGS), SETTINGS)


def label_one(name: str, structure: Molecule, folder: str) -> str:
    """Compute one molecule, unless its file is there."""
    path = Path(folder) / f"{name}.npz"
    if path.is_file():
        return name
    run = run_scf(build_molecule(structure, SETTINGS), SETTINGS)
    check_converged(run, structure.formula, SETTINGS.conv_tol_ha)
    numbers = np.array([site.specie.Z for site in structure])
    positions = np.asarray(structure.cart_coords)
    box = molecule_box(positions, spacing=SETTINGS.spacing, padding=SETTINGS.padding)
    occupied = run.mf.mo_coeff[:, run.mf.mo_occ > 0] * np.sqrt(2.0)
    values = box_density(run.mf.mol, [occupied], box)[0].astype(np.float32)
    partial = path.with_suffix(f".{os.getpid()}.tmp.npz")
    np.savez(
        partial,
        numbers=numbers,
        positions=positions,
        dm=run.dm,
        values=values,
        origin=box.origin,
        cell=box.cell,
    )
    partial.replace(path)
    return name


def label_all(folder: Path, parts: Groups, *, processes: int | None = None) -> None:
    """Label whatever is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [
        (name, structure, str(folder))
        for part in reversed(parts.values())
        for name, structure in part.items()
        if not (folder / f"{name}.npz").is_file()
    ]
    made = map_parallel(label_one, tasks, n_processes=processes)
    for _ in track(made, "label", total=len(tasks)):
        pass


def read_label(folder: Path, name: str) -> Label:
    """Read a file of :func:`label_one`."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
        wanted = ("numbers", "positions", "dm", "values", "origin", "cell")
        return Label(name=name, **{key: file[key] for key in wanted})


def sample_of(
    label: Label, structure: Molecule, basis: BasisSet, *, target: str, holds: frozenset[str]
) -> Any:
    """Fit a label in a basis and return it as a training sample.

    Parameters
    ----------
    label, structure
        The calculation and its molecule.
    basis
        Shells.
    target
        ``"delta"`` or ``"total"``.
    holds
        What goes along: ``"fit"`` and its metric, ``"grid"``.
    """
    from scdp_models.data.samples import GridLabel, TrainingSample
    from scdp_models.virtual_nodes import bond_midpoints

    if "fit" in holds:
        fitted, metric = fit(label, structure, basis, target=target)
    else:
        fitted, metric = fit_shells(label.numbers, label.positions, basis), None
    weights = np.ones(len(fitted.numbers))
    if basis.has_midpoints:
        midpoints = bond_midpoints(label.numbers, label.positions)
        weights[len(label.numbers) :] = midpoints.weights
    return TrainingSample(
        key=label.name,
        template=fitted,
        weights=weights,
        metric=None if metric is None else metric.astype(np.float32),
        grid=GridLabel(label.values, label.origin, label.cell) if "grid" in holds else None,
    )


def fit(
    label: Label, structure: Molecule, basis: BasisSet, *, target: str
) -> tuple[OrbitalDensity, Any]:
    """Fit the target of a label in the Coulomb metric, its charge held.

    Returns
    -------
    fitted, metric
        The target's shells with coefficients, and their Coulomb matrix (Ha).
    """
    from dataclasses import replace

    from scdp_models.density.coulomb import charge_constrained_fit, coulomb_matrix

    mol = build_molecule(structure, SETTINGS)
    shells = fit_shells(label.numbers, label.positions, basis)
    right = contract_with_density_matrix(mol, shells, label.dm)
    metric = coulomb_matrix(shells)
    charge = float(mol.nelectron)
    if target == "delta":
        atoms = atomic_reference(SETTINGS, ELEMENTS).superposition(label.numbers, label.positions)
        right = right - coulomb_matrix(shells, atoms) @ atoms.coefficients
        charge -= atoms.n_electrons()
    coefficients = charge_constrained_fit(
        metric, right, shells.charges, charge=charge, ridge=_RIDGE
    )
    return replace(shells, coefficients=coefficients), metric
