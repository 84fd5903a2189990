"""Functions of the distance with a smooth end."""

from __future__ import annotations

import math

import torch
from torch import nn

__all__ = ["BesselBasis", "smooth_envelope"]


def smooth_envelope(ratio: torch.Tensor) -> torch.Tensor:
    """Return 1 at 0 falling to 0 at 1, with two vanishing derivatives at 1 (and 0 beyond).

    The polynomial envelope with exponent 6 of DimeNet (Gasteiger et al., ICLR 2020, equation 8).
    """
    p = 6
    value = (
        1
        - (p + 1) * (p + 2) / 2 * ratio**p
        + p * (p + 2) * ratio ** (p + 1)
        - p * (p + 1) / 2 * ratio ** (p + 2)
    )
    return torch.where(ratio < 1, value, torch.zeros_like(value))


class BesselBasis(nn.Module):
    """Spherical Bessel functions sin(n pi d / cutoff) / d, times the envelope.

    Parameters
    ----------
    n_functions
        How many.
    cutoff
        Å.
    """

    frequencies: torch.Tensor

    def __init__(self, n_functions: int, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        frequencies = math.pi * torch.arange(1, n_functions + 1, dtype=torch.float64) / cutoff
        self.register_buffer("frequencies", frequencies)

    def forward(self, distance: torch.Tensor) -> torch.Tensor:
        """Map distances ``(n_edges,)`` in Å to ``(n_edges, n_functions)``."""
        d = distance[:, None]
        frequencies = self.frequencies.to(d.dtype)
        values = math.sqrt(2 / self.cutoff) * torch.sin(d * frequencies) / d
        return values * smooth_envelope(d / self.cutoff) * self.cutoff
