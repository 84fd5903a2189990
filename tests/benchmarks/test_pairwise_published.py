"""The comparison partner of the benchmarks computes what the published code computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.pairwise_published import nodes_of, published_density
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.units import BOHR_TO_ANGSTROM

FOLDER = Path(__file__).parents[1] / "data" / "scdp_reference"
VECTORS = [
    "cfgA_H2O",
    "cfgA_C2H5OH",
    "cfgA_CH3CONH2",
    "cfgB_H2O",
    "cfgB_C2H5OH",
    "cfgB_CH3CONH2",
    "cfgC_MgO_prim",
    "cfgC_CO_triclinic",
]


def _density(name: str) -> tuple[OrbitalDensity, np.ndarray, np.ndarray]:
    """Read one stored case: density (units and harmonics as ours), points, values."""
    state = torch.load(FOLDER / f"{name[:4]}_state_dict.pt", weights_only=True)
    data = np.load(FOLDER / f"{name}.npz")
    ls, exponents, coefficients, centres = [], [], [], []
    for n, number in enumerate(data["atom_types"].tolist()):
        own = state[f"gto_dict.{number}.Ls"].numpy()
        scaling = data["expo_scaling_f64"][n, : len(own)] if "expo_scaling" in data else 1.0
        factors = np.repeat(np.sqrt(4 * np.pi / (2 * own + 1)), 2 * own + 1)
        ls.append(own)
        exponents.append(state[f"gto_dict.{number}.expos"].double().numpy() * scaling)
        coefficients.append(data["coeffs_f64"][n, state["orb_index"][number].numpy()] * factors)
        centres.append(np.full(len(own), n))
    scale = float(state["scale"]) * BOHR_TO_ANGSTROM**3
    density = OrbitalDensity(
        numbers=data["atom_types"],
        positions=data["coords"].astype(float),
        shell_centres=np.concatenate(centres),
        shell_ls=np.concatenate(ls),
        shell_exponents=np.concatenate(exponents),
        coefficients=scale * np.concatenate(coefficients),
        cell=data["cell"].astype(float),
        pbc=(name.startswith("cfgC"),) * 3,
    )
    return density, data["probe_coords"].astype(float), data["density_f64"]


@pytest.mark.parametrize("name", VECTORS)
def test_published_density_is_reproduced(name: str) -> None:
    density, points, expected = _density(name)
    nodes = nodes_of(density, dtype=torch.float64)
    found = published_density(nodes, torch.as_tensor(points), chunk=500).numpy()
    assert np.linalg.norm(found - expected) < 2e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize("name", ["cfgB_CH3CONH2", "cfgC_CO_triclinic"])
def test_single_precision_is_as_good_as_published(name: str) -> None:
    density, points, expected = _density(name)
    found = published_density(nodes_of(density), torch.as_tensor(points).float()).numpy()
    assert np.linalg.norm(found - expected) < 5e-6 * np.linalg.norm(expected)
