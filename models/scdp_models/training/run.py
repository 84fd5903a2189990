"""Carry out a training run described by ``run.json``; resume it if it was interrupted."""

from __future__ import annotations

import json
import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import DDPStrategy

from scdp_models.basis.shells import BasisSet
from scdp_models.checkpoint import Checkpoint, save_checkpoint
from scdp_models.data.shards import ShardReader
from scdp_models.density.atomic import AtomicReference
from scdp_models.errors import TrainingError
from scdp_models.training.averaging import AveragedWeights
from scdp_models.training.batches import BatchSource, SourceSettings
from scdp_models.training.config import RunSpecification
from scdp_models.training.initial import initial_network
from scdp_models.training.memory import clear_memory_errors
from scdp_models.training.module import DensityModule
from scdp_models.training.processes import find_processes
from scdp_models.training.progress import FiniteLoss, MetricsFile, ProgressBar, read_metrics
from scdp_models.training.stopping import STOP_FILE, Patience, StopFile, TrainingClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scdp_models.training.config import TrainingConfig
    from scdp_models.training.processes import Processes

__all__ = ["MODEL_FILE", "RESULT_FILE", "RunResult", "run"]

MODEL_FILE = "model.safetensors"
RESULT_FILE = "result.json"
_METRICS_FILE = "metrics.jsonl"
_STATE_FILE = "last.ckpt"
_DTYPES = {"32": torch.float32, "bf16-mixed": torch.float32, "64": torch.float64}
# Batches are made in this process, folders are resumed on purpose, rounds are short, and processes
# are started as they should be on a machine that knows Slurm.
_ADVICE = (
    r".isinstance\(treespec, LeafSpec\)",  # Lightning walks trees in an old way
    ".*does not have many workers.*",
    ".*exists and is not empty.*",
    ".*number of training batches.*",
    "The `srun` command is available.*",
)


@dataclass(frozen=True)
class RunResult:
    """Outcome of a run.

    Attributes
    ----------
    model
        The exported model; None where the run was asked to stop, or in a helping process.
    history
        One row of metrics per round.
    stopped
        ``"n_steps"``, ``"max_seconds"``, ``"patience"`` or ``"stop_file"``.
    """

    model: Path | None
    history: list[dict[str, float]]
    stopped: str


def _source(
    specification: RunSpecification, shards: Sequence[str], reference: AtomicReference
) -> BatchSource:
    config, network = specification.training, specification.network
    settings = SourceSettings(
        cutoff=network.cutoff,
        n_probes=config.n_probes,
        n_waves=config.n_waves,
        seed=config.seed,
        reference=reference if network.target == "delta" else None,
        scaled=network.scale_exponents,
        dtype=_DTYPES[config.precision],
    )
    return BatchSource(ShardReader(shards), settings)


class _Rules:
    """The callbacks of a run that decide how long it is and what is exported."""

    def __init__(self, folder: Path, config: TrainingConfig) -> None:
        self.averaged = AveragedWeights(config.ema_decay)
        self.clock = TrainingClock(config.max_seconds)
        self.stop_file = StopFile(folder / STOP_FILE)
        self.patience = (
            None if config.patience is None else Patience(self.averaged, config.patience)
        )

    def callbacks(self) -> list[pl.Callback]:
        """Return them in the order in which they act."""
        found: list[pl.Callback] = [self.averaged, self.clock, self.stop_file]
        return found if self.patience is None else [*found, self.patience]

    def reason(self, step: int, n_steps: int) -> str:
        """Say why the run has ended; being asked comes last, since the others need no more."""
        if step >= n_steps:
            return "n_steps"
        if self.clock.over:
            return "max_seconds"
        if self.patience is not None and self.patience.over:
            return "patience"
        return "stop_file"

    def install(self, module: DensityModule) -> None:
        """Give the module the weights to export."""
        self.averaged.install(module)
        if self.patience is not None:
            self.patience.install(module)


def _trainer(
    folder: Path, config: TrainingConfig, rules: _Rules, processes: Processes, *, validate: bool
) -> pl.Trainer:
    callbacks: list[pl.Callback] = [
        *rules.callbacks(),
        ModelCheckpoint(
            dirpath=folder,
            filename=_STATE_FILE.removesuffix(".ckpt"),
            save_top_k=1,
            enable_version_counter=False,
            save_on_train_epoch_end=True,
        ),
        MetricsFile(folder / _METRICS_FILE),
        ProgressBar(config.n_steps),
        FiniteLoss(),
    ]
    return pl.Trainer(
        accelerator=config.accelerator,
        devices=processes.per_node,
        num_nodes=processes.n_nodes,
        plugins=[processes.environment],
        # Buffers never change; sending them around would stall processes that validate less.
        strategy=DDPStrategy(broadcast_buffers=False) if processes.total > 1 else "auto",
        max_steps=config.n_steps,
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.gradient_clip,
        callbacks=callbacks,
        default_root_dir=folder,
        logger=_logger(folder) if config.tensorboard else False,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if validate else 0,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
    )


def _logger(folder: Path) -> Any:
    """Return the writer of event files."""
    from lightning.pytorch.loggers import TensorBoardLogger

    if find_spec("tensorboard") is None:
        msg = "tensorboard=True needs TensorBoard; install scdp-flows[tensorboard], or leave it out"
        raise TrainingError(msg)
    return TensorBoardLogger(folder, name="tensorboard", version="")


