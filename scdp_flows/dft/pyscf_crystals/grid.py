"""Build Kohn-Sham matrices of crystals on the uniform grid, from orbital values that are kept.

PySCF's FFTDF evaluates the orbitals and their gradients anew in every cycle, which takes most of
its time. Here their values are kept, and gradients of the density are taken by Fourier transform,
so that the potential is one local function and a cycle is two matrix products per k-point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import fft

from scdp_flows.errors import CalculationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CrystalGrid", "LocalPotential"]

_BLOCK = 4096
_NO_DENSITY = 1e-10
_REAL = 1e-11


class LocalPotential(NamedTuple):
    """The potential of a density, and its energies per cell."""

    values: NDArray[np.float64]
    """Coulomb and exchange-correlation potential on the grid, shape ``(n_points,)``, Hartree."""
    coulomb_ha: float
    """(rho|rho)/2 without the average of the potential, Hartree."""
    xc_ha: float
    """Exchange-correlation energy, Hartree."""


class CrystalGrid:
    """The uniform grid of a cell with the values of its orbitals at all k-points.

    Of each pair k, -k one is kept; at points that are their own opposite orbitals are real.

    Parameters
    ----------
    cell
        PySCF cell.
    kpts
        Shape ``(n_k, 3)``, bohr^-1.
    functional
        Local or generalised-gradient.
    max_memory_gb
        Most memory of the kept values, 10^9 bytes.

    Raises
    ------
    CalculationError
        If they need more memory.

    Attributes
    ----------
    shape
        Points along the cell vectors.
    n_points
        Their number.
    """

    def __init__(self, cell: Any, kpts: Any, functional: str, *, max_memory_gb: float) -> None:
        self.shape: tuple[int, int, int] = tuple(int(n) for n in cell.mesh)  # type: ignore[assignment]
        self.n_points = int(np.prod(self.shape))
        self._cell, self._functional = cell, functional
        self._volume = float(cell.vol)
        self._twins = _twins(cell.get_scaled_kpts(kpts))
        self._waves = np.asarray(cell.get_Gv(cell.mesh)).T.reshape(3, *self.shape)
        own = [i for i, (source, _) in enumerate(self._twins) if source == i]
        _check_memory(16 * len(own) * self.n_points * cell.nao, max_memory_gb)
        self._values = dict(zip(own, self._evaluated(np.asarray(kpts)[own]), strict=True))

    def _evaluated(self, kpts: NDArray[np.float64]) -> list[NDArray[Any]]:
        points = self._cell.get_uniform_grids(self._cell.mesh)
        blocks = [
            self._cell.pbc_eval_gto("PBCGTOval", points[begin : begin + _BLOCK], kpts=kpts)
            for begin in range(0, len(points), _BLOCK)
        ]
        found = [np.concatenate(parts) for parts in zip(*blocks, strict=True)]
        return [_real_if_close(values) for values in found]

    def _orbitals(self, k: int) -> NDArray[Any]:
        source, opposite = self._twins[k]
        values = self._values[source]
        return values.conj() if opposite else values

    def density(self, dm: NDArray[np.complex128]) -> NDArray[np.float64]:
        """Return the density of density matrices, shape ``(n_points,)``, e/bohr^3.

        Parameters
        ----------
        dm
            Shape ``(n_k, n, n)``; where PySCF has tagged it with orbitals, those are used.
        """
        coefficients, occupations = getattr(dm, "mo_coeff", None), getattr(dm, "mo_occ", None)
        total = np.zeros(self.n_points)
        for k in range(len(self._twins)):
            ao = self._orbitals(k)
            if coefficients is None or occupations is None:
                total += np.einsum("pi,pi->p", ao @ dm[k], ao.conj()).real
                continue
            held = np.asarray(occupations[k])
            waves = ao @ (np.asarray(coefficients[k])[:, held > 0] * np.sqrt(held[held > 0]))
            total += np.einsum("pi,pi->p", waves, waves.conj()).real
        return total / len(self._twins)

    def matrices(self, potential: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Integrate a local potential between the orbitals of each k-point.

        Parameters
        ----------
        potential
            Shape ``(n_points,)``, Hartree.

        Returns
        -------
        numpy.ndarray
            Shape ``(n_k, n, n)``.
        """
        weighted = potential * (self._volume / self.n_points)
        own = {k: ao.conj().T @ (weighted[:, None] * ao) for k, ao in self._values.items()}
        found = [own[k].conj() if opposite else own[k] for k, opposite in self._twins]
        return np.asarray(found, dtype=np.complex128)

    def potential(self, density: NDArray[np.float64]) -> LocalPotential:
        """Return the potential of the electrons.

        Parameters
        ----------
        density
            Shape ``(n_points,)``, e/bohr^3.
        """
        rho = density.reshape(self.shape)
        spectrum = fft.fftn(rho)
        squares = (self._waves**2).sum(axis=0)
        kernel = np.divide(4 * np.pi, squares, out=np.zeros_like(squares), where=squares > 0)
        hartree = fft.ifftn(spectrum * kernel).real
        point = self._volume / self.n_points
        xc, energies = self._exchange_correlation(rho, spectrum)
        return LocalPotential(
            (hartree + xc).ravel(),
            0.5 * point * float(np.vdot(rho, hartree)),
            point * float(np.vdot(rho, energies)),
        )

    def _exchange_correlation(
        self, rho: NDArray[np.float64], spectrum: NDArray[np.complex128]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return potential and energy per electron; v = v_rho - div(2 v_sigma grad rho)."""
        from pyscf.dft import numint

        integrator = numint.NumInt()
        kind = integrator._xc_type(self._functional)  # noqa: SLF001
        given = rho[None]
        if kind == "GGA":
            slopes = [fft.ifftn(1j * wave * spectrum).real for wave in self._waves]
            given = np.stack([rho, *slopes])
        given = given.reshape(len(given), -1).copy()
        # A given density may dip below zero, where the potential has no meaning.
        given[:, given[0] < _NO_DENSITY] = 0.0
        given = given if kind == "GGA" else given[0]
        energies, parts = integrator.eval_xc_eff(self._functional, given, deriv=1, xctype=kind)[:2]
        parts = np.reshape(parts, (-1, *self.shape))
        potential = parts[0]
        if kind == "GGA":
            flux = sum(
                wave * fft.fftn(part) for wave, part in zip(self._waves, parts[1:], strict=True)
            )
            potential = potential - fft.ifftn(1j * flux).real
        return potential, np.reshape(energies, self.shape)

    def core(self, kpts: Any) -> NDArray[np.complex128]:
        """Return kinetic energy and pseudopotentials, shape ``(n_k, n, n)``, Hartree.

        Parameters
        ----------
        kpts
            As they were given.
        """
        from pyscf.pbc.gto.pseudo import get_vlocG, pp_int

        cell = self._cell
        shifts = cell.get_SI(mesh=cell.mesh)
        spectrum = -np.einsum("ag,ag->g", shifts, get_vlocG(cell, cell.get_Gv(cell.mesh)))
        local = fft.ifftn(spectrum.reshape(self.shape)).real.ravel() * self.n_points / self._volume
        kinetic = np.asarray(cell.pbc_intor("int1e_kin", hermi=1, kpts=kpts))
        projectors = np.asarray(pp_int.get_pp_nl(cell, kpts))
        return np.asarray(kinetic + projectors + self.matrices(local))


def _twins(scaled: NDArray[np.float64]) -> list[tuple[int, bool]]:
    """Return for each k-point whose orbitals are kept for it, and whether they are conjugated."""
    found: list[tuple[int, bool]] = []
    for i, point in enumerate(scaled):
        sums = scaled[:i] + point
        opposite = np.flatnonzero(abs(sums - np.rint(sums)).max(axis=1, initial=0.0) < 1e-9)
        found.append((int(opposite[0]), True) if len(opposite) else (i, False))
    return found


def _real_if_close(values: NDArray[np.complex128]) -> NDArray[Any]:
    if np.isrealobj(values) or abs(values.imag).max() > _REAL:
        return values
    return np.ascontiguousarray(values.real)


def _check_memory(needed: int, most_gb: float) -> None:
    if needed > most_gb * 1e9:
        raise CalculationError(
            f"the orbitals on the grid take {needed / 1e9:.1f} GB, more than max_memory_gb = "
            f"{most_gb:g}; raise it, or take fewer k-points, a lower ke_cutoff_ha, a smaller basis"
        )
