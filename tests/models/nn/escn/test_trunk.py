"""The eSCN trunk: symmetries of the repaired mode, numbers of the published one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from scdp_models.graph import AtomGraph, build_graph, collate
from scdp_models.testing import random_rotations

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.nn.escn.trunk import EscnTrunk

    MakeTrunk = Callable[..., EscnTrunk]
    Case = tuple[EscnTrunk, AtomGraph, torch.Tensor, dict[str, np.ndarray]]

    Molecule = tuple[np.ndarray, np.ndarray]
    Turn = Callable[[int, np.ndarray], torch.Tensor]

STRUCTURES = [
    ("cfgA", "cfgA_H2O"),
    ("cfgA", "cfgA_C2H5OH"),
    ("cfgA", "cfgA_CH3CONH2"),
    ("cfgB", "cfgB_H2O"),
    ("cfgB", "cfgB_C2H5OH"),
    ("cfgB", "cfgB_CH3CONH2"),
    ("cfgC", "cfgC_MgO_prim"),
    ("cfgC", "cfgC_CO_triclinic"),
]


def _features(trunk: EscnTrunk, molecule: Molecule, cutoff: float = 6.0) -> torch.Tensor:
    species, positions = molecule
    with torch.no_grad():
        out: torch.Tensor = trunk(build_graph(species, positions, cutoff), torch.as_tensor(species))
    return out


def _error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def _equivariance_error(trunk: EscnTrunk, molecule: Molecule, turn: Turn) -> float:
    before = _features(trunk, molecule)
    errors = []
    for matrix in random_rotations(1, 2):
        after = _features(trunk, (molecule[0], molecule[1] @ matrix.T))
        errors.append(_error(after, before @ turn(trunk.config.lmax, matrix)))
    return max(errors)


def _traces(case: Case) -> dict[str, torch.Tensor]:
    """Run with the stored frames and record what the layers make."""
    traces: dict[str, torch.Tensor] = {}

    def record(name: str) -> Callable[[object, object, torch.Tensor], None]:
        def hook(_module: object, _inputs: object, out: torch.Tensor) -> None:
            traces[name] = out if out.ndim == 2 else out.transpose(1, 2)

        return hook

    trunk, graph, rotations, _ = case
    parts = {"out": "", "message": ".message_block", "x_edge": ".message_block.edge_block"}
    for k in range(trunk.config.n_layers):
        for name, path in parts.items():
            module = trunk.get_submodule(f"layer_blocks.{k}{path}")
            module.register_forward_hook(record(f"layer{k}_{name}"))
    with torch.no_grad():
        x = trunk(graph, graph.numbers, rotations)
    return {**traces, "final_x_flat": x.transpose(1, 2).flatten(1)}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["double", "single"])
@pytest.mark.parametrize(("model", "structure"), STRUCTURES, ids=[s for _, s in STRUCTURES])
def test_published_traces_are_reproduced(
    published: Callable[..., Case], model: str, structure: str, dtype: torch.dtype
) -> None:
    case = published(model, structure, dtype)
    traces = _traces(case)
    assert len(traces) == 3 * case[0].config.n_layers + 1
    for name, found in traces.items():
        expected = torch.as_tensor(case[3][f"trace_{name}"]).to(dtype)
        # Traces are float32: what was computed in double differs from them by their rounding.
        assert _error(found, expected) < 2e-6, name


def test_without_stored_frames_the_roll_is_ours_and_always_the_same(
    published: Callable[..., Case],
) -> None:
    trunk, graph, rotations, _ = published("cfgB", "cfgB_C2H5OH", torch.float64)
    with torch.no_grad():
        stored = trunk(graph, graph.numbers, rotations)
        first, second = (trunk(graph, graph.numbers) for _ in range(2))
    assert torch.equal(first, second)
    assert 1e-8 < _error(first, stored) < 1e-4


@pytest.mark.parametrize("lmax", [2, 4, 6])
def test_features_turn_with_the_molecule(
    make_trunk: MakeTrunk, ethanol: Molecule, turn_features: Turn, lmax: int
) -> None:
    assert _equivariance_error(make_trunk(lmax=lmax), ethanol, turn_features) < 1e-11


def test_large_random_weights_turn_as_well(
    make_trunk: MakeTrunk, ethanol: Molecule, turn_features: Turn
) -> None:
    trunk = make_trunk(lmax=3, n_layers=4, mmax=3)
    with torch.no_grad():
        for parameter in trunk.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    assert _equivariance_error(trunk, ethanol, turn_features) < 1e-10


def test_finer_grids_turn_better(
    make_trunk: MakeTrunk, ethanol: Molecule, turn_features: Turn
) -> None:
    trunks = (make_trunk(activation="s2", oversampling=f) for f in (1.0, 2.0, 3.0))
    errors = [_equivariance_error(trunk, ethanol, turn_features) for trunk in trunks]
    assert 0.3 > errors[0] > 3 * errors[1] > 9 * errors[2]


def test_a_roll_about_the_edge_changes_nothing(make_trunk: MakeTrunk, ethanol: Molecule) -> None:
    trunk, (species, positions) = make_trunk(), ethanol
    graph, numbers = build_graph(species, positions, 6.0), torch.as_tensor(species)
    directions = graph.vectors / graph.vectors.norm(dim=1, keepdim=True)
    angles = torch.linspace(0, 6, len(directions)).double()
    c, s, zero, one = angles.cos(), angles.sin(), torch.zeros_like(angles), torch.ones_like(angles)
    rolls = torch.stack([c, -s, zero, s, c, zero, zero, zero, one], dim=1).view(-1, 3, 3)
    with torch.no_grad():
        before = trunk(graph, numbers)
        after = trunk(graph, numbers, rolls @ trunk._frames(directions, None))
    assert _error(after, before) < 1e-13


def test_order_of_atoms_is_of_no_matter(make_trunk: MakeTrunk, ethanol: Molecule) -> None:
    trunk, order = make_trunk(), np.random.default_rng(0).permutation(len(ethanol[0]))
    after = _features(trunk, (ethanol[0][order], ethanol[1][order]))
    assert _error(after, _features(trunk, ethanol)[order]) < 1e-13


def test_molecules_far_apart_do_not_feel_each_other(
    make_trunk: MakeTrunk, ethanol: Molecule
) -> None:
    trunk, alone = make_trunk(), _features(make_trunk(), ethanol)
    far = np.concatenate([ethanol[1], ethanol[1] + [50.0, 0, 0]])
    both = _features(trunk, (np.tile(ethanol[0], 2), far))
    assert _error(both, torch.cat([alone, alone])) < 1e-13
    graph = build_graph(*ethanol, 6.0)
    batch = trunk(collate([graph, graph]), torch.as_tensor(np.tile(ethanol[0], 2))).detach()
    assert _error(batch, torch.cat([alone, alone])) < 1e-13


def test_a_supercell_repeats_its_cell(make_trunk: MakeTrunk) -> None:
    trunk = make_trunk()
    cell = np.array([[3.1, 0, 0], [0.4, 3.4, 0], [-0.3, 0.5, 3.9]])
    positions, species = np.array([[0.1, 0.2, 0.0], [1.4, 1.7, 1.1]]), np.array([0, 2])
    double = np.concatenate([positions, positions + cell[2]])
    cells = (cell, cell * [[1], [1], [2]])
    small, large = (
        trunk(build_graph(z, r, 4.0, cell=c, pbc=(True,) * 3), torch.as_tensor(z)).detach()
        for z, r, c in zip((species, np.tile(species, 2)), (positions, double), cells, strict=True)
    )
    assert _error(large, torch.cat([small, small])) < 1e-13


def test_a_lone_atom_is_spherical(make_trunk: MakeTrunk) -> None:
    for activation in ("gate", "s2"):
        features = _features(make_trunk(activation=activation), (np.array([1]), np.zeros((1, 3))))
        assert float(features[..., 0].abs().max()) > 0.1
        assert float(features[..., 1:].abs().max()) < 1e-12


def test_gradients_are_those_of_differences(make_trunk: MakeTrunk, ethanol: Molecule) -> None:
    trunk, (species, positions) = make_trunk(n_layers=2), ethanol
    graph, numbers = build_graph(species, positions, 6.0), torch.as_tensor(species)
    weights = torch.randn(len(species), 6, 16).double()
    places = torch.as_tensor(positions).requires_grad_()

    def value(x: torch.Tensor) -> torch.Tensor:
        moved = replace(graph, vectors=x[graph.source] - x[graph.target])
        total: torch.Tensor = (trunk(moved, numbers) * weights).sum()
        return total

    (gradient,) = torch.autograd.grad(value(places), places)
    step = torch.randn_like(places) * 1e-4
    with torch.no_grad():
        slope = (value(places + step) - value(places - step)) / 2
    assert float(slope) == pytest.approx(float((gradient * step).sum()), rel=1e-5)


def test_a_neighbour_fades_out_at_the_cutoff(make_trunk: MakeTrunk) -> None:
    trunk = make_trunk()
    alone = _features(trunk, (np.array([0]), np.zeros((1, 3))))

    def change(distance: float) -> float:
        pair = (np.array([0, 1]), np.array([[0, 0, 0], [0, 0.6, 0.8]]) * distance)
        return float((_features(trunk, pair, 9.0)[:1] - alone).norm())

    near, nearer = change(6 - 1e-3), change(6 - 2e-3)
    assert change(6 + 1e-3) < 1e-14
    assert nearer / near == pytest.approx(8, rel=0.05)  # third order in the distance left


def test_a_centre_of_small_weight_is_hardly_felt(make_trunk: MakeTrunk) -> None:
    trunk, positions = make_trunk(), np.eye(3)
    alone = _features(trunk, (np.array([0, 1]), positions[:2]))
    changes = []
    for weight in (1e-4, 1e-7):
        graph = build_graph([0, 1, 1], positions, 6.0, weights=[1.0, 1.0, weight])
        features = trunk(graph, graph.numbers).detach()[:2]
        changes.append(float((features - alone).abs().max()))
    assert changes[0] > 1e-7
    assert changes[1] == pytest.approx(changes[0] * 1e-3, rel=0.05)


@pytest.mark.parametrize("mode", ["equivariant", "legacy"])
def test_mixed_precision_stays_close(make_trunk: MakeTrunk, ethanol: Molecule, mode: str) -> None:
    trunk, numbers = make_trunk(mode=mode).float(), torch.as_tensor(ethanol[0])
    graph: AtomGraph = build_graph(*ethanol, 6.0).to(torch.float32)
    with torch.no_grad():
        exact = trunk(graph, numbers)
        with torch.autocast("cpu", torch.bfloat16):
            rough = trunk(graph, numbers)
    assert 1e-5 < _error(rough.float(), exact) < 0.05


def test_degree_zero_alone_works(make_trunk: MakeTrunk, ethanol: Molecule) -> None:
    for activation in ("gate", "s2"):
        trunk = make_trunk(lmax=0, mmax=0, activation=activation)
        assert _features(trunk, ethanol).shape == (9, trunk.n_features, 1)
