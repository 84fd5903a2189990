"""Products of functions on the sphere, evaluated on a quadrature grid that makes them exact."""

from __future__ import annotations

import torch
from torch import nn

from scdp_models.harmonics import real_harmonics, sphere_quadrature

__all__ = ["SphereGrid", "n_points"]


def n_points(lmax: int) -> int:
    """Return the number of points on which products of two functions of degree lmax are exact."""
    degree = 3 * lmax + 1
    return (degree + 1) // 2 * degree


class SphereGrid(nn.Module):
    """Harmonic coefficients ⇄ values on a grid on which products of two functions are exact.

    A product of two functions of degree lmax has degree 2 lmax; projecting it back on degree lmax
    integrates polynomials of degree 3 lmax, which the Gauss-Legendre times uniform rule with
    ceil((3 lmax + 1)/2) x (3 lmax + 1) points does without error. Rotating the input rotates the
    result exactly.

    Parameters
    ----------
    lmax
        Highest degree.
    """

    evaluate: torch.Tensor
    project: torch.Tensor

    def __init__(self, lmax: int) -> None:
        super().__init__()
        degree = 3 * lmax + 1
        points, weights = sphere_quadrature((degree + 1) // 2, degree)
        harmonics = torch.as_tensor(real_harmonics(points, lmax))
        self.register_buffer("evaluate", harmonics.T.contiguous(), persistent=False)
        projection = harmonics * torch.as_tensor(weights)[:, None]
        self.register_buffer("project", projection, persistent=False)

    @property
    def n_points(self) -> int:
        """Number of grid points."""
        return self.evaluate.shape[1]

    def to_grid(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Map ``(..., (lmax + 1)^2)`` coefficients to ``(..., n_points)`` values."""
        return coefficients @ self.evaluate.to(coefficients.dtype)

    def from_grid(self, values: torch.Tensor) -> torch.Tensor:
        """Project ``(..., n_points)`` values on ``(..., (lmax + 1)^2)`` coefficients."""
        return values @ self.project.to(values.dtype)
