"""Find the spherical atoms whose superposition is closest to a set of densities.

They stand in for the atoms of a program that is not at hand. Each element has a few s Gaussians,
fitted to all densities at once in the Coulomb metric, and holds its valence electrons exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scdp_flows.dft.grids.waves import as_box, grid_waves
from scdp_flows.errors import DatasetError
from scdp_flows.schemas.identity import symbols

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from scdp_flows.density import ChargeDensity
    from scdp_models.density.atomic import AtomicReference

__all__ = ["AtomProjection", "atoms_of", "project_atoms", "solve_atoms", "valence_electrons"]

_NAME = "spherical atoms fitted to the densities of a store"
# bohr^-2, each twice the one before: widths from 0.2 to 1.9 bohr.
_EXPONENTS = tuple(0.14 * 2.0**n for n in range(7))
_RIDGE = 1e-6
# Integrals of real CHGCARs are whole within 2e-4.
_WHOLE = 0.05
_SMALL = 1e-8
_PERIODIC = (True, True, True)
_GIVE = 'give them as the setting electrons, such as {"Na": 1}; the pseudopotentials tell'


class AtomProjection(NamedTuple):
    """What one density says about atoms: a quadratic form in the coefficients of each element."""

    numbers: tuple[int, ...]
    """Atomic numbers."""
    metric: NDArray[np.float64]
    """(n_elements * 7, n_elements * 7), Ha for each atom of the structure."""
    right: NDArray[np.float64]
    """(n_elements * 7,), Ha for each atom of the structure."""


def valence_electrons(
    counts: Sequence[tuple[Mapping[int, int], float]], given: Mapping[int, float]
) -> dict[int, float]:
    """Find the valence electrons of each element that sets of atoms hold.

    Parameters
    ----------
    counts
        Number of atoms by atomic number, and electrons, of neutral structures.
    given
        Electrons of elements that are known already.

    Raises
    ------
    DatasetError
        If the structures do not tell, or contradict each other.
    """
    unknown = sorted({z for atoms, _ in counts for z in atoms} - set(given))
    if not unknown:
        return dict(given)
    matrix = np.array([[atoms.get(z, 0) for z in unknown] for atoms, _ in counts], dtype=float)
    rest = [n - sum(given.get(z, 0.0) * count for z, count in a.items()) for a, n in counts]
    vague = _undetermined(matrix)
    if vague.any():
        names = ", ".join(symbols(np.array(unknown)[vague]))
        raise DatasetError(
            f"the densities do not tell how many valence electrons each of {names} has, since some "
            f"always occur together; {_GIVE}"
        )
    solution: NDArray[np.float64] = np.linalg.lstsq(matrix, np.array(rest), rcond=None)[0]
    found = np.round(solution)
    missed = np.abs(matrix @ found - rest)
    if missed.max() > _WHOLE or (found <= 0).any() or (found > unknown).any():
        tried = ", ".join(f"{name}={n:g}" for name, n in zip(symbols(unknown), found, strict=True))
        raise DatasetError(
            f"no valence electrons of the elements explain what all densities hold: {tried} come "
            f"closest, and {int((missed > _WHOLE).sum())} densities hold others; some are ions or "
            f"of other pseudopotentials: leave them out, or {_GIVE}"
        )
    return {**given, **dict(zip(unknown, found.tolist(), strict=True))}


def _undetermined(matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell of each column whether its unknown can change while no row does."""
    _, sizes, rows = np.linalg.svd(matrix)
    rank = int((sizes > _SMALL * sizes.max()).sum())
    changes: NDArray[np.bool_] = (np.abs(rows[rank:]) > _SMALL).any(axis=0)
    return changes


def atoms_of(document: Mapping[str, Any]) -> AtomicReference:
    """Return the atoms of a document, as ``AtomicReference.to_dict`` wrote it."""
    from scdp_models.density.atomic import AtomicReference

    return AtomicReference.from_dict(document)


