"""Learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scdp_models.training.config import TrainingConfig

__all__ = ["SCHEDULES", "learning_rate_factor"]

SCHEDULES = ("linear", "paper", "paper_fine_tuning")
"""What ``TrainingConfig.schedule`` may be."""

_DECAY = 0.96


def learning_rate_factor(
    step: int, *, config: TrainingConfig, position: float | None = None
) -> float:
    """Return the rate at a step relative to its peak.

    Parameters
    ----------
    step
        Optimiser steps done.
    config
        Hyper-parameters.
    position
        Place in the schedule, in steps, where time has run ahead of the steps; `step` when None.

    Notes
    -----
    ``"linear"``: warm-up, plateau, linear to zero. ``"paper"``: 0.2 + 0.8 t/1000 up to step 1000,
    then 0.96^(t/4433); ``"paper_fine_tuning"``: 0.96^(t/5319) (SCDP, NeurIPS 2024, published
    configuration).
    """
    place = float(step) if position is None else max(position, float(step))
    if config.schedule == "paper":
        return 0.2 + 0.8 * place / 1000 if place <= 1000 else _DECAY ** (place / 4433)
    if config.schedule == "paper_fine_tuning":
        return float(_DECAY ** (place / 5319))
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1)
    plateau = max(config.constant_fraction * config.n_steps, config.warmup_steps)
    if place <= plateau:
        return 1.0
    return max(0.0, (config.n_steps - place) / max(config.n_steps - plateau, 1.0))
