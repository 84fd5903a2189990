"""Charge and spin enter a network without harm to symmetry, size consistency and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from scdp_models.density.orbital import OrbitalDensity
from scdp_models.errors import CheckpointError, GraphError
from scdp_models.graph import build_graph, collate
from scdp_models.nn.charge_state import ChargeState
from scdp_models.nn.config import NetworkConfig
from scdp_models.testing import assert_equivariant, assert_size_consistent

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_models.basis.shells import BasisSet
    from scdp_models.nn.network import DensityNetwork

    MakeNetwork = Callable[..., DensityNetwork]

Molecule = tuple[np.ndarray, np.ndarray]
BOTH = {"charge_input": True, "spin_output": True}
TRUNKS = pytest.mark.parametrize(
    "trunk", [{}, {"trunk": "escn", "n_hidden": 8, "edge_channels": 8}], ids=["compact", "escn"]
)
WATER = (np.array([8, 1, 1]), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.96], [0.93, 0.0, -0.24]]))


def _predict(
    network: DensityNetwork, state: tuple[int, int], *, spin: bool = False
) -> Callable[[np.ndarray, np.ndarray], OrbitalDensity]:
    """Predict densities or spin densities in one electronic state."""

    def predict(numbers: np.ndarray, positions: np.ndarray) -> OrbitalDensity:
        graph = build_graph(numbers, positions, network.config.cutoff).with_state(*state)
        with torch.no_grad():
            output = network.predict_parts(graph)
        flat = output.spin if spin else output.coefficients
        return OrbitalDensity.from_basis(network.basis, numbers, positions, coefficients=flat)

    return predict


@TRUNKS
def test_both_densities_turn_with_an_ion_and_hold_its_electrons(
    make_network: MakeNetwork, all_degrees: BasisSet, molecule: Molecule, trunk: dict[str, object]
) -> None:
    network = make_network(all_degrees, lmax=6, **BOTH, **trunk)
    for spin, held in ((False, 1.0), (True, 3.0)):
        predict = _predict(network, (-1, 3), spin=spin)
        assert_equivariant(predict, *molecule, tolerance=1e-10)
        assert predict(*molecule).n_electrons() == pytest.approx(held, abs=1e-10)


@TRUNKS
def test_neutral_closed_shells_stay_size_consistent(
    make_network: MakeNetwork, molecule: Molecule, trunk: dict[str, object]
) -> None:
    network = make_network(**BOTH, **trunk)
    assert_size_consistent(_predict(network, (0, 0)), molecule, WATER, 30.0, tolerance=1e-10)
    assert not _predict(network, (0, 0), spin=True)(*molecule).coefficients.any()


@TRUNKS
def test_the_neutral_density_is_that_of_a_network_without_charge(
    make_network: MakeNetwork, molecule: Molecule, trunk: dict[str, object]
) -> None:
    network, plain = make_network(**BOTH, **trunk), make_network(**trunk)
    plain.load_state_dict(network.state_dict(), strict=False)
    expected = _predict(plain, (0, 0))(*molecule).coefficients
    found = _predict(network, (0, 0))(*molecule).coefficients
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)
    ion = _predict(network, (1, 1))(*molecule).coefficients
    assert np.abs(ion - expected).max() > 1e-2


def test_the_scalars_are_smooth_and_vanish_for_neutral_closed_shells() -> None:
    torch.manual_seed(0)
    module, graph = ChargeState(4).double(), build_graph(*WATER, 5.0)
    assert not module(graph).any()
    steps = [module(graph.with_state(0.5 + d, 1))[0] for d in (-1e-4, 0.0, 1e-4)]
    slope = (steps[2] - steps[0]) / 2e-4
    torch.testing.assert_close((steps[1] - steps[0]) / 1e-4, slope, rtol=0, atol=1e-4)
    assert float(slope.detach().abs().max()) > 1e-3


def test_structures_of_a_batch_keep_their_own_states(make_network: MakeNetwork) -> None:
    network = make_network(**BOTH)
    graphs = [build_graph(*WATER, 5.0).with_state(*s) for s in ((0, 0), (1, 1), (-2, 2))]
    batch = collate(graphs)
    assert batch.charge.tolist() == [0, 1, -2]
    together = network.predict_parts(batch)
    alone = [network.predict_parts(graph) for graph in graphs]
    torch.testing.assert_close(together.coefficients, torch.cat([a.coefficients for a in alone]))
    assert together.spin is not None
    torch.testing.assert_close(together.spin, torch.cat([a.spin for a in alone]))  # type: ignore[misc]


def test_a_charge_is_held_by_several_molecules_together(
    make_network: MakeNetwork, molecule: Molecule
) -> None:
    network = make_network(**BOTH)
    numbers = np.concatenate([molecule[0], WATER[0]])
    positions = np.concatenate([molecule[1], WATER[1] + 30.0])
    density = _predict(network, (1, 1))(numbers, positions)
    assert density.n_electrons() == pytest.approx(-1, abs=1e-10)
    spin = _predict(network, (1, 1), spin=True)(numbers, positions)
    assert spin.n_electrons() == pytest.approx(1, abs=1e-10)


def test_without_charge_input_an_ion_is_refused(make_network: MakeNetwork) -> None:
    graph = build_graph(*WATER, 5.0).with_state(1)
    with pytest.raises(GraphError, match=r"charge \+1 .* charge_input=True"):
        make_network()(graph)


@pytest.mark.parametrize("state", [(np.nan, 0), (0, -1)], ids=["nan", "negative"])
def test_impossible_states_are_refused(state: tuple[float, float]) -> None:
    with pytest.raises(GraphError, match="give a number of e"):
        build_graph(*WATER, 5.0).with_state(*state)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spin_output": True}, "set charge_input=True"),
        ({**BOTH, "scale_exponents": True}, "fixed exponents"),
        (
            {
                "charge_input": True,
                "mode": "legacy",
                "trunk": "escn",
                "activation": "s2",
                "readout": "tensor_product",
            },
            "leave charge_input",
        ),
    ],
    ids=["spin alone", "exponents", "legacy"],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        NetworkConfig(**settings)  # type: ignore[arg-type]
