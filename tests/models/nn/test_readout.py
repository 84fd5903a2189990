"""From features to coefficients, and the electron count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.graph import AtomGraph, build_graph
from scdp_models.nn.readout import (
    ChargeProjection,
    ProductReadout,
    PublishedReadout,
    Readout,
    function_columns,
)
from scdp_models.nn.whitening import ShellTransform, neutral_direction
from scdp_models.units import BOHR_TO_ANGSTROM

BASIS = BasisSet(
    "two",
    {1: ElementBasis((0, 1), (0.5, 0.8)), 8: ElementBasis((0, 0, 1, 2, 2), (0.3, 2, 1, 0.7, 1.4))},
)


@pytest.fixture
def graph() -> AtomGraph:
    """Give H-O and, 20 Å away, O-H-H."""
    positions = np.array([[0, 0, 0], [1, 0, 0], [20, 0, 0], [21, 0, 0], [20, 1, 0]], dtype=float)
    return build_graph([1, 8, 8, 1, 1], positions, 5.0)


def test_columns_hold_the_functions_of_each_species_in_order() -> None:
    per_degree, columns = function_columns(BASIS)
    assert per_degree == [2, 1, 2]
    assert columns[1].tolist() == [0, 2, 3, 4]
    assert columns[8].tolist() == list(range(2 + 3 + 10))


def test_features_of_one_degree_feed_shells_of_that_degree() -> None:
    readout = Readout(BASIS, 3, 2).double()
    features = torch.zeros(1, 3, 9, dtype=torch.float64)
    features[:, :, 1:4] = torch.randn(1, 3, 3)
    row = readout(features, torch.tensor([1])).detach()[0]
    assert row[:2].tolist() == [0, 0]
    assert float(row[2:5].abs().min()) > 0
    assert float(row[5:].abs().max()) == 0


def test_shells_above_the_network_get_zero() -> None:
    readout = Readout(BASIS, 3, 1).double()
    rows = readout(torch.randn(2, 3, 4, dtype=torch.float64), torch.tensor([0, 1])).detach()
    assert rows.shape == (2, 15)
    assert float(rows[:, 5:].abs().max()) == 0


@pytest.mark.parametrize("kind", [Readout, ProductReadout])
def test_the_whitening_is_undone(kind: type[Readout | ProductReadout]) -> None:
    whitening = {
        (z, l): ShellTransform(
            (1 + l) * np.eye(shells.count(l)), np.full(shells.count(l), 7.0 * (l == 0))
        )
        for z, shells in BASIS.species.items()
        for l in sorted(set(shells.ls))
    }
    plain, scaled = kind(BASIS, 3, 2).double(), kind(BASIS, 3, 2, whitening).double()
    learnt = {name for name, _ in plain.named_parameters()}
    weights = {n: t for n, t in plain.state_dict().items() if n in learnt}
    scaled.load_state_dict(weights, strict=False)
    features, species = torch.randn(2, 3, 9, dtype=torch.float64), torch.tensor([0, 1])
    z, c = plain(features, species).detach(), scaled(features, species).detach()
    torch.testing.assert_close(c[1, :2], z[1, :2] + 7)
    torch.testing.assert_close(c[:, 2:5], 2 * z[:, 2:5])
    torch.testing.assert_close(c[:, 5:], 3 * z[:, 5:])


@pytest.mark.parametrize("kind", [Readout, ProductReadout])
def test_half_precision_ends_before_the_whitening(kind: type[Readout | ProductReadout]) -> None:
    steep = np.array([[1.0, 0.0], [-1000.1, 0.0]])
    whitening = {
        (z, l): ShellTransform(steep if n == 2 else np.eye(n), np.zeros(n))
        for z, shells in BASIS.species.items()
        for l in set(shells.ls)
        for n in (shells.count(l),)
    }
    readout, features = kind(BASIS, 3, 2, whitening), torch.randn(2, 3, 9)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        rows = readout(features, torch.tensor([1, 1]))
    assert rows.dtype == torch.float32
    torch.testing.assert_close(rows[:, 1], -1000.1 * rows[:, 0], rtol=1e-6, atol=0)


def test_products_reach_shells_above_the_features() -> None:
    rows = ProductReadout(BASIS, 3, 1).double()(
        torch.randn(2, 3, 4, dtype=torch.float64), torch.tensor([0, 1])
    )
    rows = rows.detach()
    assert rows.shape == (2, 15)
    assert float(rows[1, 5:].abs().min()) > 0
    assert not bool(rows[0, 5:].any())  # hydrogen has no such shells


def test_published_coefficients_are_in_our_units() -> None:
    readout = PublishedReadout(BASIS, 3, 2).double()
    readout.scale.fill_(0.7)
    features, species = torch.randn(3, 3, 9, dtype=torch.float64), torch.tensor([0, 1, 1])
    structure = torch.tensor([0, 0, 1])
    ratio = readout(features, species, structure) / readout.published(features, species, structure)
    expected = 0.7 * BOHR_TO_ANGSTROM**3 * np.sqrt(4 * np.pi)
    torch.testing.assert_close(ratio[:, 0], torch.full((3,), expected, dtype=torch.float64))
    torch.testing.assert_close(ratio[:, 2:5] * np.sqrt(3), ratio[:, :1].expand(3, 3))


def test_published_coefficients_depend_on_the_size_of_the_structure() -> None:
    readout = PublishedReadout(BASIS, 3, 2).double()
    features, species = torch.randn(2, 3, 9, dtype=torch.float64), torch.tensor([0, 1])
    together = readout.published(features, species, torch.tensor([0, 0]))
    apart = readout.published(features, species, torch.tensor([0, 1]))
    torch.testing.assert_close(apart[0], together[0] * (19 / 4) ** 0.5)


@pytest.mark.parametrize("wanted", [[0.0] * 5, [1.0, 6.0, 6.0, 1.0, 1.0]])
def test_scaled_exponents_keep_the_electron_count(graph: AtomGraph, wanted: list[float]) -> None:
    projection, (_, columns) = ChargeProjection(BASIS), function_columns(BASIS)
    species, factors = torch.tensor([0, 1, 1, 0, 0]), 0.5 + 1.5 * torch.rand(5, 5).double()
    rows, target = torch.randn(5, 15, dtype=torch.float64), torch.tensor(wanted).double()
    rows = projection(rows, species, graph, target, factors)
    numbers = graph.numbers.tolist()
    flat = torch.cat([rows[i, columns[z]] for i, z in enumerate(numbers)])
    density = OrbitalDensity.from_basis(
        BASIS, graph.numbers.numpy(), graph.positions.numpy(), coefficients=flat.numpy()
    )
    own = [factors[i, : BASIS.for_species(z).n_shells].numpy() for i, z in enumerate(numbers)]
    scaled = replace(density, shell_exponents=np.concatenate(own) * density.shell_exponents)
    assert scaled.n_electrons() == pytest.approx(sum(wanted), abs=1e-11)
    assert abs(density.n_electrons() - sum(wanted)) > 1e-3


def test_equal_factors_take_up_charge_as_the_scaled_metric_says() -> None:
    projection, species = ChargeProjection(BASIS), torch.tensor([1])
    graph, one = build_graph([8], [[0, 0, 0]], 5.0), torch.ones(1, dtype=torch.float64)
    zeros = torch.zeros(1, 15, dtype=torch.float64)
    moved = projection(zeros, species, graph, one, torch.full((1, 5), 1.3).double())[0, :2]
    shells = BASIS.for_species(8)
    scaled = ElementBasis(shells.ls, tuple(1.3 * a for a in shells.exponents))
    along, charges = neutral_direction(scaled)
    np.testing.assert_allclose(moved, along / (along @ charges), rtol=1e-6)


def test_held_electrons_are_the_integral_of_the_density(graph: AtomGraph) -> None:
    projection, (_, columns) = ChargeProjection(BASIS), function_columns(BASIS)
    species = torch.tensor([0, 1, 1, 0, 0])
    rows = torch.randn(5, 15, dtype=torch.float64)
    flat = torch.cat([rows[i, columns[z]] for i, z in enumerate(graph.numbers.tolist())])
    density = OrbitalDensity.from_basis(
        BASIS, graph.numbers.numpy(), graph.positions.numpy(), coefficients=flat.numpy()
    )
    # Padded columns of hydrogen must not count.
    assert float(projection.held(rows, species).sum()) == pytest.approx(density.n_electrons())


@pytest.mark.parametrize("wanted", [[0.0] * 5, [1.0, 6.0, 6.0, 1.0, 1.0]])
def test_every_component_gets_its_electrons(graph: AtomGraph, wanted: list[float]) -> None:
    projection, species = ChargeProjection(BASIS), torch.tensor([0, 1, 1, 0, 0])
    rows, target = torch.randn(5, 15, dtype=torch.float64), torch.tensor(wanted).double()
    held = projection.held(projection(rows, species, graph, target), species)
    assert float(held[:2].sum()) == pytest.approx(sum(wanted[:2]), abs=1e-12)
    assert float(held[2:].sum()) == pytest.approx(sum(wanted[2:]), abs=1e-12)


def test_projecting_twice_changes_nothing_more(graph: AtomGraph) -> None:
    projection, species = ChargeProjection(BASIS), torch.tensor([0, 1, 1, 0, 0])
    rows, zero = torch.randn(5, 15, dtype=torch.float64), torch.zeros(5, dtype=torch.float64)
    once = projection(rows, species, graph, zero)
    torch.testing.assert_close(projection(once, species, graph, zero), once)
    torch.testing.assert_close(once[:, 2:], rows[:, 2:], rtol=0, atol=0)  # only s shells move


def test_a_fading_link_changes_the_balance_smoothly() -> None:
    projection, species = ChargeProjection(BASIS), torch.tensor([0, 1])
    zero = torch.zeros(2, dtype=torch.float64)
    rows = torch.randn(2, 15, dtype=torch.float64)
    distances = np.linspace(3.8, 5.2, 71)
    outcomes = torch.stack(
        [
            projection(rows, species, build_graph([1, 8], np.outer([0, d], [1, 0, 0]), 5.0), zero)
            for d in distances
        ]
    )
    steps = outcomes.diff(dim=0).abs().amax(dim=(1, 2))
    change = float((outcomes[-1] - outcomes[0]).abs().max())
    assert change > 0.01
    assert (
        float(steps.max()) < 0.04 * change
    )  # a quintic over 50 steps: 15/8 of a fiftieth of the way


def test_the_count_holds_while_a_link_fades() -> None:
    projection, species = ChargeProjection(BASIS), torch.tensor([0, 1])
    graph = build_graph([1, 8], np.outer([0, 4.5], [1, 0, 0]), 5.0)
    assert graph.n_groups == 3
    rows, zero = torch.randn(2, 15, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    held = projection.held(projection(rows, species, graph, zero), species)
    assert float(held.sum()) == pytest.approx(0, abs=1e-12)
