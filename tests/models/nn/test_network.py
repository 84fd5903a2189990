"""The whole network has the symmetries of a density."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from scdp_models.basis.library import lean_basis
from scdp_models.basis.shells import MIDPOINT
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.errors import GraphError
from scdp_models.graph import AtomGraph, build_graph, collate
from scdp_models.testing import (
    assert_equivariant,
    assert_permutation_equivariant,
    assert_size_consistent,
    assert_translation_invariant,
)
from scdp_models.virtual_nodes import bond_midpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.basis.shells import BasisSet
    from scdp_models.nn.network import DensityNetwork

    Molecule = tuple[np.ndarray, np.ndarray]
    MakeNetwork = Callable[..., DensityNetwork]

ESCN = {"trunk": "escn", "n_layers": 1, "n_hidden": 6, "edge_channels": 5, "distance_spacing": 0.2}
LEGACY = {**ESCN, "mode": "legacy", "activation": "s2", "readout": "tensor_product"}
WATER = (np.array([8, 1, 1]), np.array([[0.0, 0, 0], [0, 0, 0.96], [0.93, 0, -0.24]]))


def _graph(network: DensityNetwork, numbers: np.ndarray, positions: np.ndarray) -> AtomGraph:
    """Build the graph, with midpoints where the basis has them."""
    weights = np.ones(len(numbers))
    if network.basis.has_midpoints:
        middles = bond_midpoints(numbers, positions)
        numbers = np.concatenate([numbers, np.full(len(middles.weights), MIDPOINT)])
        positions = np.concatenate([positions, middles.positions])
        weights = np.concatenate([weights, middles.weights])
    return build_graph(numbers, positions, network.config.cutoff, weights=weights)


def _predictor(
    network: DensityNetwork, dtype: torch.dtype = torch.float64
) -> Callable[[np.ndarray, np.ndarray], OrbitalDensity]:
    network = network.to(dtype)

    def predict(numbers: np.ndarray, positions: np.ndarray) -> OrbitalDensity:
        graph = _graph(network, numbers, positions)
        with torch.no_grad():
            flat, factors, _ = network.predict_parts(graph.to(dtype))
        density = OrbitalDensity.from_basis(
            network.basis, graph.numbers, graph.positions, coefficients=flat
        )
        if factors is None:
            return density
        return replace(density, shell_exponents=factors.numpy() * density.shell_exponents)

    return predict


def _coefficients(network: DensityNetwork, numbers: Any, positions: Any) -> torch.Tensor:
    with torch.no_grad():
        flat: torch.Tensor = network(_graph(network, np.array(numbers), np.array(positions)))
    return flat


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)])
@pytest.mark.parametrize("lmax", [1, 4, 6])
def test_the_density_turns_and_reflects_with_the_molecule(
    make_network: MakeNetwork,
    all_degrees: BasisSet,
    molecule: Molecule,
    lmax: int,
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    predict = _predictor(make_network(all_degrees, lmax=lmax), dtype)
    assert_equivariant(predict, *molecule, tolerance=tolerance)


@pytest.mark.parametrize("midpoints", ["none", "small"])
def test_lean_bases_turn_too(make_network: MakeNetwork, molecule: Molecule, midpoints: str) -> None:
    network = make_network(lean_basis([1, 6, 8], midpoints=midpoints), lmax=4, blocks_per_layer=2)
    assert_equivariant(_predictor(network), *molecule, tolerance=1e-10)


def test_the_density_moves_with_the_molecule(make_network: MakeNetwork, molecule: Molecule) -> None:
    assert_translation_invariant(_predictor(make_network()), *molecule, tolerance=1e-9)
    predict = _predictor(make_network(), torch.float32)
    assert_translation_invariant(predict, *molecule, tolerance=1e-5)


def test_the_order_of_atoms_does_not_matter(make_network: MakeNetwork, molecule: Molecule) -> None:
    assert_permutation_equivariant(_predictor(make_network()), *molecule, tolerance=1e-10)


@pytest.mark.parametrize("electrons", [None, {1: 1.0, 6: 4.0, 8: 6.0}])
def test_molecules_far_apart_give_the_sum(
    make_network: MakeNetwork, molecule: Molecule, electrons: dict[int, float] | None
) -> None:
    network = make_network(electrons=electrons)
    assert_size_consistent(_predictor(network), molecule, WATER, 30.0, tolerance=1e-10)


def test_each_molecule_holds_its_electrons(make_network: MakeNetwork, molecule: Molecule) -> None:
    delta = _predictor(make_network())(*molecule)
    assert delta.n_electrons() == pytest.approx(0, abs=1e-10)
    total = _predictor(make_network(electrons={1: 1.0, 6: 4.0, 8: 6.0}))(*molecule)
    assert total.n_electrons() == pytest.approx(12, abs=1e-10)
    free = _predictor(make_network(project_charge=False))(*molecule)
    assert abs(free.n_electrons()) > 0.01


def test_a_batch_gives_what_its_structures_give_alone(
    make_network: MakeNetwork, molecule: Molecule
) -> None:
    network = make_network()
    graphs = [_graph(network, *structure) for structure in (molecule, WATER, molecule)]
    with torch.no_grad():
        alone = [network(graph) for graph in graphs]
        together = network(collate(graphs))
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-11)
    counts = network.counts(collate(graphs).numbers)
    assert int(counts.sum()) == len(together)


@pytest.mark.parametrize("n_atoms", [1, 2])
def test_single_atoms_and_lone_pairs_of_atoms_work(make_network: MakeNetwork, n_atoms: int) -> None:
    positions = np.outer(np.arange(n_atoms), [0, 0, 30.0])
    flat = _coefficients(make_network(), [8] * n_atoms, positions)
    assert bool(torch.isfinite(flat).all())


@pytest.mark.parametrize("span", [(4.9, 5.1), (3.9, 4.1)])
def test_an_atom_crosses_the_cutoff_without_a_jump(
    make_network: MakeNetwork, span: tuple[float, float]
) -> None:
    # Carbon monoxide and a hydrogen atom that leaves it altogether
    network = make_network(lean_basis([1, 6, 8], lmax=(1, 2)))
    distances = np.linspace(*span, 41)
    rows = torch.stack(
        [_coefficients(network, [6, 8, 1], np.diag([0, 1.13, d])) for d in distances]
    )
    steps = rows.diff(dim=0).abs().amax(dim=1)
    assert float(steps.max()) < 2e-2 * float(rows.abs().max())
    assert float(rows.diff(n=2, dim=0).abs().max()) < 0.3 * float(steps.max())


def test_a_bond_breaks_without_a_jump(make_network: MakeNetwork) -> None:
    network, direction = make_network(), np.array([0.0, 0.3, 0.954])
    n_functions = int(network.counts(torch.tensor([6, 8, MIDPOINT])).sum())
    rows = torch.zeros(71, n_functions, dtype=torch.float64)
    for row, ratio in zip(rows, np.linspace(1.15, 1.5, 71), strict=True):
        flat = _coefficients(network, [6, 8], np.outer([0, 1.42 * ratio], direction))
        row[: len(flat)] = flat  # the midpoint comes last, and is gone in the end
    steps = rows.diff(dim=0).abs().amax(dim=1)
    assert float(rows[0, -1].abs()) > 0
    assert float(rows[-1, -1].abs()) == 0
    assert float(steps.max()) < 0.1 * float(rows.abs().max())
    assert float(steps.diff().abs().max()) < 0.3 * float(steps.max())


def test_gradients_reach_every_parameter(make_network: MakeNetwork, molecule: Molecule) -> None:
    network = make_network()
    loss = (network(_graph(network, *molecule)) ** 2).sum() + (
        network(_graph(network, *WATER)) ** 2
    ).sum()
    loss.backward()
    silent = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not bool(parameter.grad.any())
    ]
    assert not silent


def test_unknown_elements_are_listed_with_the_known_ones(make_network: MakeNetwork) -> None:
    network = make_network()
    for number in (9, 26, 92, -1):
        with pytest.raises(GraphError, match=rf"\[{number}\]; it covers \[1, 6, 8\]"):
            network.species(torch.tensor([8, number]))


@pytest.mark.parametrize("readout", ["linear", "tensor_product"])
@pytest.mark.parametrize("scaled", [False, True], ids=["fixed", "scaled"])
@pytest.mark.parametrize("settings", [{}, ESCN], ids=["compact", "escn"])
def test_every_combination_has_the_symmetries_of_a_density(
    make_network: MakeNetwork,
    molecule: Molecule,
    settings: dict[str, Any],
    readout: str,
    scaled: bool,
) -> None:
    electrons = {1: 1.0, 6: 4.0, 8: 6.0}
    network = make_network(electrons=electrons, readout=readout, scale_exponents=scaled, **settings)
    predict = _predictor(network)
    assert_equivariant(predict, *molecule, tolerance=1e-10)
    assert_permutation_equivariant(predict, *molecule, tolerance=1e-10)
    assert_size_consistent(predict, molecule, WATER, 30.0, tolerance=1e-10)
    assert predict(*molecule).n_electrons() == pytest.approx(12, abs=1e-10)


def test_factors_and_coefficients_come_from_one_pass(
    make_network: MakeNetwork, molecule: Molecule
) -> None:
    network, calls = make_network(scale_exponents=True), list[int]()
    network.trunk.register_forward_hook(lambda *_: calls.append(1))
    graph = _graph(network, *molecule)
    coefficients, factors, _ = network.predict_parts(graph)
    assert len(calls) == 1
    assert factors is not None
    assert len(factors) == sum(network.basis.for_species(int(z)).n_shells for z in graph.numbers)
    assert torch.equal(network(graph), coefficients)
    alone = network.exponent_factors(graph)
    assert alone is not None
    assert torch.equal(alone, factors)
    assert make_network().exponent_factors(graph) is None


@pytest.mark.parametrize("scaled", [False, True], ids=["fixed", "scaled"])
def test_a_fresh_published_network_can_be_trained(
    make_network: MakeNetwork, molecule: Molecule, scaled: bool
) -> None:
    settings = {**LEGACY, "n_layers": 2, "project_charge": False}
    network = make_network(**settings, scale_exponents=scaled)
    flat, factors, _ = network.predict_parts(collate([_graph(network, *molecule)]))
    assert (factors is not None) == scaled
    loss = (flat**2).sum() + (0 if factors is None else (factors**2).sum())
    loss.backward()
    silent = [n for n, p in network.named_parameters() if p.grad is None or not bool(p.grad.any())]
    # Features of the first layer are scalars: its convolutions of m > 0 have nothing to do.
    assert all("layer_blocks.0" in name and "so2_conv" in name for name in silent)


def test_the_published_network_is_not_size_consistent(
    make_network: MakeNetwork, molecule: Molecule
) -> None:
    predict = _predictor(make_network(**LEGACY, project_charge=False))
    with pytest.raises(AssertionError, match="relative errors"):
        assert_size_consistent(predict, molecule, WATER, 30.0, tolerance=1e-3)
