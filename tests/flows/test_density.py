from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from scdp_flows.augmentation import Augmentation
from scdp_flows.density import ChargeDensity, DensityKind, PointDensity
from scdp_flows.errors import DensityError

_TRICLINIC = np.array([[4.0, 0.0, 0.0], [1.0, 3.0, 0.0], [0.5, -0.5, 5.0]])


def _density(**changes: Any) -> ChargeDensity:
    fields: dict[str, Any] = {
        "values": np.full((4, 5, 6), 0.25),
        "cell": _TRICLINIC,
        "origin": [1.0, 2.0, 3.0],
        "numbers": [8, 1],
        "positions": [[0.0, 0.0, 0.0], [0.0, 0.0, 0.96]],
    }
    return ChargeDensity(**(fields | changes))


def test_a_constant_integrates_to_itself_times_the_volume() -> None:
    density = _density()
    assert density.volume == pytest.approx(60.0)
    assert density.integral() == pytest.approx(0.25 * 60.0)
    assert density.voxel_volume * density.values.size == pytest.approx(60.0)


def test_a_gaussian_integrates_to_its_electrons() -> None:
    cell = 12.0 * np.eye(3)
    frame = _density(values=np.zeros((48, 48, 48)), cell=cell, origin=[-6.0, -6.0, -6.0])
    alpha = 1.3
    squares = (frame.coordinates() ** 2).sum(axis=-1)
    values = 10 * (alpha / np.pi) ** 1.5 * np.exp(-alpha * squares)
    assert _density(values=values, cell=cell).integral() == pytest.approx(10.0, abs=1e-10)


def test_voxels_sit_where_the_convention_says() -> None:
    density = _density()
    expected = density.origin + np.array([1 / 4, 2 / 5, 3 / 6]) @ _TRICLINIC
    assert density.coordinates().shape == (4, 5, 6, 3)
    assert np.allclose(density.coordinates()[1, 2, 3], expected)


def test_spacing_is_the_edge_over_its_voxels() -> None:
    assert np.allclose(_density().spacing, np.linalg.norm(_TRICLINIC, axis=1) / [4, 5, 6])


def test_arrays_are_read_only_views_and_leave_the_input_writable() -> None:
    values = np.ones((4, 5, 6))
    density = _density(values=values)
    with pytest.raises(ValueError, match="read-only"):
        density.values[0, 0, 0] = 2.0
    values[0, 0, 0] = 3.0
    assert np.shares_memory(density.values, values)


def test_single_precision_stays_single() -> None:
    assert _density(values=np.ones((2, 2, 2), dtype=np.float32)).values.dtype == np.float32
    assert _density(values=np.ones((2, 2, 2), dtype=int)).values.dtype == np.float64


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(bad: float) -> None:
    values = np.ones((4, 5, 6))
    values[2, 3, 4] = bad
    values[3, 4, 5] = np.nan
    with pytest.raises(DensityError, match=r"index \(2, 3, 4\) and 1 more"):
        _density(values=values)


def test_huge_finite_values_are_not_refused() -> None:
    assert np.isfinite(_density(values=np.full((2, 2, 2), 1e308)).values).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": np.ones((4, 5))}, r"values have the shape \(4, 5\)"),
        ({"values": np.ones((0, 5, 5))}, r"expected \(n1, n2, n3\)"),
        ({"values": "rho"}, "real numbers"),
        ({"cell": np.eye(2)}, "cell has the shape"),
        ({"cell": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}, "no volume"),
        ({"cell": 1e200 * np.eye(3)}, "no volume"),
        ({"cell": np.full((3, 3), np.nan)}, "cell holds nan"),
        ({"origin": [0.0, 0.0]}, "origin has the shape"),
        ({"numbers": []}, "one or more atoms"),
        ({"numbers": [8.5, 1.0]}, "whole atomic numbers"),
        ({"numbers": [8, 0]}, "not atomic numbers"),
        ({"numbers": [8, 1, 1]}, r"positions has the shape \(2, 3\)"),
        ({"positions": [[0, 0, 0], [0, np.nan, 0]]}, r"positions holds nan at index \(1, 1\)"),
        ({"pbc": (True, True)}, "three logical values"),
        ({"magnetization": np.ones((4, 5, 7))}, "magnetization"),
    ],
)
def test_impossible_densities_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DensityError, match=message):
        _density(**changes)


