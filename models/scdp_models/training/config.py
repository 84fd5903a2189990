"""Training hyper-parameters and the description of a run, saved with a version."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdp_models.errors import TrainingError
from scdp_models.nn.config import NetworkConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LOSSES", "RunSpecification", "TrainingConfig"]

LOSSES = ("coulomb", "grid_mae")
_VERSION = 1


def _known(cls: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(document) - {f.name for f in fields(cls)})
    if unknown:
        msg = f"unknown training settings {unknown}; upgrade scdp-flows or correct the name"
        raise TrainingError(msg)
    return dict(document)


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes
    ----------
    loss
        ``"coulomb"``: (c - c*)' V (c - c*) in Ha on the fitted coefficients; no grid needed.
        ``"grid_mae"``: mean absolute error on sampled voxels, the published recipe's loss.
    n_steps
        Optimiser steps.
    batch_size
        Structures per step.
    learning_rate
        Peak rate of Adam.
    betas
        Adam's averaging constants.
    warmup_steps
        Linear warm-up.
    constant_fraction
        Share of the steps at the peak rate; then linear to zero.
    gradient_clip
        Largest gradient norm.
    ema_decay
        Decay of the averaged weights used in validation and export.
    n_probes
        Voxels per structure and step (``"grid_mae"``).
    steps_per_round
        Steps between validations, checkpoints and progress lines.
    seed
        Key of initial weights and of all sampling.
    threads
        CPU threads; all cores when None. One by default: the network of a small molecule gains
        little from more, and threads that wait for one another stall on a busy machine.
    accelerator
        Lightning's name of the hardware: ``"auto"``, ``"cpu"``, ``"gpu"``.
    """

    loss: str = "coulomb"
    n_steps: int = 3000
    batch_size: int = 4
    learning_rate: float = 5e-3
    betas: tuple[float, float] = (0.9, 0.99)
    warmup_steps: int = 50
    constant_fraction: float = 0.2
    gradient_clip: float = 1.0
    ema_decay: float = 0.995
    n_probes: int = 1500
    steps_per_round: int = 100
    seed: int = 0
    threads: int | None = 1
    accelerator: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        if self.loss not in LOSSES:
            msg = f"unknown loss {self.loss!r}; known: {', '.join(LOSSES)}"
            raise TrainingError(msg)
        counts = (self.n_steps, self.batch_size, self.steps_per_round, self.n_probes)
        if min(counts) < 1 or not self.learning_rate > 0:
            msg = f"steps, batch size, steps per round, probes and rate must be positive: {self}"
            raise TrainingError(msg)
        if self.seed < 0:
            msg = f"seed is {self.seed}; give a non-negative integer"
            raise TrainingError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON document."""
        return {**asdict(self), "betas": list(self.betas)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> TrainingConfig:
        """Rebuild a configuration.

        Raises
        ------
        TrainingError
            If the document has an unknown field.
        """
        return cls(**_known(cls, document))


@dataclass(frozen=True)
class RunSpecification:
    """All that a training process needs to know; written to ``run.json`` in its folder.

    Attributes
    ----------
    training_shards, validation_shards
        Files read by :class:`scdp_models.data.shards.ShardReader`.
    network, training
        Hyper-parameters.
    basis, reference, kind
        JSON documents of the basis set, the atomic reference and the density kind.
    provenance
        Copied into the checkpoint.
    """

    training_shards: tuple[str, ...]
    validation_shards: tuple[str, ...]
    network: NetworkConfig
    training: TrainingConfig
    basis: Mapping[str, Any]
    reference: Mapping[str, Any]
    kind: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: str | Path) -> Path:
        """Write ``run.json`` and return its path."""
        document = {
            "version": _VERSION,
            "training_shards": list(self.training_shards),
            "validation_shards": list(self.validation_shards),
            "network": self.network.to_dict(),
            "training": self.training.to_dict(),
            "basis": dict(self.basis),
            "reference": dict(self.reference),
            "kind": dict(self.kind),
            "provenance": dict(self.provenance),
        }
        path = Path(folder) / "run.json"
        path.write_text(json.dumps(document, indent=1))
        return path

    @classmethod
    def read(cls, folder: str | Path) -> RunSpecification:
        """Read ``run.json``.

        Raises
        ------
        TrainingError
            If it is missing, damaged or of another version.
        """
        path = Path(folder) / "run.json"
        try:
            document = json.loads(path.read_text())
            if document.pop("version") != _VERSION:
                msg = f"{path} was written by another version; start the run in a new folder"
                raise TrainingError(msg)
            document["network"] = NetworkConfig.from_dict(document["network"])
            document["training"] = TrainingConfig.from_dict(document["training"])
            for name in ("training_shards", "validation_shards"):
                document[name] = tuple(document[name])
            return cls(**document)
        except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
            msg = f"{path} does not describe a training run ({error!r})"
            raise TrainingError(msg) from error
