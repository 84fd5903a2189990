"""Superposition of spherical atoms: the baseline and the reference of the delta target."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from scdp_models.basis.shells import BasisSet, ElementBasis, shell_charge
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.errors import BasisError, DensityError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["AtomicDensity", "AtomicReference"]


@dataclass(frozen=True)
class AtomicDensity:
    """One spherical neutral atom in s Gaussians.

    Attributes
    ----------
    n_electrons
        Electrons of the neutral atom in the kind's convention (valence or all).
    exponents
        bohr^-2.
    coefficients
        Of L2-normalised s functions; their charges sum to `n_electrons` exactly.
    """

    n_electrons: float
    exponents: tuple[float, ...]
    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        charge = float(shell_charge(0, self.exponents) @ np.asarray(self.coefficients))
        if not abs(charge - self.n_electrons) <= 1e-8 * max(1.0, self.n_electrons):
            msg = f"atomic density integrates to {charge}, expected {self.n_electrons} electrons"
            raise DensityError(msg)


@dataclass(frozen=True)
class AtomicReference:
    """Spherical atoms of one density kind; their superposition is the ``atomic`` predictor.

    Attributes
    ----------
    name
        How the atoms were made, for example ``"PySCF PBE/GTH-PBE fractional-occupation atoms"``.
    atoms
        Atomic number → :class:`AtomicDensity`.

    Examples
    --------
    >>> charge = float(shell_charge(0, 1.0))
    >>> hydrogen = AtomicDensity(1.0, (1.0,), (1.0 / charge,))
    >>> reference = AtomicReference("example", {1: hydrogen})
    >>> round(reference.superposition([1, 1], [[0, 0, 0], [0, 0, 0.74]]).n_electrons(), 6)
    2.0
    """

    name: str
    atoms: Mapping[int, AtomicDensity] = field(hash=False)

    def __post_init__(self) -> None:
        ordered = dict(sorted((int(z), atom) for z, atom in self.atoms.items()))
        object.__setattr__(self, "atoms", MappingProxyType(ordered))

    def __reduce__(self) -> tuple[type[AtomicReference], tuple[str, dict[int, AtomicDensity]]]:
        """Pickle through the constructor: worker processes receive references."""
        return AtomicReference, (self.name, dict(self.atoms))

    def atom(self, number: int) -> AtomicDensity:
        """Return the atom of one element.

        Raises
        ------
        BasisError
            If there is none; the message lists what there is.
        """
        try:
            return self.atoms[int(number)]
        except KeyError:
            known = ", ".join(map(str, self.atoms))
            msg = (
                f"no atomic reference density for atomic number {int(number)} (there are {known}); "
                "use a model trained on this element"
            )
            raise BasisError(msg) from None

    @property
    def basis(self) -> BasisSet:
        """The s shells as a basis set."""
        species = {
            z: ElementBasis((0,) * len(atom.exponents), atom.exponents)
            for z, atom in self.atoms.items()
        }
        return BasisSet(self.name, species)

    def n_electrons(self, numbers: ArrayLike) -> float:
        """Return the electrons of the neutral structure."""
        return float(sum(self.atom(z).n_electrons for z in np.asarray(numbers, dtype=int)))

    def superposition(
        self,
        numbers: ArrayLike,
        positions: ArrayLike,
        cell: ArrayLike | None = None,
        pbc: Sequence[bool] = (False, False, False),
    ) -> OrbitalDensity:
        """Return the superposition of atomic densities.

        Parameters
        ----------
        numbers, positions
            Shapes ``(n,)`` and ``(n, 3)`` (Å); species 0 (bond midpoints) is passed over.
        cell, pbc
            As in :class:`OrbitalDensity`.
        """
        numbers = np.asarray(numbers, dtype=np.int64)
        real = numbers > 0
        coefficients: NDArray[np.float64] = np.concatenate(
            [np.asarray(self.atom(z).coefficients) for z in numbers[real]] or [np.zeros(0)]
        )
        return OrbitalDensity.from_basis(
            self.basis,
            numbers[real],
            np.asarray(positions, dtype=float).reshape(-1, 3)[real],
            coefficients=coefficients,
            cell=cell,
            pbc=pbc,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON document."""
        atoms = {
            str(z): {
                "n_electrons": atom.n_electrons,
                "exponents": list(atom.exponents),
                "coefficients": list(atom.coefficients),
            }
            for z, atom in self.atoms.items()
        }
        return {"name": self.name, "atoms": atoms}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> AtomicReference:
        """Rebuild a reference from :meth:`to_dict`.

        Raises
        ------
        DensityError
            If the document lacks a field or an atom does not hold its electrons.
        """
        try:
            atoms = {
                int(z): AtomicDensity(
                    float(atom["n_electrons"]),
                    tuple(float(a) for a in atom["exponents"]),
                    tuple(float(c) for c in atom["coefficients"]),
                )
                for z, atom in document["atoms"].items()
            }
            return cls(str(document["name"]), atoms)
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"not an atomic reference document: {error!r}; expected keys 'name' and 'atoms'"
            raise DensityError(msg) from error
