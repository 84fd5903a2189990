"""Say which physical quantity a density is, and which densities may be mixed."""

from __future__ import annotations

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from scdp_flows.errors import DensityError, KindMismatchError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DensityKind", "KindWarning"]

# Distance of the converged densities of two bases, NMAE in percent: same pseudopotential (GTH-PBE),
# functional (PBE), molecules and grid, the larger basis being the reference.
_BASIS_DIFFERENCES = {
    frozenset({"gth-dzvp", "gth-qzv3p"}): 1.9,
    frozenset({"gth-dzvp-molopt-sr", "gth-qzv3p"}): 0.95,
    frozenset({"gth-tzv2p", "gth-qzv3p"}): 0.6,
}

_CHOICES = {"electrons": ("valence", "all"), "spin": ("restricted", "unrestricted")}


class KindWarning(UserWarning):
    """Warn that two densities are comparable, with a known or unknown systematic difference."""


@dataclass(frozen=True)
class DensityKind:
    """Say which physical quantity a density is.

    Examples
    --------
    >>> kind = DensityKind("valence", "gth-pbe", "pbe", "gth-dzvp-molopt-sr")
    >>> kind == DensityKind.from_dict(kind.as_dict())
    True
    """

    electrons: str
    """``"valence"`` or ``"all"``."""
    pseudopotential: str
    """Name of the pseudopotential or PAW set; ``"none"`` for all electrons."""
    functional: str
    """Exchange-correlation functional."""
    basis: str
    """Basis set, or the cut-off of a plane-wave calculation."""
    spin: str = "restricted"
    """``"restricted"`` or ``"unrestricted"``."""
    code: str = ""
    """The program that made it: provenance, which makes no difference of kind."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises
        ------
        DensityError
            If ``electrons`` or ``spin`` are none of the known words.
        """
        for name, known in _CHOICES.items():
            found = getattr(self, name)
            if found not in known:
                raise DensityError(f"{name}={found!r} of a density kind; expected one of {known}")

    def as_dict(self) -> dict[str, str]:
        """Return the fields as plain JSON strings."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DensityKind:
        """Build a kind from what ``as_dict`` returned.

        Raises
        ------
        DensityError
            If fields are missing or unknown.
        """
        # Keys such as "@module" are added by serialisers.
        given = {key: str(value) for key, value in data.items() if not key.startswith("@")}
        try:
            return cls(**given)
        except TypeError as error:
            known = ", ".join(field.name for field in fields(cls))
            raise DensityError(
                f"{sorted(given)} are not the fields of a density kind; expected {known}"
            ) from error

    def key(self) -> str:
        """Return 16 hexadecimal digits that are equal for equal kinds, whatever the code."""
        relevant = {name: _plain(value) for name, value in asdict(self).items() if name != "code"}
        text = json.dumps(relevant, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def check_compatible(self, other: DensityKind) -> None:
        """Refuse to mix densities of different physical quantities.

        A difference of the basis alone is legitimate and warned of with its size, where that is
        known. Spin treatment and code make no difference here.

        Raises
        ------
        KindMismatchError
            If electrons, pseudopotential or functional differ.

        Warns
        -----
        KindWarning
            If only the basis differs.
        """
        different = [
            f"{name} ({getattr(self, name)!r} against {getattr(other, name)!r})"
            for name in ("electrons", "pseudopotential", "functional")
            if _plain(getattr(self, name)) != _plain(getattr(other, name))
        ]
        if different:
            raise KindMismatchError(
                f"the densities differ in {', '.join(different)}; they describe different "
                "quantities: use labels, models and calculations of one kind"
            )
        if _plain(self.basis) != _plain(other.basis):
            percent = self.known_basis_difference(self.basis, other.basis)
            size = "of unknown size" if percent is None else f"of about {percent} % NMAE"
            warnings.warn(
                f"the bases {self.basis!r} and {other.basis!r} differ; expect a systematic "
                f"difference {size} between their densities",
                KindWarning,
                stacklevel=2,
            )

    @staticmethod
    def known_basis_difference(a: str, b: str) -> float | None:
        """Return the measured NMAE in percent between the densities of two bases.

        Returns
        -------
        float or None
            Zero for one and the same basis; None where it was not measured.
        """
        pair = frozenset({_plain(a), _plain(b)})
        return 0.0 if len(pair) == 1 else _BASIS_DIFFERENCES.get(pair)


def _plain(name: str) -> str:
    """Return a name without the freedom of spelling that codes and people take."""
    return name.strip().casefold().replace("_", "-")
