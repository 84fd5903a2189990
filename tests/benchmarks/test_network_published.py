"""The network of the benchmarks computes what the published network computed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.network_published import Edges, PublishedNetwork, published_names
from scdp_models.nn.escn.config import EscnConfig

FOLDER = Path(__file__).parents[1] / "data" / "scdp_reference"


def _network(name: str, state: dict[str, torch.Tensor], dtype: torch.dtype) -> PublishedNetwork:
    settings = json.loads((FOLDER / f"{name}_hparams.json").read_text())["model"]
    config = EscnConfig(
        n_layers=settings["num_layers"],
        lmax=settings["lmax_list"][0],
        mmax=settings["mmax_list"][0],
        n_channels=settings["sphere_channels"],
        n_hidden=settings["hidden_channels"],
        edge_channels=settings["edge_channels"],
        mode="legacy",
    )
    weights = {k: v.to(dtype) for k, v in published_names(state).items() if "expo" not in k}
    species = [state[k].tolist() for k in state if k.endswith(".Ls")]
    outputs = [max(ls.count(l) for ls in species) for l in range(max(map(max, species)) + 1)]
    return PublishedNetwork(config, weights, outputs)


@pytest.mark.parametrize(
    ("name", "dtype", "tolerance"),
    [
        ("cfgA_C2H5OH", torch.float64, 3e-6),
        ("cfgB_CH3CONH2", torch.float32, 5e-6),
        ("cfgC_CO_triclinic", torch.float64, 3e-6),
    ],
    ids=["no midpoints", "midpoints, single precision", "crystal"],
)
def test_published_coefficients_are_reproduced(
    name: str, dtype: torch.dtype, tolerance: float
) -> None:
    state = torch.load(FOLDER / f"{name[:4]}_state_dict.pt", weights_only=True)
    data = {k: torch.as_tensor(v) for k, v in np.load(FOLDER / f"{name}.npz").items()}
    source, target = data["edge_index"]
    vectors = data["coords"][target] - data["coords"][source] + data["shifts"]
    frames = data["trace_edge_rot_mat"].to(dtype)
    edges = Edges(source, target, vectors.to(dtype).norm(dim=1), frames)
    n_functions = int(state["orb_index"][data["atom_types"]].sum())
    network = _network(name[:4], state, dtype)
    features, found = network(data["atom_types"], edges, n_functions)
    expected = data["coeffs_f64"]
    assert torch.linalg.norm(found - expected) < tolerance * torch.linalg.norm(expected)
    traced = data["trace_final_x_flat"].view(features.shape)
    assert torch.linalg.norm(features - traced) < 5e-6 * torch.linalg.norm(traced)
