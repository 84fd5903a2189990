"""Lack of memory is said clearly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scdp_models.errors import TrainingError
from scdp_models.training.config import TrainingConfig
from scdp_models.training.memory import clear_memory_errors

CONFIG = TrainingConfig(batch_size=5, accumulate=2)
TOO_MANY = 2**56


def _numpy() -> None:
    np.empty(TOO_MANY)


def _torch() -> None:
    torch.empty(TOO_MANY)


def _cuda() -> None:
    raise torch.OutOfMemoryError


@pytest.mark.parametrize("ask", [_numpy, _torch, _cuda])
def test_every_refusal_reads_the_same(ask: object) -> None:
    said = r"out of memory with 3 structures at a time; raise accumulate \(now 2\)"
    with pytest.raises(TrainingError, match=said), clear_memory_errors(CONFIG):
        ask()  # type: ignore[operator]


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="must match"), clear_memory_errors(CONFIG):
        torch.ones(2) + torch.ones(3)
