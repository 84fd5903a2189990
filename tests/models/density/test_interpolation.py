"""Interpolation from few points: accuracy, rank, and what happens when nothing can be saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from scdp_models.density.interpolation import ColumnSpan, every_point, interpolate_axis

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _gaussians(exponent: float, n_points: int = 60) -> NDArray[np.float64]:
    x = np.linspace(0, 8, n_points)
    centres = np.linspace(-1, 9, 40)
    return np.exp(-exponent * (x - centres[:, None]) ** 2)


def _span(functions: NDArray[np.float64]) -> ColumnSpan:
    return ColumnSpan.empty(functions.shape[1]).extended(functions)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5, 1e-9])
def test_errors_add_up_to_less_than_the_tolerance(tolerance: float) -> None:
    functions = _gaussians(0.5)
    axis = interpolate_axis(_span(functions), tolerance)
    error = np.abs(functions - functions[:, axis.points] @ axis.matrix.T).sum(axis=0).max()
    assert error <= tolerance
    assert len(axis.points) < 40


def test_smoother_functions_need_fewer_points() -> None:
    ranks = [len(interpolate_axis(_span(_gaussians(a)), 1e-8).points) for a in (0.1, 0.4, 1.6)]
    assert ranks == sorted(set(ranks))


def test_chosen_points_are_kept_exactly() -> None:
    axis = interpolate_axis(_span(_gaussians(0.3)), 1e-6)
    assert (np.diff(axis.points) > 0).all()
    np.testing.assert_allclose(axis.matrix[axis.points], np.eye(len(axis.points)), atol=1e-14)


def test_norm_is_the_growth_of_an_error() -> None:
    axis = interpolate_axis(_span(_gaussians(0.3)), 1e-6)
    assert axis.norm == pytest.approx(np.abs(axis.matrix).sum(axis=1).max())
    assert 1 <= axis.norm < 50


def test_blocks_give_what_the_whole_gives() -> None:
    functions = _gaussians(0.5)
    span = ColumnSpan.empty(60)
    for start in range(0, 40, 7):
        span = span.extended(functions[start : start + 7])
    gram = span.factor.T @ span.factor
    np.testing.assert_allclose(gram, functions.T @ functions, atol=1e-12)
    assert span.n_columns == 40


def test_memory_does_not_grow_with_functions(rng: np.random.Generator) -> None:
    span = ColumnSpan.empty(10)
    for _ in range(5):
        span = span.extended(rng.normal(size=(30, 10)))
    assert span.factor.shape == (10, 10)
    assert span.n_columns == 150


def test_noise_needs_every_point(rng: np.random.Generator) -> None:
    axis = interpolate_axis(_span(rng.normal(size=(200, 20))), 1e-9)
    assert axis.is_identity
    np.testing.assert_array_equal(axis.matrix, np.eye(20))


def test_functions_below_the_tolerance_need_no_point() -> None:
    axis = interpolate_axis(_span(1e-12 * _gaussians(0.5)), 1e-6)
    assert len(axis.points) == 0
    assert axis.matrix.shape == (60, 0)


def test_every_point() -> None:
    axis = every_point(5)
    assert axis.is_identity
    assert axis.norm == 1.0