def test_nmae_is_relative_to_the_reference() -> None:
    reference = _density(values=np.full((4, 5, 6), 2.0))
    guess = _density(values=np.full((4, 5, 6), 1.5))
    assert guess.nmae(reference) == pytest.approx(25.0)
    assert reference.nmae(guess) == pytest.approx(100 / 3)
    assert reference.nmae(reference) == 0.0


def test_nmae_counts_errors_of_both_signs() -> None:
    values = np.ones((4, 5, 6))
    values[:2], values[2:] = 1.1, 0.9
    assert _density(values=values).nmae(_density(values=np.ones((4, 5, 6)))) == pytest.approx(10.0)


def test_nmae_needs_one_grid_and_a_reference_that_is_not_zero() -> None:
    density = _density()
    with pytest.raises(DensityError, match="shape"):
        density.nmae(_density(values=np.ones((5, 5, 6))))
    with pytest.raises(DensityError, match="cells"):
        density.nmae(_density(cell=_TRICLINIC * 1.01))
    with pytest.raises(DensityError, match="zero everywhere"):
        density.nmae(_density(values=np.zeros((4, 5, 6))))


def test_arrays_rebuild_the_density() -> None:
    kind = DensityKind("valence", "gth-pbe", "pbe", "gth-dzvp")
    density = _density(
        pbc=(True, True, False),
        magnetization=np.full((4, 5, 6), 0.1),
        augmentation=tuple(Augmentation.from_records([[float(n)]]) for n in range(2)),
        kind=kind,
    )
    copy = ChargeDensity.from_arrays(density.to_arrays(), kind=kind)
    for name in ("values", "cell", "origin", "numbers", "positions", "magnetization"):
        assert np.array_equal(getattr(copy, name), getattr(density, name))
    assert (copy.pbc, copy.kind) == (density.pbc, density.kind)
    assert copy.augmentation is not None
    assert [channel.occupancies.tolist() for channel in copy.augmentation] == [[0.0], [1.0]]


def test_a_non_collinear_density_has_a_magnetisation_of_three_components() -> None:
    vector = np.arange(360.0).reshape(3, 4, 5, 6)
    density = _density(magnetization_vector=vector)
    copy = ChargeDensity.from_arrays(density.to_arrays())
    assert copy.magnetization_vector is not None
    assert np.array_equal(copy.magnetization_vector, vector)
    with pytest.raises(DensityError, match="collinear or not"):
        _density(magnetization_vector=vector, magnetization=vector[0])
    with pytest.raises(DensityError, match=r"differs from \(3, 4, 5, 6\)"):
        _density(magnetization_vector=vector[:2])


def test_missing_arrays_are_named() -> None:
    arrays = _density().to_arrays()
    del arrays["cell"]
    with pytest.raises(DensityError, match="'cell'"):
        ChargeDensity.from_arrays(arrays)


def test_densities_cross_process_pools() -> None:
    density = _density()
    copy = pickle.loads(pickle.dumps(density))  # noqa: S301 - our own bytes
    assert np.array_equal(copy.values, density.values)


def _points(**changes: Any) -> PointDensity:
    fields: dict[str, Any] = {
        "points": np.arange(12.0).reshape(4, 3),
        "weights": [1.0, 2.0, 3.0, 4.0],
        "values": [0.4, 0.3, 0.2, 0.1],
        "numbers": [1],
        "positions": [[0.0, 0.0, 0.0]],
    }
    return PointDensity(**(fields | changes))


def test_points_integrate_with_their_weights() -> None:
    assert _points().integral() == pytest.approx(0.4 + 0.6 + 0.6 + 0.4)


def test_nmae_on_points_is_weighted() -> None:
    guess = _points(values=[0.4, 0.3, 0.2, 0.2])
    assert guess.nmae(_points()) == pytest.approx(100 * 4.0 * 0.1 / 2.0)


def test_points_must_agree() -> None:
    with pytest.raises(DensityError, match="weights"):
        _points(weights=[1.0])
    with pytest.raises(DensityError, match="points has the shape"):
        _points(points=np.ones((4, 2)))
    with pytest.raises(DensityError, match="quadrature points differ"):
        _points().nmae(_points(points=np.ones((4, 3))))
    with pytest.raises(DensityError, match="zero everywhere"):
        _points().nmae(_points(values=np.zeros(4)))
