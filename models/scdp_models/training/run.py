"""Carry out a training run described by ``run.json``; resume it if it was interrupted."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from scdp_models.basis.shells import BasisSet
from scdp_models.checkpoint import Checkpoint, save_checkpoint
from scdp_models.data.shards import ShardReader
from scdp_models.density.atomic import AtomicReference
from scdp_models.errors import TrainingError
from scdp_models.nn.network import DensityNetwork
from scdp_models.nn.whitening import fit_whitening
from scdp_models.training.averaging import AveragedWeights
from scdp_models.training.batches import BatchSource
from scdp_models.training.config import RunSpecification
from scdp_models.training.module import DensityModule
from scdp_models.training.progress import FiniteLoss, MetricsFile, ProgressBar, read_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scdp_models.training.config import TrainingConfig

__all__ = ["MODEL_FILE", "RunResult", "run"]

MODEL_FILE = "model.safetensors"
_METRICS_FILE = "metrics.jsonl"
_STATE_FILE = "last.ckpt"
# Batches are made in this process, folders are resumed on purpose, rounds are short.
_ADVICE = (
    r".isinstance\(treespec, LeafSpec\)",  # Lightning walks trees in an old way
    ".*does not have many workers.*",
    ".*exists and is not empty.*",
    ".*number of training batches.*",
)


@dataclass(frozen=True)
class RunResult:
    """Outcome of a run: the exported model, and one row of metrics per round."""

    model: Path
    history: list[dict[str, float]]


def _build_network(
    specification: RunSpecification, source: BatchSource, reference: AtomicReference
) -> DensityNetwork:
    """Make the network with output scales and neighbour counts of the training set."""
    reader = source.reader
    basis = BasisSet.from_dict(specification.basis)
    densities = (reader[i].template for i in range(len(reader)))
    whitening = fit_whitening(basis, ((d.numbers, d.coefficients) for d in densities))
    graphs = [source.graph(i) for i in range(len(reader))]
    neighbours = float(np.mean([len(g.source) / g.n_nodes for g in graphs]))
    electrons = {z: atom.n_electrons for z, atom in reference.atoms.items()}
    torch.manual_seed(specification.training.seed)
    return DensityNetwork(
        specification.network,
        basis,
        electrons=electrons if specification.network.target == "total" else None,
        whitening=whitening,
        mean_neighbours=neighbours,
    )


def _source(
    specification: RunSpecification, shards: Sequence[str], reference: AtomicReference
) -> BatchSource:
    config = specification.training
    return BatchSource(
        ShardReader(shards),
        cutoff=specification.network.cutoff,
        n_probes=config.n_probes if config.loss == "grid_mae" else 0,
        reference=reference if specification.network.target == "delta" else None,
        seed=config.seed,
    )


def _trainer(
    folder: Path, config: TrainingConfig, averaged: AveragedWeights, *, validate: bool
) -> pl.Trainer:
    callbacks: list[pl.Callback] = [
        averaged,
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
        devices=1,
        max_steps=config.n_steps,
        gradient_clip_val=config.gradient_clip,
        callbacks=callbacks,
        default_root_dir=folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=1.0 if validate else 0,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
    )


def _export(
    folder: Path, specification: RunSpecification, module: DensityModule, reference: AtomicReference
) -> Path:
    history = read_metrics(folder / _METRICS_FILE)
    training: dict[str, Any] = {
        **specification.provenance,
        "config": specification.training.to_dict(),
        "n_structures": len(module.training_source.reader),
        "last_round": history[-1] if history else {},
    }
    checkpoint = Checkpoint(
        network=specification.network,
        basis=BasisSet.from_dict(specification.basis),
        reference=reference,
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
        Holds ``run.json``; receives ``last.ckpt``, ``metrics.jsonl`` and ``model.safetensors``.

    Raises
    ------
    TrainingError
        If there is nothing to train on, the loss is no longer finite or the saved state is damaged.
    """
    place = Path(folder)
    specification = RunSpecification.read(place)
    config = specification.training
    if config.threads:
        torch.set_num_threads(config.threads)
    reference = AtomicReference.from_dict(specification.reference)
    source = _source(specification, specification.training_shards, reference)
    if not len(source.reader):
        msg = "the dataset has no training structures; label or ingest some, or change the split"
        raise TrainingError(msg)
    validation = _source(specification, specification.validation_shards, reference)
    network = _build_network(specification, source, reference)
    module = DensityModule(network, config, (source, validation))
    with _quiet():
        averaged = AveragedWeights(config.ema_decay)
        trainer = _trainer(place, config, averaged, validate=len(validation.reader) > 0)
        trainer.fit(module, ckpt_path=_saved_state(place), weights_only=True)
    # Not left to a callback: a run that only lacks its export does no further step.
    averaged.install(module)
    model = _export(place, specification, module, reference)
    return RunResult(model, read_metrics(place / _METRICS_FILE))


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
