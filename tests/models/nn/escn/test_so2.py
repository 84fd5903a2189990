"""SO(2) layers commute with what leaves the edge in place."""

from __future__ import annotations

import pytest
import torch

from scdp_models.nn.escn.config import EscnConfig
from scdp_models.nn.escn.so2 import SO2Block
from scdp_models.nn.escn.wigner import WignerRows, rows_by_order


def _block(mode: str) -> tuple[SO2Block, torch.Tensor, torch.Tensor]:
    config = EscnConfig(lmax=3, n_channels=2, n_hidden=5, edge_channels=4, mode=mode)
    n_rows = len(rows_by_order(3, 2))
    x, x_edge = torch.randn(3, n_rows, 2).double(), torch.randn(3, 4).double()
    return SO2Block(config).double(), x, x_edge


def _matrix(rotation: torch.Tensor) -> torch.Tensor:
    """Return what a rotation about z does to the components kept in an edge's frame."""
    wigner: torch.Tensor = WignerRows(3, 2)(rotation[None].double())[0]
    return wigner[:, rows_by_order(3, 2)]


@pytest.mark.parametrize("mode", ["equivariant", "legacy"])
def test_blocks_commute_with_a_roll(mode: str) -> None:
    block, x, x_edge = _block(mode)
    c, s = torch.tensor(0.7).cos(), torch.tensor(0.7).sin()
    roll = _matrix(torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]]))
    torch.testing.assert_close(block(roll @ x, x_edge), roll @ block(x, x_edge))


@pytest.mark.parametrize("mode", ["equivariant", "legacy"])
def test_only_the_repaired_block_commutes_with_a_reflection(mode: str) -> None:
    block, x, x_edge = _block(mode)
    mirror = _matrix(torch.diag(torch.tensor([1.0, -1.0, 1.0])))
    same = torch.allclose(block(mirror @ x, x_edge), mirror @ block(x, x_edge))
    assert same == (mode == "equivariant")


def test_an_imaginary_part_exists_only_in_the_published_block() -> None:
    names = [{name for name, _ in _block(mode)[0].named_parameters()} for mode in ("legacy",)]
    repaired = {name for name, _ in _block("equivariant")[0].named_parameters()}
    assert repaired < names[0]
    assert {n for n in names[0] - repaired if "_i." not in n} == set()
