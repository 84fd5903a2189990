"""Small networks with random weights."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pytest
import torch

from scdp_models.basis.library import lean_basis
from scdp_models.basis.shells import BasisSet, ElementBasis
from scdp_models.nn.config import NetworkConfig
from scdp_models.nn.network import DensityNetwork


class MakeNetwork(Protocol):
    """Makes networks; settings are those of the configuration."""

    def __call__(
        self,
        basis: BasisSet | None = None,
        *,
        electrons: dict[int, float] | None = None,
        **settings: Any,
    ) -> DensityNetwork: ...


@pytest.fixture
def small_settings() -> dict[str, Any]:
    """Give hyper-parameters of a network that takes milliseconds."""
    return {
        "n_channels": 4,
        "lmax": 2,
        "n_radial": 4,
        "pair_embedding": 4,
        "radial_hidden": 8,
        "blocks_per_layer": 1,
    }


@pytest.fixture
def make_network(small_settings: dict[str, Any]) -> MakeNetwork:
    """Give a maker of float64 networks, all parameters of which are random."""

    def make(
        basis: BasisSet | None = None,
        *,
        electrons: dict[int, float] | None = None,
        **settings: Any,
    ) -> DensityNetwork:
        torch.manual_seed(1)
        network = DensityNetwork(
            NetworkConfig(**{**small_settings, **settings}),
            basis or lean_basis([1, 6, 8], lmax=(1, 2), midpoints="smaller"),
            electrons=electrons,
            mean_neighbours=6.0,
        ).double()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        return network

    return make


@pytest.fixture
def all_degrees() -> BasisSet:
    """Give a basis whose shells reach l = 6."""
    shells = ElementBasis((0, 0, 1, 2, 3, 4, 5, 6), (0.3, 1.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0))
    return BasisSet("to l = 6", dict.fromkeys((0, 1, 6, 8), shells))


@pytest.fixture
def molecule() -> tuple[np.ndarray, np.ndarray]:
    """Give numbers and positions (Å) of formaldehyde with a bent, half-broken bond."""
    numbers = np.array([6, 8, 1, 1])
    positions = np.array([[0.0, 0.1, 0.0], [1.2, 0.0, 0.1], [-0.6, 0.9, 0.0], [-0.75, -1.15, 0.3]])
    return numbers, positions
