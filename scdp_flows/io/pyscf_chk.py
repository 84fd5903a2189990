"""Read densities from the checkpoint files of PySCF.

The file holds orbitals, which PySCF evaluates: on a uniform grid if the atoms have
pseudopotentials, on atom-centred points otherwise, since no uniform grid holds cores. The molecule
is rebuilt from its integral tables: PySCF's own loader would run the text in the file as Python.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scdp_flows.density import ChargeDensity, PointDensity
from scdp_flows.errors import DensityFormatError, MissingDependencyError
from scdp_flows.io.box import molecule_box
from scdp_flows.io.elements import atomic_number
from scdp_flows.io.hdf5 import HDF5_SIGNATURE, Hdf5File, holds, open_hdf5
from scdp_flows.io.reading import COPY_ANEW
from scdp_flows.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["PyscfChkFormat", "read_pyscf_grid", "read_pyscf_points"]

_SPACING = 0.16
_PADDING = 4.0
_LEVEL = 3
_BLOCK = 20_000
_LARGEST_L = 8
# Orbitals of a converged calculation are orthonormal to 1e-8.
_ORTHONORMAL = 1e-4
_HELIUM = 2
# Columns of PySCF's integral tables.
_CHARGE, _PLACE = 0, 1
_ATOM, _L, _PRIMITIVES, _CONTRACTIONS, _EXPONENTS, _COEFFICIENTS = 0, 1, 2, 3, 5, 6


@dataclass(frozen=True)
class PyscfChkFormat:
    """Make checkpoint files of molecules known to ``read_density``."""

    def sniff(self, head: str) -> bool:
        """Tell by its first bytes whether a file may be of this format."""
        return head.startswith(HDF5_SIGNATURE)

    def confirms(self, path: str | os.PathLike[str]) -> bool:
        """Tell by what a file holds whether it is of this format."""
        return holds(path, "mol", "scf/mo_coeff", "scf/mo_occ")

    def read(self, path: str | os.PathLike[str]) -> ChargeDensity:
        """Read a file."""
        return read_pyscf_grid(path)


class _Orbitals(NamedTuple):
    """What is needed to evaluate a density."""

    molecule: Any
    numbers: NDArray[np.int64]
    positions: NDArray[np.float64]  # Å
    has_cores: bool  # whether an atom beyond helium has no pseudopotential
    coefficients: list[NDArray[np.float64]]  # one (n_functions, n_orbitals) per spin
    occupations: list[NDArray[np.float64]]


def read_pyscf_grid(
    path: str | os.PathLike[str], *, spacing: float = _SPACING, padding: float = _PADDING
) -> ChargeDensity:
    """Evaluate the valence density of a checkpoint file on a uniform grid.

    Parameters
    ----------
    path
        The file.
    spacing
        Distance of the points, Å.
    padding
        Smallest distance of an atom from the faces of the box, Å.

    Raises
    ------
    DensityFormatError
        If the file is missing or damaged, or holds a crystal or an atom with its core.
    MissingDependencyError
        If PySCF is not installed.
    """
    orbitals = _read(path)
    if orbitals.has_cores:
        raise DensityFormatError(
            "holds the cores of the atoms, which no uniform grid resolves",
            file=path,
            fix="use read_pyscf_points, or calculate with pseudopotentials",
        )
    box = molecule_box(orbitals.positions, spacing=spacing, padding=padding)
    frame = ChargeDensity(
        np.zeros(box.shape), box.cell, box.origin, orbitals.numbers, orbitals.positions
    )
    spins = _evaluate(orbitals, frame.coordinates().reshape(-1, 3))
    grids = [values.reshape(box.shape) for values in spins]
    return ChargeDensity(
        sum(grids[1:], start=grids[0]),
        box.cell,
        box.origin,
        orbitals.numbers,
        orbitals.positions,
        magnetization=grids[0] - grids[1] if len(grids) > 1 else None,
    )


def read_pyscf_points(path: str | os.PathLike[str], *, level: int = _LEVEL) -> PointDensity:
    """Evaluate the density of a checkpoint file on PySCF's atom-centred quadrature.

    Parameters
    ----------
    path
        The file.
    level
        Level of the quadrature, 0 to 9.

    Raises
    ------
    DensityFormatError
        If the file is missing or damaged, or holds a crystal.
    MissingDependencyError
        If PySCF is not installed.
    """
    orbitals = _read(path)
    from pyscf.dft import gen_grid

    grids = gen_grid.Grids(orbitals.molecule)
    grids.level = level
    grids.build(with_non0tab=False)
    points = np.asarray(grids.coords) * BOHR_TO_ANGSTROM
    spins = _evaluate(orbitals, points)
    return PointDensity(
        points,
        np.asarray(grids.weights) * BOHR_TO_ANGSTROM**3,
        sum(spins[1:], start=spins[0]),
        orbitals.numbers,
        orbitals.positions,
    )


def _evaluate(orbitals: _Orbitals, points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the density of each spin at points in Å, e/Å^3."""
    places = points / BOHR_TO_ANGSTROM
    spins = [np.empty(len(places)) for _ in orbitals.coefficients]
    for start in range(0, len(places), _BLOCK):
        block = slice(start, start + _BLOCK)
        functions = orbitals.molecule.eval_gto("GTOval", places[block])
        for values, matrix, occupied in zip(
            spins, orbitals.coefficients, orbitals.occupations, strict=True
        ):
            is_occupied = occupied > 0
            waves = functions @ matrix[:, is_occupied]
            values[block] = (waves * waves) @ occupied[is_occupied]
    return [values / BOHR_TO_ANGSTROM**3 for values in spins]


