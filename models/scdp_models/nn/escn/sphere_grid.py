"""SiLU of values on a sphere grid, as in the published model."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from scdp_models.harmonics import real_harmonics
from scdp_models.nn.escn.wigner import rows_by_order

__all__ = ["ActivationGrid", "fejer_weights", "published_resolution"]


def published_resolution(lmax: int, mmax: int) -> tuple[int, int]:
    """Return the polar and azimuthal number of points of the published grids."""
    return 2 * (lmax + 1), (2 * mmax + 3 if mmax == lmax else 2 * mmax + 1)


def fejer_weights(n: int) -> np.ndarray:
    """Return weights for polar angles (i + 1/2) pi / n, exact to degree n - 1 in cos(theta).

    Fejér's first rule; for even n the rule of Kostelec and Rockmore that e3nn uses.
    """
    angles = (np.arange(n) + 0.5) * np.pi / n
    k = np.arange(1, n // 2 + 1)
    terms = np.cos(2 * np.outer(angles, k)) / (4.0 * k**2 - 1)
    return np.asarray(2 / n * (1 - 2 * terms.sum(1)))


class ActivationGrid(nn.Module):
    """Harmonic coefficients ⇄ values on an equiangular grid.

    Parameters
    ----------
    lmax, mmax
        Highest degree and order of the coefficients. With ``mmax < lmax`` they are in the order
        of :func:`~scdp_models.nn.escn.wigner.rows_by_order`, else l after l.
    oversampling
        Factor on both resolutions.
    by_order
        Order of the coefficients: |m| after |m| (edges) or l after l (nodes).
    """

    evaluate: torch.Tensor
    project: torch.Tensor

    def __init__(
        self, lmax: int, mmax: int, *, oversampling: float = 1.0, by_order: bool = False
    ) -> None:
        super().__init__()
        published = published_resolution(lmax, mmax)
        n_polar, n_azimuth = (math.ceil(n * oversampling) for n in published)
        polar = (np.arange(n_polar) + 0.5) * np.pi / n_polar
        azimuth = 2 * np.pi * np.arange(n_azimuth) / n_azimuth
        theta, phi = (a.ravel() for a in np.meshgrid(polar, azimuth, indexing="ij"))
        sine = np.sin(theta)
        points = np.stack([sine * np.cos(phi), sine * np.sin(phi), np.cos(theta)], axis=1)
        weights = np.repeat(fejer_weights(n_polar) * 2 * np.pi / n_azimuth, n_azimuth)
        rows = rows_by_order(lmax, mmax)
        columns = (rows if by_order else rows.sort().values).numpy()
        harmonics = real_harmonics(points, lmax)[:, columns]
        self.register_buffer("evaluate", torch.as_tensor(harmonics.T.copy()), persistent=False)
        projection = torch.as_tensor(harmonics * weights[:, None])
        self.register_buffer("project", projection, persistent=False)

    def to_grid(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Map ``(..., n_coefficients)`` to values ``(..., n_points)``."""
        return coefficients @ self.evaluate.to(coefficients.dtype)

    def from_grid(self, values: torch.Tensor) -> torch.Tensor:
        """Project values ``(..., n_points)`` on coefficients ``(..., n_coefficients)``."""
        return values @ self.project.to(values.dtype)
