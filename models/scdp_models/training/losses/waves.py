"""The Coulomb self-energy of the error of a density that is known on a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scdp_models.training.gaussians import density_at_waves

if TYPE_CHECKING:
    import torch

    from scdp_models.training.labels import PredictedDensity, StructureLabel

__all__ = ["wave_energy"]


def wave_energy(predicted: PredictedDensity, label: StructureLabel) -> torch.Tensor:
    """Return 1/(2 V) sum over sampled G of 4 pi |drho(G)|^2 / G^2, Ha.

    See :mod:`scdp_models.data.waves`. No fit is needed, and the box or cell is taken for periodic.
    """
    waves, layout = label.wanted_waves(), label.wanted_layout()
    found = density_at_waves(
        layout, predicted.coefficients, predicted.exponents(layout), waves.vectors
    )
    return (waves.weights * ((found - waves.target) ** 2).sum(1)).sum()
