"""Train a model on a dataset, in a process of its own that can be killed and continued."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jobflow import CURRENT_JOB, Response, job

from scdp_flows.errors import StoreError, TrainingError
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.build_dataset import count_shards
from scdp_flows.jobs.training_configuration import (
    check_for_dataset,
    configurations,
    second_stage_training,
)
from scdp_flows.jobs.training_folder import (
    MODEL_FILE,
    read_corrections,
    read_metrics,
    training_settings,
)
from scdp_flows.jobs.training_process import Watch, run_training
from scdp_flows.jobs.wall_time import find_time_limit
from scdp_flows.parallel import available_cores
from scdp_flows.predictors.checkpoints import find_checkpoint
from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.training import MAX_CORRECTIONS, ModelDoc, file_sha256
from scdp_flows.settings import get_settings
from scdp_flows.stores.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jobflow import Job

    from scdp_flows.jobs.build_dataset import BuildDatasetMaker
    from scdp_flows.schemas.dataset import DatasetDoc
    from scdp_flows.stores.factory import Stores
    from scdp_models.training.config import TrainingConfig

__all__ = ["TrainMaker"]

# These change how fast a run is, not what it is; what it starts from is named by its content.
_SPEED = ("threads", "accelerator", "devices", "accumulate", "tensorboard", "initial_weights")
# What handlers change in a run, and which value is the corrected one.
_CORRECTED: dict[str, Callable[..., Any]] = {"learning_rate": min, "accumulate": max}


@dataclass(kw_only=True)
class TrainMaker(StepMaker):
    """Make the job that trains a model.

    The run has a folder in the store, named by dataset and settings. A job that was killed goes on
    from the last saved state there, and one that was done returns the model it has made.
    """

    name: str = "train"
    model_name: str = "model"
    """Name under which the model is found in the store."""
    preset: str | None = None
    """Named settings of network and training, such as ``"K4L3-b2.0"``; see
    :mod:`scdp_models.nn.presets`. None: the defaults of both."""
    network: dict[str, Any] = field(default_factory=dict)
    """Fields of :class:`scdp_models.nn.config.NetworkConfig` that differ from that."""
    training: dict[str, Any] = field(default_factory=dict)
    """Fields of :class:`scdp_models.training.config.TrainingConfig` that differ from that."""
    n_corrections: int = 2
    """How often the learning rate may be lowered when the loss is no longer finite, and how often a
    run that hangs may be started again."""
    hang_s: float = 1800.0
    """How long a run may write neither log nor metrics before it is taken for hanging, s."""
    wall_time_s: float | None = None
    """Time after which the job hands over to a further one, s. None: when the batch system says, by
    its environment, that the job ends; never, where there is none."""
    launcher: list[str] = field(default_factory=list)
    """Words before the training command, such as ``["srun", "--ntasks=1"]``."""

    @job(output_schema=ModelDoc)
    def make(self, dataset_id: str, start_from: str | None = None) -> ModelDoc | Response[ModelDoc]:
        """Train a model.

        When the time of the job is over before the model is there, its state is saved and the job
        is replaced by another that goes on, under the same output and the same configuration of
        the workflow manager.

        Parameters
        ----------
        dataset_id
            Identifier or name of the dataset.
        start_from
            Model whose weights training starts from: a path, identifier or name; None: random
            weights.

        Raises
        ------
        SettingsError
            If a field of network or training is unknown or does not fit the dataset.
        DatasetError
            If the dataset has no samples.
        ModelError
            If there is no model to start from.
        TrainingError
            If training fails.
        """
        watch = self._watch()
        with self.open_stores() as stores:
            run = _Run(self, stores.datasets.get(dataset_id), stores, start_from)
            made = run.earlier_model() or run.train(watch)
        return made or Response(replace=self._continuation(dataset_id, start_from))

    def second_stage(self, **training: Any) -> TrainMaker:
        """Return the Maker of a second stage that also learns to scale the exponents.

        It has the network of this one, and is to start from its averaged weights: give its model
        to ``make`` as ``start_from``. How it trains is said at
        :func:`scdp_flows.jobs.training_configuration.second_stage_training`.

        Parameters
        ----------
        training
            Fields of the training configuration that shall be otherwise.

        Raises
        ------
        SettingsError
            If this Maker has impossible settings.
        """
        return replace(
            self,
            name=f"{self.name} exponents",
            network={**self.network, "scale_exponents": True},
            training={**second_stage_training(self.preset, self.training), **training},
        )

    def check(self, dataset_maker: BuildDatasetMaker) -> None:
        """Refuse settings that do not fit the datasets of a Maker, before there is one.

        Raises
        ------
        SettingsError
            As ``make`` does later.
        """
        recipe = {"target": dataset_maker.target, "keep_grid": dataset_maker.keep_grid}
        chosen = configurations(self.preset, dataset_maker.target, self.network, self.training)
        check_for_dataset(chosen, dataset_maker.dataset_name, recipe)

    def _watch(self) -> Watch:
        limit = find_time_limit(self.wall_time_s)
        if limit is not None and limit.too_late:
            raise TrainingError(
                "the batch job is nearly over, too late to train; what was trained is kept: submit "
                "the flow again, or `lpad rerun_fws -s FIZZLED`. Have each job submitted as a "
                "batch job of its own, or let the worker take no job in its last minutes, with "
                "FireWorks by `rlaunch rapidfire --timeout SECONDS`"
            )
        return Watch(
            n_corrections=self.n_corrections,
            hang_s=self.hang_s,
            time_limit=limit,
            launcher=tuple(self.launcher),
        )

    def _continuation(self, dataset_id: str, start_from: str | None) -> Job:
        following: Job = self.make(dataset_id, start_from)
        current = CURRENT_JOB.job
        if current is not None:
            # To the jobs that a job makes, jobflow gives `response_manager_config`, which is meant
            # for work of another sort. This is the same work: same machine, same resources.
            following.config = deepcopy(current.config)
            current.config.response_manager_config = deepcopy(current.config.manager_config)
        return following


class _Run:
    """One training run: a dataset, settings and a folder."""

    def __init__(
        self, maker: TrainMaker, dataset: DatasetDoc, stores: Stores, start_from: str | None
    ) -> None:
        self.maker = maker
        self.dataset = dataset
        self.stores = stores
        target = str(dataset.target.get("target", "delta"))
        chosen = configurations(maker.preset, target, maker.network, maker.training)
        check_for_dataset(chosen, dataset.name, dataset.target)
        self.network, self.training = chosen.network, chosen.training
        self.parent = None if start_from is None else find_checkpoint(start_from, maker.store_path)
        self.parent_id = None if self.parent is None else file_sha256(self.parent)
        settings = {k: v for k, v in self.training.to_dict().items() if k not in _SPEED}
        identity = [dataset.dataset_id, self.network.to_dict(), settings, self.parent_id]
        self.key = content_hash(identity)[:24]
        self.folder = stores.path / "training" / self.key

    def earlier_model(self) -> ModelDoc | None:
        """Return the model that this run has made before, under the name it shall have now."""
        criteria = {"dataset_id": self.dataset.dataset_id, "config.run": self.key}
        found = next(self.stores.models.query(criteria), None)
        if found is None or found.blob is None or not self.stores.blobs.is_whole(found.blob):
            return None
        return self.stores.models.documents.put(found.updated(name=self.maker.model_name))

    def train(self, watch: Watch) -> ModelDoc | None:
        """Train, and store the model; return None if the time did not suffice."""
        self._prepare()
        if not (self.folder / MODEL_FILE).is_file() and not run_training(self.folder, watch):
            return None
        doc = self._describe()
        stored = self.stores.models.put_checkpoint(self.folder / MODEL_FILE, doc)
        # The samples are in the store; the folder keeps log, settings and last state.
        shutil.rmtree(self.folder / "shards", ignore_errors=True)
        return stored

    def _prepare(self) -> None:
        """Write the samples and ``run.json``."""
        from scdp_models.training.config import RunSpecification

        n_training, _ = count_shards(self.dataset)
        try:
            shards = [str(path) for path in self._write_shards()]
            RunSpecification(
                training_shards=tuple(shards[:n_training]),
                validation_shards=tuple(shards[n_training:]),
                network=self.network,
                training=self._continued(),
                basis=self.dataset.basis,
                reference=self.dataset.reference,
                kind=self.dataset.kind,
                provenance={"dataset_id": self.dataset.dataset_id, "name": self.maker.model_name},
            ).write(self.folder)
        except OSError as error:
            raise StoreError(
                f"{self.folder}: cannot be written: {error.strerror}; make the folder writable, "
                "free some space, or choose another store_path"
            ) from error

    def _write_shards(self) -> list[Path]:
        folder = self.folder / "shards"
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for blob in self.dataset.shards:
            path = folder / f"{blob.key[:32]}.safetensors"
            if not path.is_file():
                write_whole(path, self.stores.blobs.get(blob))
            paths.append(path)
        return paths

    def _continued(self) -> TrainingConfig:
        """Return the settings, with what was corrected in an interrupted run."""
        cores = get_settings().N_PROCESSES or available_cores()
        threads = self.training.threads or max(1, cores // (self.training.devices or 1))
        training = replace(self.training, threads=threads)
        if self.parent is not None:
            training = replace(training, initial_weights=str(self.parent))
        try:
            earlier = training_settings(self.folder)
            return replace(
                training,
                **{
                    name: choose(getattr(training, name), earlier[name])
                    for name, choose in _CORRECTED.items()
                    if name in earlier
                },
            )
        except (OSError, json.JSONDecodeError, KeyError, TypeError):
            return training  # there is none, or it was cut short by a crash while it was written

    def _describe(self) -> ModelDoc:
        history = read_metrics(self.folder)
        config = {
            "run": self.key,
            "network": self.network.to_dict(),
            "training": training_settings(self.folder),
        }
        return ModelDoc.from_checkpoint(
            self.folder / MODEL_FILE,
            history=history,
            name=self.maker.model_name,
            kind=self.dataset.kind,
            kind_key=self.dataset.kind_key,
            elements=self.dataset.elements,
            dataset_id=self.dataset.dataset_id,
            parent_id=self.parent_id,
            config=config,
            metrics=_final_metrics(history, self.training),
            corrections=read_corrections(self.folder)[-MAX_CORRECTIONS:],
            train_seconds=history[-1].get("seconds", 0.0) if history else 0.0,
        )


def _final_metrics(history: list[dict[str, float]], training: TrainingConfig) -> dict[str, float]:
    """Return losses and errors of the last round, named with their unit."""
    from scdp_models.training.kinds import LOSS_KINDS

    last = history[-1] if history else {}
    unit = LOSS_KINDS[training.final_loss].unit
    losses = ("train_loss", "validation_loss")
    found = {f"{name}_{unit}": last[name] for name in losses if name in last}
    named = {k: v for k, v in last.items() if k.startswith("validation_") and k not in losses}
    return {**found, **named}
