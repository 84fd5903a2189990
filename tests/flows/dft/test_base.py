"""What every DFT code shares."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scdp_flows.dft.base import DftCode, Fit, FitInfo

if TYPE_CHECKING:
    from pathlib import Path


def test_total_density_of_a_fit_is_reference_plus_difference() -> None:
    from scdp_models.basis.shells import BasisSet, ElementBasis
    from scdp_models.density.orbital import OrbitalDensity

    basis = BasisSet("s", {1: ElementBasis((0,), (0.5,))})
    part = OrbitalDensity.from_basis(basis, [1], [[0, 0, 0]], coefficients=[0.3])
    fit = Fit(part, part.scaled(0.5), FitInfo("s", 1, 0.0, 0.0))
    assert fit.density.n_electrons() == pytest.approx(1.5 * part.n_electrons())


def test_an_unfinished_code_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        DftCode()  # type: ignore[abstract]


def test_importing_the_codes_imports_neither_pyscf_nor_models(repository: Path) -> None:
    script = (
        "import sys, scdp_flows.dft.base, scdp_flows.dft.pyscf, scdp_flows.dft.pyscf.label, "
        "scdp_flows.dft.pyscf.compare, scdp_flows.dft.pyscf.pool\n"
        "print(sorted({'pyscf', 'torch', 'scdp_models'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=repository,
        env={"PYTHONPATH": f"{repository}:{repository / 'models'}", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"
