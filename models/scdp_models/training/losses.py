"""Losses on predicted coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["coulomb_energies", "grid_errors"]


def coulomb_energies(
    predicted: torch.Tensor, targets: Sequence[torch.Tensor], metrics: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Return the electrostatic self-energy of each structure's error.

    Parameters
    ----------
    predicted
        Flat coefficients of the batch, shape ``(sum of n_functions,)``.
    targets, metrics
        Per structure: c* ``(n_functions,)`` and V ``(n_functions, n_functions)`` in Ha.

    Returns
    -------
    torch.Tensor
        (c - c*)' V (c - c*) / 2 of each structure, Ha.
    """
    parts = predicted.split([len(target) for target in targets])
    energies = []
    for part, target, metric in zip(parts, targets, metrics, strict=True):
        error = part - target
        energies.append(0.5 * error @ (metric @ error))
    return torch.stack(energies)


def grid_errors(
    predicted: torch.Tensor, values: Sequence[torch.Tensor], targets: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Return the mean absolute error of each structure on its probes, e/Å^3.

    Parameters
    ----------
    predicted
        Flat coefficients of the batch.
    values, targets
        Per structure: function values ``(n_probes, n_functions)`` and density ``(n_probes,)``.
    """
    parts = predicted.split([table.shape[1] for table in values])
    errors = [
        (table @ part - target).abs().mean()
        for part, table, target in zip(parts, values, targets, strict=True)
    ]
    return torch.stack(errors)
