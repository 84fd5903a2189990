"""Fits of densities by Gaussian shells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scdp_flows.dft.pyscf.fit import fit_density, fit_shells
from scdp_flows.io.structures import as_arrays

pytestmark = pytest.mark.requires("pyscf")


def test_holds_the_electrons_and_the_difference_has_no_charge(converged_water: Any) -> None:
    fit = converged_water.fit
    assert fit.density.n_electrons() == pytest.approx(8, abs=1e-9)
    assert fit.difference.n_electrons() == pytest.approx(0, abs=1e-9)
    assert fit.info.n_electrons == pytest.approx(8, abs=1e-9)


def test_reported_error_is_that_of_the_grid(converged_water: Any) -> None:
    """Compare (d|d)/2 with the potential of d from its own integrals on a quadrature."""
    from pyscf.dft import Grids

    from scdp_flows.dft.pyscf.auxiliary import to_auxmol

    mol, dm, fit = converged_water.mol, converged_water.run.dm, converged_water.fit.reference
    grids = Grids(mol)
    grids.level = 2
    grids.build()
    points = grids.coords
    ao = mol.eval_gto("GTOval_sph", points)
    auxiliary = to_auxmol(fit)
    values = auxiliary.mol.eval_gto("GTOval_sph", points) @ auxiliary.to_pyscf(fit.coefficients)
    difference = np.einsum("pi,pi->p", ao @ dm, ao) - values
    errors = _half_potential(mol, dm, fit, points) @ (grids.weights * difference)
    from scdp_flows.dft.pyscf.compare import StartErrors

    assert errors == pytest.approx(StartErrors(converged_water.run).coulomb(fit), rel=1e-3)


def _half_potential(mol: Any, dm: Any, density: Any, points: Any) -> Any:
    """Return half the potential of the difference at points, from one-electron integrals."""
    from pyscf import df, gto

    from scdp_flows.dft.pyscf.auxiliary import to_auxmol

    out = np.empty(len(points))
    auxiliary = to_auxmol(density)
    c = auxiliary.to_pyscf(density.coefficients)
    unit = gto.M(atom="He", basis={"He": [[0, [1e-12, 1.0]]]}, verbose=0)
    scale = 1 / unit.eval_gto("GTOval_sph", np.zeros((1, 3))).item()
    for begin in range(0, len(points), 2000):
        fake = gto.fakemol_for_charges(points[begin : begin + 2000])
        orbital = np.einsum("ijp,ij->p", df.incore.aux_e2(mol, fake), dm)
        # (P 1|q) with a constant second function is the potential of P itself.
        fitted = _aux_potential(auxiliary.mol, unit, fake, c) * scale
        out[begin : begin + 2000] = 0.5 * (orbital - fitted)
    return out


def _aux_potential(auxmol: Any, unit: Any, fake: Any, c: Any) -> Any:
    from pyscf import gto

    joined = gto.conc_mol(auxmol, unit)
    slices = (0, auxmol.nbas, auxmol.nbas, joined.nbas, joined.nbas, joined.nbas + fake.nbas)
    atm, bas, env = gto.conc_env(
        joined._atm, joined._bas, joined._env, fake._atm, fake._bas, fake._env
    )
    block = gto.moleintor.getints("int3c2e_sph", atm, bas, env, slices)
    return np.einsum("ijp,i->p", block, c)


def test_the_fit_is_a_minimum(converged_water: Any, rng: np.random.Generator) -> None:
    from dataclasses import replace

    from scdp_flows.dft.pyscf.compare import StartErrors

    fit, errors = converged_water.fit, StartErrors(converged_water.run)
    least = errors.coulomb(fit.density)
    assert least == pytest.approx(fit.info.coulomb_error_ha, rel=1e-4)
    charges = fit.difference.charges
    for _ in range(3):
        step = 0.01 * rng.normal(size=len(charges))
        step -= charges * (charges @ step) / (charges @ charges)  # keep the charge
        moved = replace(fit.difference, coefficients=fit.difference.coefficients + step)
        assert errors.coulomb(fit.reference + moved) > least


def test_an_ions_difference_carries_minus_its_charge(cheap: Any) -> None:
    from pymatgen.core import Molecule

    from scdp_flows.dft.pyscf.label import label_structure
    from scdp_models.basis.library import lean_basis

    ion = Molecule(["O", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.97]], charge=-1)
    label = label_structure(ion, cheap, lean_basis([1, 8]))
    assert label.fit is not None
    assert label.fit.difference.n_electrons() == pytest.approx(1, abs=1e-9)
    assert label.fit.density.n_electrons() == pytest.approx(8, abs=1e-9)


def test_midpoints_lower_the_error(converged_water: Any) -> None:
    from scdp_models.basis.library import lean_basis

    numbers, positions, _, _ = as_arrays(converged_water.structure)
    basis = lean_basis([1, 8], midpoints="small")
    shells = fit_shells(numbers, positions, basis)
    assert (shells.numbers == 0).sum() == 2
    run = converged_water.run
    better = fit_density(
        converged_water.mol,
        run.dm,
        coulomb_energy_ha=0.5 * float((run.mf.get_j(run.mf.mol, run.dm) * run.dm).sum()),
        reference=converged_water.reference,
        shells=shells,
    )
    assert 0 < better.info.coulomb_error_ha < converged_water.fit.info.coulomb_error_ha
    assert len(better.density.numbers) == 5
