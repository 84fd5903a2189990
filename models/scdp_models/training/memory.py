"""Lack of memory, said in one clear line whatever ran out of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from scdp_models.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scdp_models.training.config import TrainingConfig

__all__ = ["clear_memory_errors"]

# What PyTorch says of memory that the system or a library refuses.
_SIGNS = ("out of memory", "can't allocate memory", "ALLOC_FAILED")


@contextmanager
def clear_memory_errors(config: TrainingConfig) -> Iterator[None]:
    """Turn every error that means lack of memory into one that says so.

    Parameters
    ----------
    config
        Tells how large the parts of a batch were.

    Raises
    ------
    TrainingError
        In place of the error.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        lacking = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not lacking and not any(sign in str(error) for sign in _SIGNS):
            raise
        parts = config.accumulate * (config.devices or 1)
        msg = (
            f"out of memory with {-(-config.batch_size // parts)} structures at a time; raise "
            f"accumulate (now {config.accumulate}), or lower batch_size or n_probes"
        )
        raise TrainingError(msg) from error
