"""Densities as differentiable functions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.data.waves import fourier_coefficients
from scdp_models.density.evaluate import evaluate_at_points
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.training import gaussians
from scdp_models.training.gaussians import (
    ShellLayout,
    density_at_points,
    density_at_waves,
    shell_layout,
)
from scdp_models.units import BOHR_TO_ANGSTROM

if TYPE_CHECKING:
    from collections.abc import Callable

    Evaluate = Callable[..., torch.Tensor]

# Tight and diffuse shells, and a hydrogen that lacks degrees and reaches of oxygen.
MIXED = BasisSet(
    "mixed",
    {
        1: ElementBasis((0, 1), (0.25, 1.3)),
        8: ElementBasis((0, 0, 0, 1, 1, 2, 3), (0.15, 1.3, 20.0, 0.3, 4.0, 0.9, 0.7)),
    },
)
CELL = np.array([[4.0, 0, 0], [1.0, 3.5, 0], [0.5, 0.3, 5.0]])
PERIODICITIES = [
    pytest.param((False, False, False), id="molecule"),
    pytest.param((True, True, True), id="crystal"),
    pytest.param((True, False, True), id="slab"),
]


def _density(pbc: tuple[bool, bool, bool]) -> OrbitalDensity:
    rng = np.random.default_rng(5)
    positions = 40.0 + rng.normal(size=(3, 3))  # far from the origin, and outside the cell
    cell = CELL if any(pbc) else None
    empty = OrbitalDensity.from_basis(MIXED, [8, 1, 1], positions, cell=cell, pbc=pbc)
    return replace(empty, coefficients=rng.normal(size=empty.n_functions))


def _variables(density: OrbitalDensity) -> tuple[ShellLayout, torch.Tensor, torch.Tensor]:
    layout = shell_layout(density)
    return layout, torch.as_tensor(density.coefficients), layout.exponents


def _points(density: OrbitalDensity, n: int) -> np.ndarray:
    steps: np.ndarray = np.random.default_rng(6).normal(scale=2, size=(n, 3))
    points: np.ndarray = density.positions[0] + steps
    return points


def _relative(layout: ShellLayout, points: np.ndarray) -> torch.Tensor:
    return torch.as_tensor((points - layout.origin) / BOHR_TO_ANGSTROM)


@pytest.mark.parametrize("pbc", PERIODICITIES)
def test_points_see_all_shells_and_images(pbc: tuple[bool, bool, bool]) -> None:
    density = _density(pbc)
    layout, coefficients, exponents = _variables(density)
    points = _points(density, 300)
    found = density_at_points(layout, coefficients, exponents, _relative(layout, points))
    np.testing.assert_allclose(found, evaluate_at_points(density, points), atol=2e-5)


def test_single_precision_suffices() -> None:
    density = _density((False, False, False))
    layout, coefficients, _ = _variables(density)
    points, layout = _points(density, 300), layout.to(torch.float32)
    relative = _relative(layout, points).float()
    found = density_at_points(layout, coefficients.float(), layout.exponents, relative)
    assert found.dtype == torch.float32
    expected = evaluate_at_points(density, points)
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


def test_waves_are_those_of_the_closed_form() -> None:
    density = _density((False, False, False))
    layout, coefficients, exponents = _variables(density)
    waves = np.random.default_rng(7).normal(size=(100, 3)) * 2
    found = density_at_waves(layout, coefficients, exponents, torch.as_tensor(waves)).numpy()
    centred = density.translated(-layout.origin)
    expected = fourier_coefficients(centred, waves)
    np.testing.assert_allclose(found[:, 0] + 1j * found[:, 1], expected, atol=1e-10)


@pytest.mark.parametrize("evaluate", [density_at_points, density_at_waves])
def test_gradients_are_those_of_finite_differences(evaluate: Evaluate) -> None:
    density = _density((True, True, True))
    layout, coefficients, exponents = _variables(density)
    places = _relative(layout, _points(density, 4))
    variables = [x.clone().requires_grad_() for x in (coefficients, exponents)]
    assert torch.autograd.gradcheck(
        lambda c, a: evaluate(layout, c, a, places), variables, fast_mode=True, atol=1e-5
    )


@pytest.mark.parametrize("evaluate", [density_at_points, density_at_waves])
def test_chunks_change_neither_values_nor_gradients(
    evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    density = _density((True, True, True))
    layout, coefficients, exponents = _variables(density)
    places, results = _relative(layout, _points(density, 60)), []
    per_place = len(layout.positions) * len(layout.shifts)
    for n_pairs in (2**22, 7 * per_place):
        monkeypatch.setattr(gaussians, "_N_PAIRS", n_pairs)
        monkeypatch.setattr(gaussians, "_N_VALUES", n_pairs)
        variables = [x.clone().requires_grad_() for x in (coefficients, exponents)]
        values = evaluate(layout, *variables, places)
        (values**2).sum().backward()
        results.append((values.detach(), *(x.grad for x in variables)))
    torch.testing.assert_close(*results)


def test_shells_that_may_widen_reach_further() -> None:
    density = _density((False, False, False))
    wide = shell_layout(density, smallest_factor=0.5)
    assert wide.rings[-1].reach > 1.3 * shell_layout(density).rings[-1].reach
    exponents = 0.5 * wide.exponents
    points = _points(density, 200)
    found = density_at_points(
        wide, torch.as_tensor(density.coefficients), exponents, _relative(wide, points)
    )
    expected = evaluate_at_points(replace(density, shell_exponents=exponents.numpy()), points)
    np.testing.assert_allclose(found, expected, atol=2e-5)
