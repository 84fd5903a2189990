"""The density a model predicts: centres, Gaussian shells and coefficients."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from scdp_models.basis.shells import radial_norm, shell_charge
from scdp_models.errors import DensityError
from scdp_models.harmonics import real_harmonics, sphere_quadrature
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from scdp_models.basis.shells import BasisSet

__all__ = ["OrbitalDensity", "rotation_matrix"]


def rotation_matrix(l: int, rotation: ArrayLike) -> NDArray[np.float64]:
    """Return D with Y_l(R v) = D Y_l(v) for an orthogonal matrix R (proper or not).

    Parameters
    ----------
    l
        Degree.
    rotation
        Orthogonal matrix of shape ``(3, 3)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(2 l + 1, 2 l + 1)``.
    """
    points, weights = sphere_quadrature(l + 1, 2 * l + 1)
    block = slice(l * l, (l + 1) ** 2)
    before = real_harmonics(points, l)[:, block]
    after = real_harmonics(points @ np.asarray(rotation, float).T, l)[:, block]
    return np.asarray((after * weights[:, None]).T @ before)


@dataclass(frozen=True)
class OrbitalDensity:
    """A density expanded in atom-centred (and bond-centred) Gaussian shells.

    rho(r) [e/bohr^3] = sum over shells and m of c_km N_l(a) d^l Y_lm exp(-a d^2), with d the
    vector from the shell's centre in bohr; see :mod:`scdp_models.basis.shells`.

    Attributes
    ----------
    numbers
        Shape ``(n_centres,)``: atomic numbers, 0 for a virtual orbital centre.
    positions
        Shape ``(n_centres, 3)``, Å.
    shell_centres, shell_ls, shell_exponents
        Shape ``(n_shells,)``: index of the centre, degree, exponent in bohr^-2.
    coefficients
        Shape ``(n_functions,)``: shell after shell, m = -l..l inside a shell.
    cell
        Shape ``(3, 3)``, Å, rows are lattice vectors; None for a molecule.
    pbc
        Periodicity along each lattice vector.
    """

    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]
    shell_centres: NDArray[np.int64]
    shell_ls: NDArray[np.int64]
    shell_exponents: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    cell: NDArray[np.float64] | None = None
    pbc: tuple[bool, bool, bool] = (False, False, False)

    def __post_init__(self) -> None:
        for name in ("numbers", "shell_centres", "shell_ls"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.int64))
        for name in ("positions", "shell_exponents", "coefficients"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        if self.cell is not None:
            object.__setattr__(self, "cell", np.asarray(self.cell, dtype=np.float64))
        object.__setattr__(self, "pbc", tuple(bool(p) for p in self.pbc))
        self._check()

    def _check(self) -> None:
        n_centres, n_shells = len(self.numbers), len(self.shell_ls)
        n_functions = int((2 * self.shell_ls + 1).sum())
        shapes = {
            "positions": (n_centres, 3),
            "shell_centres": (n_shells,),
            "shell_exponents": (n_shells,),
            "coefficients": (n_functions,),
        }
        for name, expected in shapes.items():
            found = getattr(self, name).shape
            if found != expected:
                msg = f"field {name!r} has shape {found}, expected {expected}"
                raise DensityError(msg)
            if not np.isfinite(getattr(self, name)).all():
                msg = f"field {name!r} holds NaN or infinity; the density cannot be used"
                raise DensityError(msg)
        if n_shells and not 0 <= self.shell_centres.min() <= self.shell_centres.max() < n_centres:
            msg = f"shell_centres points outside the {n_centres} centres"
            raise DensityError(msg)
        if n_shells and not self.shell_exponents.min() > 0:
            msg = f"exponents must be positive, found {self.shell_exponents.min()} bohr^-2"
            raise DensityError(msg)
        self._check_cell()

    def _check_cell(self) -> None:
        if self.cell is not None and (
            self.cell.shape != (3, 3) or not np.isfinite(self.cell).all()
        ):
            msg = f"cell is {self.cell.tolist()}, expected finite values of shape (3, 3) in Å"
            raise DensityError(msg)
        if len(self.pbc) != 3:
            msg = f"pbc has {len(self.pbc)} entries, expected one for each lattice vector"
            raise DensityError(msg)
        if any(self.pbc) and self.cell is None:
            msg = f"pbc is {self.pbc} but there is no cell; give cell (3, 3) in Å"
            raise DensityError(msg)

    @classmethod
    def from_basis(
        cls,
        basis: BasisSet,
        numbers: ArrayLike,
        positions: ArrayLike,
        *,
        coefficients: ArrayLike | None = None,
        cell: ArrayLike | None = None,
        pbc: Sequence[bool] = (False, False, False),
    ) -> OrbitalDensity:
        """Place the shells of a basis on a structure.

        Parameters
        ----------
        basis
            Must cover every species in `numbers`.
        numbers, positions
            Shapes ``(n,)`` and ``(n, 3)`` (Å).
        coefficients
            Shape ``(n_functions,)``; zeros when left out.
        cell, pbc
            As in the class.
        """
        numbers = np.asarray(numbers, dtype=np.int64)
        sets = [basis.for_species(z) for z in numbers]
        centres = np.repeat(np.arange(len(sets)), [s.n_shells for s in sets])
        ls = np.array([l for s in sets for l in s.ls], dtype=np.int64)
        exponents = np.array([a for s in sets for a in s.exponents])
        if coefficients is None:
            coefficients = np.zeros(int((2 * ls + 1).sum()))
        return cls(
            numbers=numbers,
            positions=np.asarray(positions, dtype=float),
            shell_centres=centres,
            shell_ls=ls,
            shell_exponents=exponents,
            coefficients=np.asarray(coefficients, dtype=float),
            cell=None if cell is None else np.asarray(cell, dtype=float),
            pbc=(bool(pbc[0]), bool(pbc[1]), bool(pbc[2])),
        )

    @property
    def n_functions(self) -> int:
        """Number of basis functions."""
        return len(self.coefficients)

    @property
    def shell_offsets(self) -> NDArray[np.int64]:
        """First function of each shell, shape ``(n_shells,)``."""
        sizes = 2 * self.shell_ls + 1
        return np.asarray(np.cumsum(sizes) - sizes)

    @property
    def shell_positions_bohr(self) -> NDArray[np.float64]:
        """Centre of each shell in bohr, shape ``(n_shells, 3)``."""
        return self.positions[self.shell_centres] / BOHR_TO_ANGSTROM

    @property
    def charges(self) -> NDArray[np.float64]:
        """Integral of each function in electrons, shape ``(n_functions,)``."""
        out = np.zeros(self.n_functions)
        s_shells = self.shell_ls == 0
        exponents = self.shell_exponents[s_shells]
        out[self.shell_offsets[s_shells]] = shell_charge(0, exponents)
        return out

    def n_electrons(self) -> float:
        """Return the integral of the density (per cell when periodic)."""
        return float(self.charges @ self.coefficients)

    def dipole(self) -> NDArray[np.float64]:
        """Return the first moment of the electrons about the origin, shape ``(3,)``, in e Å.

        Electrons count positive. The s functions contribute charge times position, the p
        functions N_1(a) sqrt(3/(4 pi)) (pi/a)^(3/2) / (2a) along (y, z, x).
        """
        weights = self.charges * self.coefficients
        centres = np.repeat(self.shell_centres, 2 * self.shell_ls + 1)
        total = weights @ self.positions[centres]
        p_shells = np.flatnonzero(self.shell_ls == 1)
        a = self.shell_exponents[p_shells]
        moment = radial_norm(1, a) * np.sqrt(3 / (4 * np.pi)) * (np.pi / a) ** 1.5 / (2 * a)
        columns = self.shell_offsets[p_shells][:, None] + np.array([2, 0, 1])
        total += BOHR_TO_ANGSTROM * (moment[:, None] * self.coefficients[columns]).sum(0)
        return np.asarray(total)

    def __add__(self, other: OrbitalDensity) -> OrbitalDensity:
        """Superpose two densities of one cell by putting their shells side by side."""
        if not self._has_cell_of(other):
            msg = "the two densities have different cells or periodicity and cannot be added"
            raise DensityError(msg)
        numbers, positions, shift = self.numbers, self.positions, len(self.numbers)
        if np.array_equal(numbers, other.numbers) and np.array_equal(positions, other.positions):
            shift = 0
        else:
            numbers = np.concatenate([numbers, other.numbers])
            positions = np.concatenate([positions, other.positions])
        return replace(
            self,
            numbers=numbers,
            positions=positions,
            shell_centres=np.concatenate([self.shell_centres, other.shell_centres + shift]),
            shell_ls=np.concatenate([self.shell_ls, other.shell_ls]),
            shell_exponents=np.concatenate([self.shell_exponents, other.shell_exponents]),
            coefficients=np.concatenate([self.coefficients, other.coefficients]),
        )

    def _has_cell_of(self, other: OrbitalDensity) -> bool:
        if (self.cell is None) != (other.cell is None) or self.pbc != other.pbc:
            return False
        if self.cell is None or other.cell is None:
            return True
        return bool(np.allclose(self.cell, other.cell, atol=1e-8))

    def __sub__(self, other: OrbitalDensity) -> OrbitalDensity:
        """Return the difference density; coefficients are subtracted where the shells agree."""
        same = self._has_cell_of(other) and all(
            np.array_equal(getattr(self, f), getattr(other, f))
            for f in ("positions", "shell_centres", "shell_ls", "shell_exponents")
        )
        if same:
            return replace(self, coefficients=self.coefficients - other.coefficients)
        return self + other.scaled(-1.0)

    def scaled(self, factor: float) -> OrbitalDensity:
        """Return the density times a number."""
        return replace(self, coefficients=factor * self.coefficients)

    def translated(self, vector: ArrayLike) -> OrbitalDensity:
        """Return the density moved by `vector` (3 values, Å)."""
        return replace(self, positions=self.positions + np.asarray(vector, dtype=float))

    def rotated(self, rotation: ArrayLike) -> OrbitalDensity:
        """Return the density rotated (or reflected) about the origin.

        Parameters
        ----------
        rotation
            Orthogonal matrix R, shape ``(3, 3)``: the result at R r is this density at r.
        """
        matrix = np.asarray(rotation, dtype=float)
        coefficients = self.coefficients.copy()
        for l in np.unique(self.shell_ls):
            rows = self.shell_offsets[self.shell_ls == l][:, None] + np.arange(2 * l + 1)
            coefficients[rows] = self.coefficients[rows] @ rotation_matrix(int(l), matrix).T
        return replace(
            self,
            positions=self.positions @ matrix.T,
            coefficients=coefficients,
            cell=None if self.cell is None else self.cell @ matrix.T,
        )

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the fields as plain arrays, ready for a blob."""
        arrays = {
            f.name: np.asarray(getattr(self, f.name)) for f in fields(self) if f.name != "cell"
        }
        if self.cell is not None:
            arrays["cell"] = self.cell
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> OrbitalDensity:
        """Rebuild a density from :meth:`to_arrays`.

        Raises
        ------
        DensityError
            If a field is missing or the arrays do not belong together.
        """
        names = {f.name for f in fields(cls)}
        missing = names - set(arrays) - {"cell"}
        if missing:
            msg = f"arrays lack {sorted(missing)}; write them with OrbitalDensity.to_arrays"
            raise DensityError(msg)
        kept = {name: arrays[name] for name in names if name in arrays}
        return cls(**kept)  # type: ignore[arg-type]