def project_atoms(density: ChargeDensity, known: AtomicReference) -> AtomProjection | None:
    """Project what the known atoms leave of a density onto those that are not known.

    Parameters
    ----------
    density
        The density.
    known
        Atoms that are there already.

    Returns
    -------
    AtomProjection or None
        None if all elements are known.
    """
    from scdp_models.basis.shells import BasisSet, ElementBasis
    from scdp_models.data.periodic import HalfSphere, wave_projection
    from scdp_models.density.fourier import rho_g
    from scdp_models.density.orbital import OrbitalDensity

    crystal = as_box(density, density.integral())
    numbers, positions, cell = crystal.numbers, crystal.positions, crystal.cell
    is_new = ~np.isin(numbers, list(known.atoms))
    elements = np.unique(numbers[is_new])
    if not len(elements):
        return None
    waves = grid_waves(density)
    half = _one_of_each_pair(waves.indices)
    sphere = HalfSphere.of(waves.indices[half], cell)
    target = waves.components[0][half] * crystal.volume_bohr
    if not is_new.all():
        others = known.superposition(numbers[~is_new], positions[~is_new], cell, _PERIODIC)
        target = target - rho_g(others, sphere.miller)
    s_shells = ElementBasis((0,) * len(_EXPONENTS), _EXPONENTS)
    basis = BasisSet("atoms", dict.fromkeys(elements.tolist(), s_shells))
    shells = OrbitalDensity.from_basis(
        basis, numbers[is_new], positions[is_new], cell=cell, pbc=_PERIODIC
    )
    metric, right = wave_projection(shells, sphere, target)
    # Every atom of an element has the same coefficients.
    place = np.searchsorted(elements, numbers[is_new])
    kinds = (place[:, None] * len(_EXPONENTS) + np.arange(len(_EXPONENTS))).ravel()
    share = np.zeros((len(kinds), len(elements) * len(_EXPONENTS)))
    share[np.arange(len(kinds)), kinds] = len(numbers) ** -0.5
    return AtomProjection(
        tuple(elements.tolist()),
        share.T @ metric @ share,
        share.T @ right * len(numbers) ** -0.5,
    )


def solve_atoms(
    projections: Iterable[AtomProjection], valences: Mapping[int, float], known: AtomicReference
) -> AtomicReference:
    """Return the atoms that are closest to all densities, beside those that are known.

    Parameters
    ----------
    projections
        Of the densities.
    valences
        Electrons by atomic number.
    known
        Atoms that stay as they are.
    """
    from scdp_models.basis.shells import shell_charge
    from scdp_models.density.atomic import AtomicDensity, AtomicReference

    n_each, parts = len(_EXPONENTS), list(projections)
    elements = sorted({z for part in parts for z in part.numbers})
    size = n_each * len(elements)
    metric, right = np.zeros((size, size)), np.zeros(size)
    for part in parts:
        places = np.concatenate(
            [elements.index(z) * n_each + np.arange(n_each) for z in part.numbers]
        )
        metric[np.ix_(places, places)] += part.metric
        right[places] += part.right
    charges = np.asarray(shell_charge(0, _EXPONENTS))
    held = np.kron(np.eye(len(elements)), charges)
    # The sum of squares with the electrons of each element held: a linear system with multipliers.
    scale = np.diag(metric).mean() / (charges @ charges)
    system = np.block([
        [metric + _RIDGE * np.diag(np.diag(metric)), scale * held.T],
        [scale * held, np.zeros((len(elements),) * 2)],
    ])  # fmt: skip
    wanted = scale * np.array([valences[z] for z in elements])
    found = np.linalg.solve(system, np.concatenate([right, wanted]))[:size]
    atoms = dict(known.atoms)
    for z, coefficients in zip(elements, found.reshape(-1, n_each), strict=True):
        # What rounding leaves goes to the widest shell.
        coefficients[0] += (valences[z] - charges @ coefficients) / charges[0]
        atoms[z] = AtomicDensity(valences[z], _EXPONENTS, tuple(coefficients.tolist()))
    return AtomicReference(known.name or _NAME, atoms)


def _one_of_each_pair(indices: NDArray[np.int64]) -> NDArray[np.bool_]:
    i, j, k = indices.T
    half: NDArray[np.bool_] = (i > 0) | ((i == 0) & ((j > 0) | ((j == 0) & (k > 0))))
    return half
