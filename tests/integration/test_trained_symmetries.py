"""Networks with trained weights keep every symmetry to rounding, whatever they are built of."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

from scdp_models.basis.named import basis_from_spec
from scdp_models.basis.shells import shell_charge
from scdp_models.checkpoint import Checkpoint
from scdp_models.density.atomic import AtomicDensity, AtomicReference
from scdp_models.graph import build_graph
from scdp_models.nn.config import NetworkConfig
from scdp_models.nn.network import DensityNetwork
from scdp_models.predict import Model
from scdp_models.testing import (
    assert_equivariant,
    assert_permutation_equivariant,
    assert_size_consistent,
    assert_translation_invariant,
)
from scdp_models.virtual_nodes import bond_midpoints

TOLERANCE = 1e-10
N_STEPS = 8
ELECTRONS = {1: 1.0, 6: 4.0, 8: 6.0}
ESCN: dict[str, Any] = {"trunk": "escn", "n_channels": 6, "n_hidden": 8, "edge_channels": 8}
SMALL: dict[str, Any] = {
    "n_channels": 6,
    "radial_hidden": 8,
    "pair_embedding": 4,
    "target": "total",
}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "compact-l4": ("lean", {"lmax": 4}),
    "compact-l6": ("lean", {"lmax": 6}),
    "escn-l2": ("lean", {**ESCN, "lmax": 2}),
    "escn-l4-midpoints": ("lean-l13+small", {**ESCN, "lmax": 4}),
    "escn-l6": ("lean", {**ESCN, "lmax": 6, "n_layers": 3}),
    "escn-l6-mmax4": ("lean", {**ESCN, "lmax": 6, "mmax": 4}),
    "escn-products": ("lean", {**ESCN, "lmax": 4, "readout": "tensor_product"}),
    "escn-exponents": ("lean", {**ESCN, "lmax": 3, "scale_exponents": True}),
}
METHANOL = (
    np.array([6, 8, 1, 1, 1, 1]),
    np.array(
        [
            [-0.05, 0.66, 0.0],
            [-0.05, -0.76, 0.02],
            [-1.08, 0.99, 0.0],
            [0.44, 1.07, 0.89],
            [0.44, 1.07, -0.88],
            [0.85, -1.06, 0.1],
        ]
    ),
)
WATER = (np.array([8, 1, 1]), np.array([[0.0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]]))
ROCKSALT = 0.5 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])


@functools.cache
def trained(name: str) -> Model:
    """Train a small network for a few steps on numbers that no symmetry explains."""
    torch.manual_seed(3)
    spec, settings = CASES[name]
    basis = basis_from_spec(spec, [1, 6, 8])
    config = NetworkConfig(**{**SMALL, **settings})
    network = DensityNetwork(config, basis, electrons=ELECTRONS).double()
    numbers, positions = METHANOL
    if basis.has_midpoints:
        middles = bond_midpoints(numbers, positions).positions
        numbers = np.append(numbers, np.zeros(len(middles), int))
        positions = np.concatenate([positions, middles])
    graph = build_graph(numbers, positions, config.cutoff)
    wanted = torch.randn(network(graph).shape, dtype=torch.float64)
    optimizer = torch.optim.Adam(network.parameters(), 5e-4)
    losses = []
    for _ in range(N_STEPS):
        parts = network.predict_parts(graph)
        loss = (parts.coefficients - wanted).square().mean()
        if parts.exponent_factors is not None:
            loss = loss + (parts.exponent_factors - 1.3).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert min(losses) < losses[0]
    charge = float(shell_charge(0, 1.0))
    atoms = {z: AtomicDensity(n, (1.0,), (n / charge,)) for z, n in ELECTRONS.items()}
    reference = AtomicReference("one Gaussian each", atoms)
    checkpoint = Checkpoint(config, basis, reference, {}, network.state_dict())
    return Model(checkpoint, dtype="float64")


@pytest.mark.parametrize("name", CASES)
def test_molecules_can_be_moved_and_their_atoms_renamed(name: str) -> None:
    predict = trained(name).predict
    assert_equivariant(predict, *METHANOL, tolerance=TOLERANCE)
    assert_translation_invariant(predict, *METHANOL, tolerance=TOLERANCE)
    assert_permutation_equivariant(predict, *METHANOL, tolerance=TOLERANCE)


@pytest.mark.parametrize("name", CASES)
def test_far_apart_molecules_do_not_know_of_each_other(name: str) -> None:
    assert_size_consistent(
        trained(name).predict, METHANOL, WATER, distance=20.0, tolerance=TOLERANCE
    )


@pytest.mark.parametrize("name", CASES)
def test_a_supercell_repeats_its_cell(name: str) -> None:
    cell, numbers = 4.4 * ROCKSALT, np.array([8, 6])
    positions = np.array([[0.1, 0.0, 0.0], [2.0, 2.2, 2.3]])
    periodic = (True, True, True)
    one = trained(name).predict(numbers, positions, cell, periodic)
    shifts = np.repeat([[0.0, 0, 0], cell[0]], 2, axis=0)
    doubled = np.diag([2.0, 1, 1]) @ cell
    two = trained(name).predict(
        np.tile(numbers, 2), np.tile(positions, (2, 1)) + shifts, doubled, periodic
    )
    n = one.n_electrons()
    assert two.n_electrons() == pytest.approx(2 * n, abs=1e-9)
    size = np.abs(one.coefficients).max()
    atoms = one.numbers > 0
    functions = np.repeat(atoms[one.shell_centres], 2 * one.shell_ls + 1)
    many = np.repeat((two.numbers > 0)[two.shell_centres], 2 * two.shell_ls + 1)
    error = two.coefficients[many] - np.tile(one.coefficients[functions], 2)
    assert np.abs(error).max() <= TOLERANCE * size
