"""Edges and virtual nodes as the official preprocessing makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scdp_models.errors import GraphError
from scdp_models.nn.legacy.structure import published_edges, published_midpoints


@pytest.mark.parametrize("case", ["A_C2H5OH", "B_CH3CONH2", "C_MgO_prim", "C_CO_triclinic"])
def test_edges_come_in_the_published_order(results: Any, case: str) -> None:
    stored = results(case)
    edges = published_edges(stored["coords"], 6.0, cell=stored["cell"], pbc=case[0] == "C")
    np.testing.assert_array_equal(edges.ends, stored["edge_index"])
    np.testing.assert_allclose(edges.shifts, stored["shifts"], atol=1e-5)


def test_the_cutoff_itself_is_included_and_coinciding_nodes_are_not_linked() -> None:
    edges = published_edges([[0.0, 0, 0], [6.0, 0, 0], [0.0, 0, 0]], 6.0)
    assert edges.ends.T.tolist() == [[1, 0], [0, 1], [2, 1], [1, 2]]


@pytest.mark.parametrize("molecule", ["H2O", "C2H5OH", "CH3CONH2"])
def test_midpoints_are_the_published_ones(results: Any, molecule: str) -> None:
    stored = results(f"B_{molecule}")
    real = stored["atom_types"] > 0
    found = published_midpoints(stored["atom_types"][real], stored["coords"][real])
    np.testing.assert_array_equal(found, stored["coords"][~real])


@pytest.mark.parametrize(
    ("pair", "distance", "bonded"),
    [
        ((1, 1), 0.68, True),  # 0.62 / 0.9
        ((1, 1), 0.70, False),
        ((6, 1), 1.33, True),  # 1.07 / 0.8
        ((7, 1), 1.51, True),  # 1.02 / 0.67
        ((6, 6), 1.78, True),  # 1.52 / 0.85
        ((6, 6), 1.80, False),
        ((29, 1), 2.16, True),  # 1.63 / 0.75: metal and hydrogen
        ((3, 1), 2.0, False),  # an alkali metal is none of those: 1.59 / 0.9
        ((12, 7), 2.64, True),  # 2.12 / 0.8
        ((19, 8), 2.8, True),  # 2.69 / 0.95: potassium
        ((14, 14), 2.2, False),  # metalloids count as metals here
    ],
)
def test_bonds_follow_the_factors(pair: tuple[int, int], distance: float, bonded: bool) -> None:
    found = published_midpoints(pair, [[0.0, 0, 0], [distance, 0, 0]])
    assert len(found) == bonded


def test_single_atoms_have_none_and_heavy_ones_are_named() -> None:
    assert published_midpoints([8], [[0.0, 0, 0]]).shape == (0, 3)
    with pytest.raises(GraphError, match=r"atomic numbers \[92\]"):
        published_midpoints([92, 1], [[0.0, 0, 0], [1.0, 0, 0]])
