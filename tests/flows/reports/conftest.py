"""Results as a run of the pipeline leaves them, made up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

from scdp_flows.reports.results import Group, Results
from scdp_flows.reports.series import arrange
from scdp_flows.schemas.evaluation import ErrorRow, EvaluationDoc
from scdp_flows.schemas.seeding import SeedDoc, StartRecord
from scdp_flows.schemas.training import ModelDoc
from scdp_flows.stores.factory import Stores, open_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

MODEL_ID = "a" * 64


class Study(NamedTuple):
    """Documents of three structures, judged and restarted."""

    model: ModelDoc
    evaluations: list[EvaluationDoc]
    seeds: list[SeedDoc]

    def results(self) -> Results:
        group = Group("test split", tuple(self.evaluations), tuple(self.seeds))
        series = arrange([self.model], self.evaluations, self.seeds)
        return Results("A study", (self.model,), (group,), series)


@pytest.fixture
def make_evaluation() -> Callable[..., EvaluationDoc]:
    def make(
        predictor: str, errors: dict[str, float], *, model_id: str | None = None, **fields: Any
    ) -> EvaluationDoc:
        rows = [
            ErrorRow(
                density_id=name,
                formula="H2O",
                nmae_percent=error,
                coulomb_error_ha=error * 1e-4,
                electron_error_e=0.0,
                max_error_e_per_ang3=0.1,
                seconds=0.01,
            )
            for name, error in errors.items()
        ]
        fields = {"split": "test", **fields}
        return EvaluationDoc.from_rows(rows, predictor=predictor, model_id=model_id, **fields)

    return make


@pytest.fixture
def make_start() -> Callable[..., StartRecord]:
    def make(start: str, iterations: int, **changes: Any) -> StartRecord:
        norms = np.geomspace(0.5, 1e-5, iterations)
        values = {
            "start": start,
            "seed_used": start != "default",
            "converged": True,
            "iterations": iterations,
            "fock_builds": iterations + 2,
            "energy_ha": -17.0,
            "energy_ev": -462.6,
            "cpu_s": 0.3 * iterations,
            "wall_s": 0.3 * iterations,
            "gradient_norms": norms.tolist(),
            "energies_ha": (-17.0 + norms**2).tolist(),
        }
        return StartRecord.model_validate(values | changes)

    return make


@pytest.fixture
def make_seed() -> Callable[..., SeedDoc]:
    def make(structure: str, starts: Sequence[StartRecord]) -> SeedDoc:
        return SeedDoc.from_starts(
            list(starts),
            structure_hash=structure,
            settings_hash="s",
            formula="H2O",
            kind_key="k",
            density_id=structure,
        )

    return make


@pytest.fixture
def model() -> ModelDoc:
    history: list[dict[str, float | None]] = [
        {"step": 100.0 * i, "train_loss": 0.1 / i, "validation_loss": 0.2 / i} for i in range(1, 6)
    ]
    return ModelDoc(
        model_id=MODEL_ID,
        name="water model",
        kind={},
        kind_key="k",
        elements=["H", "O"],
        history=history,
        train_seconds=12.0,
    )


@pytest.fixture
def study(
    model: ModelDoc,
    make_evaluation: Callable[..., EvaluationDoc],
    make_start: Callable[..., StartRecord],
    make_seed: Callable[..., SeedDoc],
) -> Study:
    names = ["first", "second", "third"]
    ours = {"predictor": "scdp", "model_id": MODEL_ID, "cpu_s": 2.0, "seed_cpu_s": 0.5}
    seeds = [
        make_seed(
            name,
            [
                make_start("default", 10, cpu_s=3.0),
                make_start("atomic", 11, predictor="atomic", cpu_s=3.5),
                make_start("predicted", 5 + number, **ours, energy_ha=-17.0 + 1e-9 * number),
                make_start("exact", 2, predictor="exact"),
            ],
        )
        for number, name in enumerate(names)
    ]
    evaluations = [
        make_evaluation("atomic", dict.fromkeys(names, 10.0)),
        make_evaluation("scdp", dict(zip(names, (0.3, 0.4, 0.5), strict=True)), model_id=MODEL_ID),
    ]
    return Study(model, evaluations, seeds)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    with open_stores(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def stored(stores: Stores, study: Study) -> dict[str, list[str]]:
    """Store the study and give the identifiers that a report asks for."""
    stores.models.documents.put(study.model)
    for doc in (*study.evaluations, *study.seeds):
        stores.reports.put(doc)
    return {
        "model_ids": [study.model.model_id],
        "evaluation_ids": [doc.evaluation_id for doc in study.evaluations],
        "seed_ids": [doc.seed_id for doc in study.seeds],
    }
