"""The fused kernels, run by Triton's interpreter, against the direct sum."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="the fused GPU kernels need Triton")

# The interpreter must be chosen before Triton is imported: hence a process of its own.
_PROGRAM = """
import numpy as np, torch
from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.density import autograd
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.density.shell_index import ShellIndex
from scdp_models.density.triton_kernel import triton_density

ls = tuple(l for l in range(4) for _ in range(5))
exponents = tuple(0.4 * 2.0 ** (n % 3) for n in range(20))
basis = BasisSet("test", {1: ElementBasis(ls, exponents), 2: ElementBasis(ls[:5], exponents[:5])})
places = np.array([[0.1, 0.2, -0.3], [1.2, 0.1, 0.4], [3.0, 0.0, 0.0]])
density = OrbitalDensity.from_basis(basis, [1, 2, 1], places)
values = np.random.default_rng(0).normal(size=density.n_functions)
points = torch.as_tensor(np.random.default_rng(1).normal(size=(70, 3)))
index = ShellIndex.of(density, tolerance=1e-13)
results = []
for function in (autograd._Density.apply, triton_density):
    a = torch.tensor(density.shell_exponents, requires_grad=True)
    c = torch.tensor(values, requires_grad=True)
    weights = autograd._weights(index, a, c)
    total = function(index, torch.tensor(places), a, weights, points)
    (total * torch.linspace(-1, 1, 70, dtype=torch.float64)).sum().backward()
    results.append((total.detach(), a.grad, c.grad))
for fused, direct in zip(*results):
    torch.testing.assert_close(fused, direct, rtol=1e-9, atol=1e-9)
"""


@pytest.mark.slow
def test_fused_kernels_agree_with_the_direct_sum() -> None:
    models = str(Path(__file__).parents[3] / "models")
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": models}
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
