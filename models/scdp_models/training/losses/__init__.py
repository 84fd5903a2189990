"""Losses: each takes what is predicted of a structure and its label, and gives one number."""

from __future__ import annotations

from scdp_models.training.losses.coefficients import coefficient_error
from scdp_models.training.losses.coulomb import coulomb_energy, coulomb_spin_energy
from scdp_models.training.losses.grid import grid_error
from scdp_models.training.losses.waves import wave_energy

__all__ = ["LOSS_FUNCTIONS"]

LOSS_FUNCTIONS = {
    "coulomb": coulomb_energy,
    "grid_mae": grid_error,
    "coulomb_g": wave_energy,
    "coefficients": coefficient_error,
    "coulomb_spin": coulomb_spin_energy,
}
"""Name in :data:`scdp_models.training.kinds.LOSS_KINDS` → function."""
