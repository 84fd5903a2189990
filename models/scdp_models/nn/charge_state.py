"""Tell a network the total charge and the number of unpaired electrons of each structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from scdp_models.errors import GraphError

if TYPE_CHECKING:
    from scdp_models.graph import AtomGraph

__all__ = ["ChargeState", "check_neutral"]


def check_neutral(graph: AtomGraph) -> None:
    """Refuse ions, whose electrons a network without charge input would miscount.

    Raises
    ------
    GraphError
        If a structure is charged.
    """
    charged = graph.charge[graph.charge != 0]
    if len(charged):
        msg = (
            f"a structure has charge {charged[0].item():+g} and this network knows neutral ones "
            "only; train one with charge_input=True on ions too, or remove the charge"
        )
        raise GraphError(msg)


class ChargeState(nn.Module):
    """Scalars of the electronic state, added to the first scalars of every node.

    They are f(charge, unpaired) - f(0, 0), with a smooth f: a neutral closed shell gets exactly
    what a network without them computes, however large it is, and keeps its size consistency.

    Parameters
    ----------
    n_channels
        Number of scalars.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, n_channels), nn.SiLU(), nn.Linear(n_channels, n_channels, bias=False)
        )

    def forward(self, graph: AtomGraph) -> torch.Tensor:
        """Return the scalars of each node, shape ``(n_nodes, n_channels)``."""
        state = torch.stack([graph.charge, graph.unpaired], dim=1)
        change: torch.Tensor = self.net(state) - self.net(torch.zeros_like(state))
        return change[graph.structure]
