"""Train a model on a dataset, in a process of its own that can be killed and continued."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from jobflow import CURRENT_JOB, Response, job

from scdp_flows.errors import SettingsError, StoreError, TrainingError
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.build_dataset import count_shards
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

    from scdp_flows.schemas.dataset import DatasetDoc
    from scdp_flows.stores.factory import Stores
    from scdp_models.nn.config import NetworkConfig
    from scdp_models.training.config import TrainingConfig

__all__ = ["TrainMaker", "setting_names"]

_Config = TypeVar("_Config", "NetworkConfig", "TrainingConfig")
# These change how fast a run is, not what it is; what it starts from is named by its content.
_SPEED = ("threads", "accelerator", "devices", "accumulate", "tensorboard", "initial_weights")
# Of the published recipe: 2e-5 of 1e-3, and 300k steps after 500k.
_SECOND_RATE, _SECOND_STEPS = 0.02, 0.6
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
    network: dict[str, Any] = field(default_factory=dict)
    """Fields of :class:`scdp_models.nn.config.NetworkConfig` that differ from its defaults."""
    training: dict[str, Any] = field(default_factory=dict)
    """Fields of :class:`scdp_models.training.config.TrainingConfig` that differ from its
    defaults."""
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
        to ``make`` as ``start_from``. As published, the learning rate is a fiftieth and there are
        0.6 times as many steps. Scaled exponents have no fitted coefficients, so a loss on those
        becomes ``"coulomb_g"``, its counterpart on the grid.

        Parameters
        ----------
        training
            Fields of the training configuration that shall be otherwise.
        """
        from scdp_models.training.config import TrainingConfig

        first = _checked(TrainingConfig, self.training)
        changes: dict[str, Any] = {
            "learning_rate": _SECOND_RATE * first.learning_rate,
            "n_steps": max(1, round(_SECOND_STEPS * first.n_steps)),
        }
        if first.schedule == "paper":
            changes["schedule"] = "paper_fine_tuning"
        if first.needs_fit:
            changes |= {"loss": "coulomb_g", "loss_weights": {}, "loss_switch": None}
        return replace(
            self,
            name=f"{self.name} exponents",
            network={**self.network, "scale_exponents": True},
            training={**self.training, **changes, **training},
        )

    def _watch(self) -> Watch:
        limit = find_time_limit(self.wall_time_s)
        if limit is not None and limit.too_late:
            raise TrainingError(
                "the batch job is nearly over, too late to train; what was trained is kept: submit "
                "the flow again, or have each job submitted as a batch job of its own"
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


def setting_names() -> dict[str, list[str]]:
    """Return the names of the fields of ``network`` and ``training``."""
    from dataclasses import fields

    from scdp_models.nn.config import NetworkConfig
    from scdp_models.training.config import TrainingConfig

    return {
        "network": [one.name for one in fields(NetworkConfig)],
        "training": [one.name for one in fields(TrainingConfig)],
    }


class _Run:
    """One training run: a dataset, settings and a folder."""

    def __init__(
        self, maker: TrainMaker, dataset: DatasetDoc, stores: Stores, start_from: str | None
    ) -> None:
        self.maker = maker
        self.dataset = dataset
        self.stores = stores
        self.network, self.training = _configurations(maker, dataset)
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
        if found is None:
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
        threads = self.training.threads or get_settings().N_PROCESSES or available_cores()
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


def _configurations(maker: TrainMaker, dataset: DatasetDoc) -> tuple[NetworkConfig, TrainingConfig]:
    """Check the fields and return the configurations they stand for."""
    from scdp_models.nn.config import NetworkConfig
    from scdp_models.training.config import TrainingConfig

    target = str(dataset.target.get("target", "delta"))
    network = _checked(NetworkConfig, {"target": target, **maker.network})
    training = _checked(TrainingConfig, maker.training)
    if network.target != target:
        raise SettingsError(
            f"network target {network.target!r} does not fit dataset {dataset.name!r}, whose "
            f"target is {target!r}; build a dataset for it, or leave the target out"
        )
    if training.needs_grid and not dataset.target.get("keep_grid"):
        raise SettingsError(
            f"loss {training.loss!r} or one added to it needs grids and dataset {dataset.name!r} "
            "has none; build it with keep_grid=True"
        )
    if training.initial_weights is not None:
        raise SettingsError(
            "training setting initial_weights is a file that a job may not find; give the name or "
            "identifier of the model to make() as start_from"
        )
    return network, training


def _checked(configuration: type[_Config], given: dict[str, Any]) -> _Config:
    from scdp_models.errors import ScdpModelsError

    try:
        return configuration.from_dict(given)
    except (ScdpModelsError, TypeError) as error:
        raise SettingsError(f"fields network and training of the job: {error}") from error


def _final_metrics(history: list[dict[str, float]], training: TrainingConfig) -> dict[str, float]:
    """Return the losses of the last round, named with their unit."""
    from scdp_models.training.kinds import LOSS_KINDS

    last = history[-1] if history else {}
    unit = LOSS_KINDS[training.final_loss].unit
    names = ("train_loss", "validation_loss")
    return {f"{name}_{unit}": last[name] for name in names if name in last}
