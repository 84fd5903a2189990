"""The mean absolute error on sampled voxels, the published recipe's loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_models.training.gaussians import density_at_points

if TYPE_CHECKING:
    import torch

    from scdp_models.training.labels import PredictedDensity, StructureLabel

__all__ = ["grid_error"]


def grid_error(predicted: PredictedDensity, label: StructureLabel) -> torch.Tensor:
    """Return the mean absolute error on the probes, e/Å^3."""
    probes = label.wanted_probes()
    if probes.table is not None:
        density = probes.table @ predicted.coefficients
    else:
        layout = label.wanted_layout()
        density = density_at_points(
            layout, predicted.coefficients, predicted.exponents(layout), probes.points
        )
    return (density - probes.target).abs().mean()
