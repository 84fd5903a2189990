"""Results of the official code, and the published models that they are of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Published:
    """Weights and hyper-parameters of one configuration."""

    state: dict[str, torch.Tensor]
    hparams: dict[str, Any]


@pytest.fixture(scope="session")
def published(repository: Path) -> Callable[[str], Published]:
    """Give a reader of configurations A, B and C; what it gives may be changed."""

    @cache
    def read(name: str) -> Published:
        folder = repository / "tests/data/scdp_reference"
        state = torch.load(folder / f"cfg{name}_state_dict.pt", weights_only=True)
        return Published(state, json.loads((folder / f"cfg{name}_hparams.json").read_text()))

    def copy(name: str) -> Published:
        return Published(dict(read(name).state), json.loads(json.dumps(read(name).hparams)))

    return copy


@pytest.fixture(scope="session")
def results(repository: Path) -> Callable[[str], dict[str, NDArray[Any]]]:
    """Give a reader of inputs and outputs, by names such as ``"A_H2O"``."""

    def read(case: str) -> dict[str, NDArray[Any]]:
        with np.load(repository / f"tests/data/scdp_reference/cfg{case}.npz") as arrays:
            return dict(arrays)

    return read