def _export(
    folder: Path, specification: RunSpecification, module: DensityModule, stopped: str
) -> Path:
    history = read_metrics(folder / _METRICS_FILE)
    training: dict[str, Any] = {
        **specification.provenance,
        "config": specification.training.to_dict(),
        "n_structures": len(module.training_source.reader),
        "last_round": history[-1] if history else {},
        "stopped": stopped,
    }
    checkpoint = Checkpoint(
        network=specification.network,
        basis=BasisSet.from_dict(specification.basis),
        reference=AtomicReference.from_dict(specification.reference),
        kind=specification.kind,
        state=module.network.state_dict(),
        training=training,
    )
    return save_checkpoint(folder / MODEL_FILE, checkpoint)


def run(folder: str | Path) -> RunResult:
    """Train until done, from the last saved state if there is one.

    Parameters
    ----------
    folder
        Holds ``run.json``; receives ``last.ckpt``, ``metrics.jsonl``, ``metrics.csv``,
        ``result.json`` (why it ended) and ``model.safetensors``. A file ``STOP`` there makes the
        run leave after the present round, without a model.

    Raises
    ------
    TrainingError
        If there is nothing to train on, settings do not fit together, the loss is no longer
        finite, memory is out or the saved state is damaged.
    """
    place = Path(folder)
    described = RunSpecification.read(place)
    processes = find_processes(described.training)
    config = replace(described.training, devices=processes.total)
    specification = replace(described, training=config)
    if config.threads:
        torch.set_num_threads(config.threads)
    with clear_memory_errors(config):
        module = _module(specification)
        rules = _Rules(place, config)
        with _quiet():
            trainer = _trainer(place, config, rules, processes, validate=module.validates)
            trainer.fit(module, ckpt_path=_saved_state(place), weights_only=True)
    return _finish(place, specification, trainer, module, rules)


def _module(specification: RunSpecification) -> DensityModule:
    """Build network and data."""
    config = specification.training
    reference = AtomicReference.from_dict(specification.reference)
    source = _source(specification, specification.training_shards, reference)
    if not len(source.reader):
        msg = "the dataset has no training structures; label or ingest some, or change the split"
        raise TrainingError(msg)
    validation = _source(specification, specification.validation_shards, reference)
    if config.needs_fit and specification.network.scale_exponents:
        msg = (
            "fitted coefficients belong to fixed exponents and this network scales them; train it "
            "with loss 'grid_mae' or 'coulomb_g'"
        )
        raise TrainingError(msg)
    _check_spin(specification)
    if config.patience is not None and not len(validation.reader):
        msg = "patience needs validation structures and there are none; leave it out"
        raise TrainingError(msg)
    network = initial_network(specification, source, reference)
    for parameter in network.parameters():  # buffers keep float64 until they are used
        parameter.data = parameter.data.to(_DTYPES[config.precision])
    validation.spreads = source.spreads
    return DensityModule(network, config, (source, validation))


def _check_spin(specification: RunSpecification) -> None:
    """Make sure that the spin density is learnt where there is one, and only there."""
    config, predicted = specification.training, specification.network.spin_output
    names = ({*config.losses(0.0)}, {*config.final_losses})
    if predicted and not all("coulomb_spin" in found for found in names):
        msg = (
            "a network with spin_output learns its spin density by loss 'coulomb_spin'; set "
            "loss_weights={'coulomb_spin': 1.0}, and no loss_switch"
        )
        raise TrainingError(msg)
    if not predicted and any("coulomb_spin" in found for found in names):
        msg = "loss 'coulomb_spin' needs a network with spin_output=True; set it, or leave it out"
        raise TrainingError(msg)


def _finish(
    folder: Path,
    specification: RunSpecification,
    trainer: pl.Trainer,
    module: DensityModule,
    rules: _Rules,
) -> RunResult:
    """Export the model unless the run was asked to stop, and write down why it ended."""
    stopped = rules.reason(trainer.global_step, specification.training.n_steps)
    model = None
    if trainer.is_global_zero:
        if stopped != "stop_file":
            # Not left to a callback: a run that only lacks its export does no further step.
            rules.install(module)
            model = _export(folder, specification, module, stopped)
        document = {
            "stopped": stopped,
            "step": trainer.global_step,
            "training_seconds": round(rules.clock.seconds, 3),
            "best_step": None if rules.patience is None else rules.patience.best_step,
        }
        (folder / RESULT_FILE).write_text(json.dumps(document, indent=1))
    return RunResult(model, read_metrics(folder / _METRICS_FILE), stopped)


def _saved_state(folder: Path) -> Path | None:
    """Return the state to go on from, after making sure that it can be read."""
    path = folder / _STATE_FILE
    if not path.is_file():
        return None
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, UnpicklingError) as error:
        # The message of torch recommends to read it unsafely; it stays behind this one.
        msg = f"{path} is not a usable training state; delete it to start the run anew"
        raise TrainingError(msg) from error
    return path


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Lightning's advice that does not apply here, for as long as it runs."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for advice in _ADVICE:
                warnings.filterwarnings("ignore", message=advice)
            yield
    finally:
        logger.setLevel(level)
