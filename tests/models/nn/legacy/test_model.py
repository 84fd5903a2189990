"""The published model gives what the official code gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from scdp_models.errors import CheckpointError, GraphError
from scdp_models.nn.legacy import load

if TYPE_CHECKING:
    Arrays = dict[str, np.ndarray]

CASES = (
    "A_H2O", "A_C2H5OH", "A_CH3CONH2", "B_H2O", "B_C2H5OH", "B_CH3CONH2",
    "C_MgO_prim", "C_CO_triclinic",
)  # fmt: skip
WATER = ([8, 1, 1], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.96], [0.93, 0.0, -0.24]])


def _error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize(
    ("dtype", "suffix", "tolerance"), [("float64", "_f64", 2e-6), ("float32", "", 1e-5)]
)
@pytest.mark.parametrize("case", CASES)
def test_results_of_the_official_code_are_reproduced(
    published: Any, results: Any, case: str, dtype: str, suffix: str, tolerance: float
) -> None:
    weights, stored = published(case[0]), results(case)
    model = load(weights.state, weights.hparams, dtype=dtype)
    found = model(
        stored["atom_types"],
        stored["coords"],
        stored["cell"],
        edges=(stored["edge_index"], stored["shifts"]),
        rotations=stored["trace_edge_rot_mat"],
    )
    assert _error(found.coefficients, stored[f"coeffs{suffix}"]) < tolerance
    assert _error(found.density(stored["probe_coords"]), stored[f"density{suffix}"]) < tolerance
    if case[0] == "B":
        assert found.exponent_factors is not None
        assert _error(found.exponent_factors, stored[f"expo_scaling{suffix}"]) < tolerance
    else:
        assert found.exponent_factors is None


@pytest.mark.parametrize("case", ["A_C2H5OH", "B_H2O", "C_CO_triclinic"])
def test_own_edges_and_frames_differ_by_no_more_than_the_roll(
    published: Any, results: Any, case: str
) -> None:
    weights, stored = published(case[0]), results(case)
    model = load(weights.state, weights.hparams)
    found = [model(stored["atom_types"], stored["coords"], stored["cell"]) for _ in range(2)]
    # float32 edge vectors of the official code set the floor
    assert _error(found[0].coefficients, stored["coeffs_f64"]) < 2 * stored["roll_sensitivity"]
    np.testing.assert_array_equal(found[0].coefficients, found[1].coefficients)


def test_tensors_and_arrays_are_taken_alike(published: Any, results: Any) -> None:
    weights, stored = published("A"), results("A_H2O")
    arrays = {name: tensor.numpy() for name, tensor in weights.state.items()}
    model, same = load(weights.state, weights.hparams), load(arrays, weights.hparams)
    numbers, coords = stored["atom_types"], stored["coords"]
    first = model(torch.as_tensor(numbers), torch.as_tensor(coords))
    second = same(numbers.tolist(), coords.tolist())
    np.testing.assert_array_equal(first.coefficients, second.coefficients)


def test_virtual_nodes_are_appended_as_published(published: Any, results: Any) -> None:
    weights, stored = published("B"), results("B_CH3CONH2")
    real = stored["atom_types"] > 0
    model = load(weights.state, weights.hparams)
    numbers, coords = model.with_virtual_nodes(stored["atom_types"][real], stored["coords"][real])
    np.testing.assert_array_equal(numbers, stored["atom_types"])
    np.testing.assert_array_equal(coords, stored["coords"])


def test_models_without_virtual_nodes_refuse_them(published: Any) -> None:
    weights = published("A")
    with pytest.raises(GraphError, match="trained without virtual nodes"):
        load(weights.state, weights.hparams).with_virtual_nodes(*WATER)


def test_a_single_atom_has_a_density(published: Any) -> None:
    weights = published("A")
    found = load(weights.state, weights.hparams)([8], [[0.0, 0.0, 0.0]])
    values = found.density([[0.0, 0.0, 0.5], [0.0, 0.0, 9.0]])
    assert values[0] != 0
    assert values[1] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"edges": ([[0], [1]], np.zeros((2, 3)))}, r"expected \(2, n\) and \(n, 3\)"),
        ({"edges": ([[0], [3]], np.zeros((1, 3)))}, "outside the 3 nodes"),
        ({"rotations": np.eye(3)[None]}, "give edges and one 3 x 3 matrix"),
        ({"edges": ([[0], [1]], np.zeros((1, 3))), "rotations": np.zeros((2, 3, 3))}, r"here 1\)"),
        ({"pbc": True}, "there is no cell"),
    ],
    ids=["shifts", "index", "no edges", "too many frames", "no cell"],
)
def test_what_does_not_fit_is_refused(published: Any, arguments: dict[str, Any], said: str) -> None:
    weights = published("A")
    with pytest.raises(GraphError, match=said):
        load(weights.state, weights.hparams)(*WATER, **arguments)


def test_unknown_elements_are_named(published: Any) -> None:
    weights = published("A")
    with pytest.raises(GraphError, match=r"\[14\]; it covers \[1, 6, 7, 8, 9\]"):
        load(weights.state, weights.hparams)([14], [[0.0, 0.0, 0.0]])


def test_unknown_precision_is_refused(published: Any) -> None:
    weights = published("A")
    with pytest.raises(CheckpointError, match="'float16' is not supported"):
        load(weights.state, weights.hparams, dtype="float16")
