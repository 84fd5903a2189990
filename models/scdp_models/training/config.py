"""Training hyper-parameters and the description of a run, saved with a version."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scdp_models.errors import TrainingError
from scdp_models.nn.config import NetworkConfig
from scdp_models.training.kinds import LOSS_KINDS, LossSwitch, checked_loss
from scdp_models.training.schedule import SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PRECISIONS", "RunSpecification", "TrainingConfig"]

PRECISIONS = ("32", "bf16-mixed", "64")
"""What ``TrainingConfig.precision`` may be."""

_VERSION = 2
_POSITIVE = (
    "n_steps",
    "batch_size",
    "accumulate",
    "steps_per_round",
    "n_probes",
    "n_waves",
    "learning_rate",
    "epsilon",
    "gradient_clip",
)


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
        ``"coulomb"``: (c - c*)' V (c - c*) / 2 in Ha on the fitted coefficients; no grid needed.
        ``"grid_mae"``: mean absolute error on sampled voxels in e/Å^3, the published recipe's
        loss. ``"coulomb_g"``: the Coulomb energy of the error in Ha from sampled Fourier
        coefficients of a grid; no fit needed. ``"coefficients"``: squared error of each fitted
        coefficient relative to its variance, for comparisons. ``"coulomb_spin"``: as
        ``"coulomb"`` for the spin density, to be added by `loss_weights` where one is predicted.
    loss_weights
        Losses added to it, name → weight. All are brought to about the same size first; see
        :data:`scdp_models.training.kinds.LOSS_KINDS`.
    loss_switch
        ``{"after": share of the run, "to": name}``: the loss of the rest of the run.
    n_steps
        Optimiser steps.
    max_seconds
        Training time (validation not counted) after which the run ends; None: no limit. The
        schedule then follows whichever of steps and time is further. Resuming such a run does not
        give the same bits as an uninterrupted one.
    patience
        Rounds without a better validation loss after which the run ends; the best weights are
        exported. None: train to the end and export the last weights.
    batch_size
        Structures per step, over all devices.
    accumulate
        Parts that a batch is cut into to save memory; the step stays the same up to rounding.
    devices
        Processes that share each batch. None: one for each accelerator that can be seen, or one
        on a CPU; under ``srun`` or ``torchrun`` as many as were started.
    learning_rate
        Peak rate of Adam.
    betas, epsilon
        Adam's averaging constants, and what it adds to its denominator.
    schedule
        ``"linear"``: warm-up, constant, linear to zero; ``"paper"`` and ``"paper_fine_tuning"``:
        see :func:`scdp_models.training.schedule.learning_rate_factor`.
    warmup_steps
        Linear warm-up (``"linear"``).
    constant_fraction
        Share of the steps at the peak rate; then linear to zero (``"linear"``).
    gradient_clip
        Largest gradient norm.
    ema_decay
        Decay of the averaged weights used in validation and export.
    n_probes
        Voxels per structure and step (``"grid_mae"``), and in validation.
    n_waves
        Wave vectors per structure and step (``"coulomb_g"``).
    steps_per_round
        Steps between validations, checkpoints and progress lines.
    initial_weights
        Checkpoint to start from, or None. Its network must be the same; only the scaling of
        exponents, the charge input and the spin output may be new.
    seed
        Key of initial weights and of all sampling.
    precision
        ``"32"``, ``"64"``, or ``"bf16-mixed"``: the network in bfloat16 where that is safe, losses
        in float32.
    tensorboard
        Whether to write event files for TensorBoard, which must be installed.
    threads
        CPU threads of each process; all cores when None. One by default: the network of a small
        molecule gains little from more, and threads that wait for one another stall on a busy
        machine.
    accelerator
        Lightning's name of the hardware: ``"auto"``, ``"cpu"``, ``"gpu"``.
    """

    loss: str = "coulomb"
    loss_weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    loss_switch: LossSwitch | None = None
    n_steps: int = 3000
    max_seconds: float | None = None
    patience: int | None = None
    batch_size: int = 4
    accumulate: int = 1
    devices: int | None = None
    learning_rate: float = 5e-3
    betas: tuple[float, float] = (0.9, 0.99)
    epsilon: float = 1e-8
    schedule: str = "linear"
    warmup_steps: int = 50
    constant_fraction: float = 0.2
    gradient_clip: float = 1.0
    ema_decay: float = 0.995
    n_probes: int = 1500
    n_waves: int = 1500
    steps_per_round: int = 100
    initial_weights: str | None = None
    seed: int = 0
    precision: str = "32"
    tensorboard: bool = False
    threads: int | None = 1
    accelerator: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "betas", tuple(self.betas))
        if self.loss_switch is not None and not isinstance(self.loss_switch, LossSwitch):
            object.__setattr__(self, "loss_switch", LossSwitch.from_dict(self.loss_switch))
        for name in (self.loss, *self.loss_weights):
            checked_loss(name)
        for name, known in (("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if (found := getattr(self, name)) not in known:
                msg = f"unknown {name} {found!r}; known: {', '.join(known)}"
                raise TrainingError(msg)
        self._check_numbers()

    def _check_numbers(self) -> None:
        wrong = [name for name in _POSITIVE if not getattr(self, name) > 0]
        limits = ("max_seconds", "patience", "devices")
        wrong += [n for n in limits if getattr(self, n) is not None and not getattr(self, n) > 0]
        if wrong:
            msg = f"{', '.join(wrong)} must be positive, found {[getattr(self, n) for n in wrong]}"
            raise TrainingError(msg)
        if any(not weight > 0 for weight in self.loss_weights.values()):
            msg = f"loss_weights must be positive, found {dict(self.loss_weights)}"
            raise TrainingError(msg)
        if self.seed < 0:
            msg = f"seed is {self.seed}; give a non-negative integer"
            raise TrainingError(msg)
        n_devices = self.devices or 1
        if self.batch_size < self.accumulate * n_devices:
            msg = (
                f"a batch of {self.batch_size} structures cannot be cut into {self.accumulate} "
                f"parts for each of {n_devices} devices; raise batch_size or lower the others"
            )
            raise TrainingError(msg)

    def losses(self, progress: float) -> dict[str, float]:
        """Return the losses at a point of the run and their weights.

        Parameters
        ----------
        progress
            Done share of the run, 0 to 1.
        """
        if self.loss_switch is not None and progress >= self.loss_switch.after:
            return {self.loss_switch.to: 1.0}
        weights = {self.loss: 1.0}
        for name, weight in self.loss_weights.items():
            weights[name] = weights.get(name, 0.0) + float(weight)
        return weights

    @property
    def final_losses(self) -> dict[str, float]:
        """The losses the run ends with, which validation uses throughout."""
        return self.losses(1.0)

    @property
    def final_loss(self) -> str:
        """The loss in whose unit the validation loss is given."""
        return next(iter(self.final_losses))

    def parts(self) -> frozenset[str]:
        """Return what the losses need of labels: ``"fit"``, ``"probes"``, ``"waves"``."""
        names = {*self.losses(0.0), *self.final_losses}
        return frozenset(LOSS_KINDS[name].part for name in names)

    @property
    def needs_grid(self) -> bool:
        """Whether labels must carry a grid."""
        return bool(self.parts() & {"probes", "waves"})

    @property
    def needs_fit(self) -> bool:
        """Whether labels must be fitted to Gaussian shells."""
        return "fit" in self.parts()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON document."""
        return {**asdict(self), "betas": list(self.betas), "loss_weights": dict(self.loss_weights)}

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
            If it is missing, damaged or of a later version.
        """
        path = Path(folder) / "run.json"
        try:
            document = json.loads(path.read_text())
            _upgrade(document, path)
            document["network"] = NetworkConfig.from_dict(document["network"])
            document["training"] = TrainingConfig.from_dict(document["training"])
            for name in ("training_shards", "validation_shards"):
                document[name] = tuple(document[name])
            return cls(**document)
        except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
            msg = f"{path} does not describe a training run ({error!r})"
            raise TrainingError(msg) from error


def _upgrade(document: dict[str, Any], path: Path) -> None:
    """Bring a description of an earlier version up to date.

    Version 1 lacks settings whose defaults are what it did.

    Raises
    ------
    TrainingError
        If it is of a later version.
    """
    version = document.pop("version")
    if version not in range(1, _VERSION + 1):
        msg = f"{path} was written by another version; start the run in a new folder"
        raise TrainingError(msg)