def _read(path: str | os.PathLike[str]) -> _Orbitals:
    """Read molecule and orbitals."""
    try:
        from pyscf import gto
    except ImportError as error:
        raise MissingDependencyError.for_package(
            "pyscf", extra="pyscf", purpose="evaluating the orbitals of checkpoint files"
        ) from error
    with open_hdf5(path) as file:
        tables = _tables(file)
        coefficients, occupations = file.array("scf/mo_coeff"), file.array("scf/mo_occ")
        numbers, positions = _atoms(file, tables)
        # Filled by hand, not by its loader or its build, which evaluate texts of the file.
        molecule = gto.Mole(verbose=0, cart=tables.is_cartesian)
        molecule._atm, molecule._bas, molecule._env = tables.atoms, tables.shells, tables.numbers  # noqa: SLF001
        molecule._atom = [  # noqa: SLF001 - the quadrature asks for the elements
            (symbol, (place / BOHR_TO_ANGSTROM).tolist())
            for symbol, place in zip(tables.symbols, positions, strict=True)
        ]
        molecule._built = True  # noqa: SLF001
        if coefficients.ndim == 2:  # one set of orbitals; singly occupied ones are of spin up
            coefficients = np.stack([coefficients] * 2)
            occupations = np.stack([occupations > 0, occupations > 1]).astype(np.float64)
            if np.array_equal(occupations[0], occupations[1]):
                coefficients, occupations = coefficients[:1], 2 * occupations[:1]
        _check_orbitals(file, coefficients, occupations, tables.n_functions)
        _check_normalised(file, molecule, coefficients, occupations)
        return _Orbitals(
            molecule,
            numbers,
            positions,
            tables.has_cores,
            list(coefficients),
            list(occupations),
        )


class _Tables(NamedTuple):
    """PySCF's integral tables, checked: its compiled code trusts every index in them."""

    atoms: NDArray[np.int32]
    shells: NDArray[np.int32]
    numbers: NDArray[np.float64]
    symbols: list[str]
    is_cartesian: bool
    has_cores: bool
    n_functions: int


