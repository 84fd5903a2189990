"""Synthetic labels: what a small random network predicts for shaken water molecules."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
import torch

from scdp_models.basis.shells import BasisSet, ElementBasis, shell_charge
from scdp_models.data.samples import GridLabel, TrainingSample, make_sample
from scdp_models.data.shards import ShardReader, write_shard
from scdp_models.density.atomic import AtomicDensity, AtomicReference
from scdp_models.density.evaluate import evaluate_on_grid
from scdp_models.density.orbital import OrbitalDensity
from scdp_models.graph import build_graph
from scdp_models.nn.config import NetworkConfig
from scdp_models.nn.network import DensityNetwork
from scdp_models.training.config import RunSpecification, TrainingConfig

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = ElementBasis((0, 0, 1), (0.4, 1.3, 0.8))
BASIS = BasisSet("tiny", {1: SHELLS, 8: SHELLS})
TINY = NetworkConfig(
    n_layers=1,
    n_channels=3,
    lmax=1,
    n_radial=3,
    pair_embedding=2,
    radial_hidden=4,
    blocks_per_layer=1,
)
WATER = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.96], [0.93, 0.0, -0.24]])


class WriteRun(Protocol):
    """Writes ``run.json`` into a new folder; settings are those of the training."""

    def __call__(self, name: str = "run", **settings: Any) -> Path: ...


@pytest.fixture(scope="session")
def reference() -> AtomicReference:
    """Give spherical atoms of one Gaussian each."""
    charge = float(shell_charge(0, 0.9))
    atoms = {z: AtomicDensity(n, (0.9,), (n / charge,)) for z, n in ((1, 1.0), (8, 6.0))}
    return AtomicReference("one Gaussian", atoms)


@pytest.fixture(scope="session")
def samples(reference: AtomicReference) -> list[TrainingSample]:
    """Give six labelled molecules with coarse grids."""
    rng = np.random.default_rng(0)
    torch.manual_seed(3)
    teacher = DensityNetwork(replace(TINY, n_channels=2), BASIS, mean_neighbours=2.0).double()
    made = []
    for index in range(6):
        positions = WATER + rng.normal(scale=0.1, size=(3, 3))
        with torch.no_grad():
            coefficients = 0.1 * teacher(build_graph([8, 1, 1], positions, 5.0)).numpy()
        label = reference.superposition([8, 1, 1], positions) + OrbitalDensity.from_basis(
            BASIS, [8, 1, 1], positions, coefficients=coefficients
        )
        origin, cell = positions.min(0) - 2, np.diag(np.ptp(positions, axis=0) + 4)
        values = evaluate_on_grid(label, origin, cell, (10, 10, 10))
        grid = GridLabel(values.astype(np.float32), origin, cell)
        made.append(make_sample(str(index), label, BASIS, reference, grid=grid))
    return made


@pytest.fixture(scope="session")
def shards(
    samples: list[TrainingSample], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """Give a shard to train on (four samples) and one to validate on (two)."""
    folder = tmp_path_factory.mktemp("shards")
    return write_shard(folder / "train", samples[:4]), write_shard(folder / "test", samples[4:])


@pytest.fixture
def reader(shards: tuple[Path, Path]) -> ShardReader:
    """Give the training samples."""
    return ShardReader([shards[0]])


@pytest.fixture
def tiny_network() -> DensityNetwork:
    """Give an untrained network."""
    torch.manual_seed(0)
    return DensityNetwork(TINY, BASIS, mean_neighbours=2.0)


@pytest.fixture
def specification(shards: tuple[Path, Path], reference: AtomicReference) -> RunSpecification:
    """Give a run of 20 steps in rounds of 5."""
    return RunSpecification(
        training_shards=(str(shards[0]),),
        validation_shards=(str(shards[1]),),
        network=TINY,
        training=TrainingConfig(
            n_steps=20,
            batch_size=2,
            warmup_steps=2,
            steps_per_round=5,
            n_probes=50,
            threads=1,
            accelerator="cpu",
        ),
        basis=BASIS.to_dict(),
        reference=reference.to_dict(),
        kind={"electrons": "valence"},
        provenance={"dataset": "shaken water"},
    )


@pytest.fixture
def write_run(tmp_path: Path, specification: RunSpecification) -> WriteRun:
    """Give a writer of runs."""

    def write(name: str = "run", **settings: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        training = replace(specification.training, **settings)
        replace(specification, training=training).write(folder)
        return folder

    return write
