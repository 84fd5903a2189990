"""Atomic densities of pseudopotential files: as waves exactly, and in Gaussians."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from pymatgen.core import Element

from scdp_flows.dft.plane_waves.wave_list import reciprocal_vectors
from scdp_flows.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from scdp_flows.dft.plane_waves.pseudo import Pseudopotential
    from scdp_flows.dft.plane_waves.settings import PlaneWaveSettings
    from scdp_flows.dft.plane_waves.structure import Crystal
    from scdp_models.density.atomic import AtomicDensity, AtomicReference

__all__ = ["atomic_reference", "form_factor", "given_reference", "superposed_waves"]

# The program integrates to here and no further, bohr.
_RADIUS = 10.0
_EXPONENTS = (0.02, 30.0, 18)
"""Least and largest exponent (bohr^-2) and number of the s Gaussians of an atom."""
_LENGTHS = (15.0, 600)
"""Longest wave (bohr^-1) and number of points of the fit."""
_RIDGE = 1e-11


def form_factor(pseudo: Pseudopotential, lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the transform of an atom's density, in electrons.

    By Simpson's rule on the mesh of the file up to 10 bohr, as the program does.

    Parameters
    ----------
    pseudo
        With an atomic density.
    lengths
        Shape ``(n,)``, bohr^-1.

    Raises
    ------
    SettingsError
        If the file holds no atomic density.
    """
    if pseudo.radii is None or pseudo.steps is None or pseudo.shells is None:
        raise SettingsError(
            f"the pseudopotential {pseudo.name} of {pseudo.symbol} holds no atomic density; give "
            "the spherical atoms of the model by the field `reference` of the code"
        )
    beyond = np.flatnonzero(pseudo.radii > _RADIUS)
    count = int(beyond[0]) + 1 if len(beyond) else len(pseudo.radii)
    count = 2 * ((count + 1) // 2) - 1  # Simpson's rule wants an odd number
    weights = np.ones(count)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    values = weights / 3 * pseudo.steps[:count] * pseudo.shells[:count]
    distinct, places = np.unique(np.round(lengths, 9), return_inverse=True)
    radii = pseudo.radii[:count] / np.pi
    step = max(1, 2**21 // count)
    parts = [
        np.sinc(np.outer(distinct[start : start + step], radii)) @ values
        for start in range(0, len(distinct), step)
    ]
    return np.asarray(np.concatenate(parts)[places])


def superposed_waves(
    crystal: Crystal, settings: PlaneWaveSettings, indices: NDArray[np.int64]
) -> NDArray[np.complex128]:
    """Return the density that Quantum ESPRESSO starts from, scaled to the electron count.

    Parameters
    ----------
    crystal
        The atoms.
    settings
        Name the pseudopotentials.
    indices
        Miller indices ``(n_waves, 3)``, the first of them 0, 0, 0.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_waves,)``, e/bohr^3.

    Raises
    ------
    SettingsError
        If a pseudopotential holds no atomic density.
    """
    lengths = np.linalg.norm(indices @ reciprocal_vectors(crystal.cell_bohr), axis=1)
    fractional = crystal.positions @ np.linalg.inv(crystal.cell)
    symbols = np.array(crystal.symbols)
    total = np.zeros(len(indices), dtype=np.complex128)
    for symbol in np.unique(symbols).tolist():
        phases = np.exp(-2j * np.pi * indices @ fractional[symbols == symbol].T).sum(axis=1)
        total += form_factor(settings.pseudopotential(symbol), lengths) * phases
    return np.asarray(total * (crystal.n_electrons / total[0].real / crystal.volume_bohr))


def atomic_reference(settings: PlaneWaveSettings, elements: Iterable[int]) -> AtomicReference:
    """Return the atoms of the pseudopotential files in s Gaussians.

    Labels, models and seeds all refer to these, so that what the Gaussians miss of the file's
    density (some 1e-4 of the electrons) becomes part of what is fitted. Noise of short waves that
    coarse meshes have is left behind.

    Parameters
    ----------
    settings
        Name the pseudopotentials.
    elements
        Atomic numbers.

    Raises
    ------
    SettingsError
        If a pseudopotential holds no atomic density.
    """
    from scdp_models.density.atomic import AtomicReference

    numbers = sorted({int(z) for z in elements})
    files = {z: settings.pseudopotential(Element.from_Z(z).symbol) for z in numbers}
    name = "atoms of " + ", ".join(pseudo.name for pseudo in files.values())
    return AtomicReference(name, {z: _fitted(pseudo) for z, pseudo in files.items()})


def given_reference(document: Mapping[str, Any], elements: Iterable[int]) -> AtomicReference:
    """Return some of the atoms that the user has given.

    Parameters
    ----------
    document
        From ``AtomicReference.to_dict``.
    elements
        Atomic numbers.

    Raises
    ------
    SettingsError
        If the document is damaged or lacks an element.
    """
    from scdp_models.density.atomic import AtomicReference
    from scdp_models.errors import ScdpModelsError

    try:
        reference = AtomicReference.from_dict(document)
        wanted = {int(z): reference.atom(z) for z in set(elements)}
    except ScdpModelsError as error:
        raise SettingsError(f"field reference: {error}") from error
    return AtomicReference(reference.name, wanted)


@lru_cache(maxsize=128)
def _fitted(pseudo: Pseudopotential) -> AtomicDensity:
    """Fit form factors: each interval of G counts the same in the Coulomb energy of an atom."""
    from scdp_models.basis.shells import shell_charge
    from scdp_models.density.atomic import AtomicDensity
    from scdp_models.density.coulomb import charge_constrained_fit

    lengths = np.linspace(0.0, *_LENGTHS)
    exact = form_factor(pseudo, lengths)
    exact *= pseudo.n_electrons / exact[0]
    exponents = np.geomspace(*_EXPONENTS)
    charges = shell_charge(0, exponents)
    functions = charges * np.exp(-(lengths[:, None] ** 2) / (4 * exponents))
    # The plain square of the density counts too, by G^2: it is what is seen on a grid.
    weights = (1 + lengths**2)[:, None]
    coefficients = charge_constrained_fit(
        functions.T @ (weights * functions),
        functions.T @ (weights[:, 0] * exact),
        charges,
        charge=pseudo.n_electrons,
        ridge=_RIDGE,
    )
    return AtomicDensity(
        pseudo.n_electrons, tuple(exponents.tolist()), tuple(coefficients.tolist())
    )