def _tables(file: Hdf5File) -> _Tables:
    """Read the tables out of the description of the molecule."""
    try:
        content = json.loads(file.text("mol"))
        atoms = np.array(content["_atm"], dtype=np.int32)
        shells = np.array(content["_bas"], dtype=np.int32)
        numbers = np.array(content["_env"], dtype=np.float64)
        symbols = [str(atom[0]) for atom in content["_atom"]]
        is_cartesian = bool(content.get("cart", False))
        is_crystal = "a" in content
        soft = {*content.get("_pseudo", ()), *content.get("_ecp", ())}
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise file.error(f"is no molecule ({error})", field="mol") from error
    if is_crystal:
        raise file.error("is a crystal", field="mol", fix="only molecules are supported")
    if atoms.shape != (len(symbols), 6) or shells.ndim != 2 or shells.shape[1] != 8:
        raise file.error(f"has tables of {atoms.shape} and {shells.shape}", field="mol")
    columns = shells.T.astype(np.int64)
    if not _point_inside(atoms.astype(np.int64), columns, numbers):
        raise file.error("has tables that point outside themselves", field="mol")
    ls = columns[_L]
    per_shell = (ls + 1) * (ls + 2) // 2 if is_cartesian else 2 * ls + 1
    n_functions = int((per_shell * columns[_CONTRACTIONS]).sum())
    has_cores = any(atomic_number(s) > _HELIUM and s not in soft for s in symbols)
    return _Tables(atoms, shells, numbers, symbols, is_cartesian, has_cores, n_functions)


def _point_inside(
    atoms: NDArray[np.int64], columns: NDArray[np.int64], numbers: NDArray[np.float64]
) -> bool:
    """Tell whether every index of the tables stays inside them."""
    ends = np.concatenate(
        [
            atoms[:, _PLACE] + 3,
            columns[_EXPONENTS] + columns[_PRIMITIVES],
            columns[_COEFFICIENTS] + columns[_PRIMITIVES] * columns[_CONTRACTIONS],
        ]
    )
    starts = (atoms[:, _PLACE], columns[_EXPONENTS], columns[_COEFFICIENTS])
    return bool(
        columns.size
        and min(part.min() for part in (*starts, columns[_L], columns[_ATOM])) >= 0
        and min(columns[_PRIMITIVES].min(), columns[_CONTRACTIONS].min()) >= 1
        and ends.max() <= len(numbers)
        and columns[_L].max() <= _LARGEST_L
        and columns[_ATOM].max() < len(atoms)
        and np.isfinite(numbers).all()
    )


def _atoms(file: Hdf5File, tables: _Tables) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return atomic numbers and positions in Å."""
    numbers = [atomic_number(symbol) for symbol in tables.symbols]
    charges = tables.atoms[:, _CHARGE]
    if not numbers or not all(numbers) or (charges < 1).any() or (charges > numbers).any():
        raise file.error(f"{tables.symbols[:8]} are not all atoms", field="mol")
    places = tables.atoms[:, _PLACE, None] + np.arange(3)
    return np.array(numbers, dtype=np.int64), tables.numbers[places] * BOHR_TO_ANGSTROM


def _check_orbitals(
    file: Hdf5File,
    coefficients: NDArray[np.float64],
    occupations: NDArray[np.float64],
    n_functions: int,
) -> None:
    """Refuse orbitals of another molecule, and what is not finite."""
    if (
        coefficients.ndim != 3
        or coefficients.shape[1] != n_functions
        or occupations.shape != coefficients[:, 0].shape
    ):
        raise file.error(
            f"has the shapes {coefficients.shape} and {occupations.shape} for {n_functions} "
            "functions",
            field="scf",
        )
    if not (np.isfinite(coefficients).all() and np.isfinite(occupations).all()):
        raise file.error("holds orbitals that are not finite", field="scf", fix=COPY_ANEW)


def _check_normalised(
    file: Hdf5File,
    molecule: Any,
    coefficients: NDArray[np.float64],
    occupations: NDArray[np.float64],
) -> None:
    """Refuse orbitals that are not orthonormal: the file is damaged or of two calculations."""
    with np.errstate(all="ignore"):
        overlap = molecule.intor_symmetric("int1e_ovlp")
        for matrix, occupied in zip(coefficients, occupations, strict=True):
            used = matrix[:, occupied > 0]
            error = np.abs(used.T @ overlap @ used - np.eye(used.shape[1])).max(initial=0.0)
            if not error < _ORTHONORMAL:
                raise file.error(
                    f"holds orbitals whose overlaps are wrong by {error:.2g}",
                    field="scf/mo_coeff",
                    fix=COPY_ANEW,
                )
