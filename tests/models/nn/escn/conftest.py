"""Small trunks, real molecules and the vectors of the published model."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import pytest
import torch
from scipy.linalg import block_diag

from scdp_models.density.orbital import rotation_matrix
from scdp_models.graph import AtomGraph, build_graph
from scdp_models.nn.escn.config import EscnConfig
from scdp_models.nn.escn.trunk import EscnTrunk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL = {"n_layers": 2, "n_channels": 6, "n_hidden": 8, "edge_channels": 8, "distance_spacing": 0.3}


class MakeTrunk(Protocol):
    """Makes float64 trunks for three species; settings are those of the configuration."""

    def __call__(self, **settings: Any) -> EscnTrunk: ...


class Case(NamedTuple):
    """A published model, a structure with frames, and what the model computed for it."""

    trunk: EscnTrunk
    graph: AtomGraph
    rotations: torch.Tensor
    arrays: dict[str, np.ndarray]


@pytest.fixture
def make_trunk() -> MakeTrunk:
    """Give a maker of small float64 trunks."""

    def make(**settings: Any) -> EscnTrunk:
        torch.manual_seed(0)
        return EscnTrunk(EscnConfig(**{**SMALL, **settings}), 3, 5.0).double()

    return make


@pytest.fixture
def ethanol(repository: Path) -> tuple[np.ndarray, np.ndarray]:
    """Give species (0, 1, 2 for H, C, O) and positions (Å) of ethanol."""
    with np.load(repository / "tests/data/scdp_reference/cfgA_C2H5OH.npz") as arrays:
        species = np.searchsorted([1, 6, 8], arrays["atom_types"])
        return species, arrays["coords"].astype(float)


@pytest.fixture
def turn_features() -> Callable[[int, np.ndarray], torch.Tensor]:
    """Give what makes the matrix that turns rows of harmonic coefficients."""

    def turn(lmax: int, rotation: np.ndarray) -> torch.Tensor:
        blocks = [rotation_matrix(l, rotation) for l in range(lmax + 1)]
        return torch.as_tensor(block_diag(*blocks)).T

    return turn


@pytest.fixture
def published(repository: Path) -> Callable[[str, str, torch.dtype], Case]:
    """Give a loader of published models with the stored frames and traces of one structure."""
    folder = repository / "tests/data/scdp_reference"

    def load(name: str, structure: str, dtype: torch.dtype) -> Case:
        settings = json.loads((folder / f"{name}_hparams.json").read_text())["model"]
        config = EscnConfig(
            n_layers=settings["num_layers"],
            lmax=settings["lmax_list"][0],
            mmax=settings["mmax_list"][0],
            n_channels=settings["sphere_channels"],
            n_hidden=settings["hidden_channels"],
            edge_channels=settings["edge_channels"],
            cutoff=settings["cutoff"],
            mode="legacy",
        )
        weights = torch.load(folder / f"{name}_state_dict.pt", weights_only=True)
        trunk = EscnTrunk(config, 100)
        trunk.load_state_dict({k: weights[f"model.{k}"] for k in trunk.state_dict()})
        with np.load(folder / f"{structure}.npz") as stored:
            arrays = dict(stored)
        return Case(trunk.to(dtype), *_edges(arrays, dtype), arrays)

    return load


def _edges(arrays: dict[str, np.ndarray], dtype: torch.dtype) -> tuple[AtomGraph, torch.Tensor]:
    """Put the stored edges, their images and frames into a graph."""
    source, target = torch.as_tensor(arrays["edge_index"])
    places, shifts = (torch.as_tensor(arrays[k]).to(dtype) for k in ("coords", "shifts"))
    graph = build_graph(arrays["atom_types"], arrays["coords"], 0.1).to(dtype)
    vectors = places[source] - places[target] - shifts
    graph = replace(graph, source=source, target=target, vectors=vectors)
    return graph, torch.as_tensor(arrays["trace_edge_rot_mat"]).to(dtype)
