"""Shells of primitive spherical Gaussians, grouped per species.

A function of degree l and exponent a (bohr^-2) is N_l(a) r^l Y_lm exp(-a r^2), normalised so that
its square integrates to one (r in bohr).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaln

from scdp_models.errors import BasisError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = ["MIDPOINT", "BasisSet", "ElementBasis", "radial_norm", "shell_charge"]

MIDPOINT = 0
"""Species number of a virtual orbital centre at a bond midpoint."""


def radial_norm(ls: ArrayLike, exponents: ArrayLike) -> NDArray[np.float64]:
    """Return N_l(a) = [2 (2a)^(l + 3/2) / Gamma(l + 3/2)]^(1/2), in bohr^(-l - 3/2).

    Parameters
    ----------
    ls, exponents
        Degrees and exponents (bohr^-2) of matching shape.
    """
    power = np.asarray(ls, dtype=float) + 1.5
    logarithm = np.log(2.0) + power * np.log(2 * np.asarray(exponents, float)) - gammaln(power)
    return np.asarray(np.exp(0.5 * logarithm))


def shell_charge(ls: ArrayLike, exponents: ArrayLike) -> NDArray[np.float64]:
    """Return the integral of the m = 0 function of each shell, which is zero unless l = 0."""
    ls, exponents = np.asarray(ls), np.asarray(exponents, dtype=float)
    s_charge = radial_norm(0, exponents) * (np.pi / exponents) ** 1.5 / np.sqrt(4 * np.pi)
    return np.where(ls == 0, s_charge, 0.0)


@dataclass(frozen=True)
class ElementBasis:
    """Shells of one species.

    Attributes
    ----------
    ls
        Degree of each shell, ascending.
    exponents
        Exponent of each shell in bohr^-2.
    """

    ls: tuple[int, ...]
    exponents: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.ls) != len(self.exponents) or not self.ls:
            msg = f"{len(self.ls)} degrees for {len(self.exponents)} exponents; each shell has one"
            raise BasisError(msg)
        if any(a <= 0 or not np.isfinite(a) for a in self.exponents):
            msg = f"exponents must be positive and finite, found {min(self.exponents)}"
            raise BasisError(msg)
        if list(self.ls) != sorted(self.ls) or self.ls[0] < 0:
            msg = f"shells must be sorted by degree (0 or more), found {self.ls}"
            raise BasisError(msg)

    @property
    def n_shells(self) -> int:
        """Number of shells."""
        return len(self.ls)

    @property
    def n_functions(self) -> int:
        """Number of functions, 2 l + 1 for each shell."""
        return sum(2 * l + 1 for l in self.ls)

    def count(self, l: int) -> int:
        """Return how many shells have degree `l`."""
        return self.ls.count(l)


@dataclass(frozen=True)
class BasisSet:
    """A named set of :class:`ElementBasis`, one per atomic number.

    Attributes
    ----------
    name
        Says how the set was made, for example ``"lean-b2.0"``.
    species
        Atomic number → shells. Species 0, where present, is the set on bond midpoints.

    Examples
    --------
    >>> basis = BasisSet("s only", {1: ElementBasis((0,), (0.5,))})
    >>> basis.for_species(1).n_functions
    1
    """

    name: str
    species: Mapping[int, ElementBasis] = field(hash=False)

    def __post_init__(self) -> None:
        ordered = dict(sorted((int(z), shells) for z, shells in self.species.items()))
        object.__setattr__(self, "species", MappingProxyType(ordered))

    def __reduce__(self) -> tuple[type[BasisSet], tuple[str, dict[int, ElementBasis]]]:
        """Pickle through the constructor: worker processes receive basis sets."""
        return BasisSet, (self.name, dict(self.species))

    @property
    def has_midpoints(self) -> bool:
        """Whether virtual orbitals sit at bond midpoints."""
        return MIDPOINT in self.species

    @property
    def lmax(self) -> int:
        """Highest degree of any shell."""
        return max(max(shells.ls) for shells in self.species.values())

    def for_species(self, number: int) -> ElementBasis:
        """Return the shells of one species.

        Raises
        ------
        BasisError
            If the set has none for it; the message lists what it has.
        """
        try:
            return self.species[int(number)]
        except KeyError:
            known = ", ".join(map(str, self.species))
            msg = (
                f"basis {self.name!r} has no shells for atomic number {int(number)} (it has "
                f"{known}); use a basis, or a model trained with one, that covers this element"
            )
            raise BasisError(msg) from None

    def restricted_to(self, numbers: Iterable[int]) -> BasisSet:
        """Return the set for the given species only (midpoints are kept)."""
        wanted = {int(z) for z in numbers} | ({MIDPOINT} & set(self.species))
        return BasisSet(self.name, {z: self.for_species(z) for z in wanted})

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON document."""
        species = {
            str(z): {"ls": list(shells.ls), "exponents": list(shells.exponents)}
            for z, shells in self.species.items()
        }
        return {"name": self.name, "species": species}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> BasisSet:
        """Rebuild a set from :meth:`to_dict`.

        Raises
        ------
        BasisError
            If the document lacks a field or holds impossible shells.
        """
        try:
            species = {
                int(z): ElementBasis(
                    tuple(int(l) for l in shells["ls"]),
                    tuple(float(a) for a in shells["exponents"]),
                )
                for z, shells in document["species"].items()
            }
            return cls(str(document["name"]), species)
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"not a basis set document: {error!r}; expected keys 'name' and 'species'"
            raise BasisError(msg) from error
