"""The outputs of our jobs stay below 1 MB, for ten thousand structures too."""

from __future__ import annotations

import ast
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.kind import DensityKind
from scdp_flows.schemas.active_learning import Selection
from scdp_flows.schemas.dataset import AtomCounts, DatasetDoc, DatasetMember
from scdp_flows.schemas.density import BlobReference
from scdp_flows.schemas.doctor import Check, Examination
from scdp_flows.schemas.outputs import (
    EvaluationOutput,
    LabelOutput,
    PredictedRow,
    PredictionOutput,
    Refusal,
    SeedOutput,
)
from scdp_flows.schemas.report import ReportDoc
from scdp_flows.schemas.seeding import SeedDoc, StartRecord
from scdp_flows.schemas.seeding_benchmark import SeedingBenchmarkDoc
from scdp_flows.schemas.training import MAX_CORRECTIONS, ModelDoc, TrainingCorrection, thin_history

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scdp_flows.schemas.dataset import Split

_N = 10_000
_LIMIT = 10**6
_IDS = [f"{number:024x}" for number in range(_N)]
_FAILED = [
    Refusal(index=i, item="C100H200O50", error="CalculationError", reason="x" * 400)
    for i in range(_N)
]
_BLOB = BlobReference(key="0" * 64, size=10**9, compression="zstd-shuffle-4", media="arrays")
_KIND = DensityKind("valence", "gth-pbe", "PBE", "gth-tzvp-molopt-sr")
_TRAIN: list[Split] = ["train"] * 8
_PLACES: list[Split] = [*_TRAIN, "validation", "test"]
_METRICS = {f"validation_metric_number_{i}_percent": 0.123456789012345 for i in range(15)}


def _prediction() -> PredictionOutput:
    rows = [
        PredictedRow(
            prediction_id=key, name=f"{key[-5:]}_C100H200O50", formula="C100H200O50",
            n_electrons=123.456789012345, dipole_e_ang=1.23456789012345, seconds=0.0123456789,
            files=[f"/scratch/{'folder/' * 10}{key}.chgcar"] * 2,
        )
        for key in _IDS
    ]  # fmt: skip
    return PredictionOutput(rows=rows, failed=_FAILED)


def _dataset() -> DatasetDoc:
    from scdp_models.basis.named import basis_from_spec

    basis = basis_from_spec("etb-1.3+o", range(1, 37)).to_dict()
    return DatasetDoc.from_members(
        [
            DatasetMember(density_id=key, split=place)
            for key, place in zip(_IDS, itertools.cycle(_PLACES), strict=False)
        ],
        target={"target": "delta"},
        name="dataset",
        kind=_KIND.as_dict(),
        kind_key=_KIND.key(),
        elements=["H"],
        n_atoms=AtomCounts.from_counts([9] * _N),
        basis=basis,
        reference={"name": "atoms", "atoms": {f"{z}": list(_METRICS.values()) for z in range(36)}},
        shards=[_BLOB] * (_N // 64),
    )


def _model() -> ModelDoc:
    correction = TrainingCorrection(
        time="2026-01-01T00:00:00+00:00", handler="NonFiniteLossHandler", error="x" * 400, action={}
    )
    return ModelDoc(
        model_id="0" * 64,
        name="model",
        blob=_BLOB,
        kind=_KIND.as_dict(),
        kind_key=_KIND.key(),
        elements=["H"] * 36,
        history=thin_history([_METRICS] * _N),
        corrections=[correction] * MAX_CORRECTIONS,
    )


def _benchmark() -> SeedingBenchmarkDoc:
    record = StartRecord(
        start="default", seed_used=False, converged=True, iterations=10, fock_builds=12,
        energy_ha=-17.0, energy_ev=-462.6, cpu_s=1.0, wall_s=1.0,
    )  # fmt: skip
    seed = SeedDoc.from_starts(
        [record], structure_hash="h", settings_hash="s", formula="H2O", kind_key="k"
    )
    seeds = [seed.model_copy(update={"seed_id": key}) for key in _IDS]
    return SeedingBenchmarkDoc.from_seeds(seeds, name="all", code="PyscfCode", failed=_FAILED)


_OUTPUTS: dict[str, Callable[[], Any]] = {
    "BlobReference": lambda: _BLOB,
    "DatasetDoc": _dataset,
    "EvaluationOutput": lambda: EvaluationOutput(
        evaluation_ids=_IDS[:100], summary=dict.fromkeys(_IDS[:100], _METRICS)
    ),
    "Examination": lambda: Examination(
        host="x" * 60, work="dft", checks=[Check(name="x", ok=True, detail="x" * 400)] * 100
    ),
    "LabelOutput": lambda: LabelOutput(density_ids=_IDS, failed=_FAILED),
    "ModelDoc": _model,
    "PredictionOutput": _prediction,
    "ReportDoc": lambda: ReportDoc.from_files(
        "report", files=[f"{key}.png" for key in _IDS[:1000]], summary=_METRICS
    ),
    "SeedOutput": lambda: SeedOutput(seed_ids=_IDS, failed=_FAILED),
    "SeedingBenchmarkDoc": _benchmark,
    "Selection": lambda: Selection(
        indices=list(range(_N)), uncertainties_ha_per_atom=[0.0123456789012345] * _N
    ),
}
# Jobs without a schema: relaxations have the output of atomate2's, whose trajectory goes to the
# additional store; jobs of campaigns only start others.
_WITHOUT_SCHEMA = {"relax.py", "campaign.py", "maker.py"}


def _schema(decorator: ast.expr) -> str | None:
    """Return the output schema that a decorator ``job`` names, "" if none."""
    call = decorator if isinstance(decorator, ast.Call) else None
    name = call.func if call is not None else decorator
    if not (isinstance(name, ast.Name) and name.id == "job"):
        return None
    given = {one.arg: one.value for one in call.keywords} if call is not None else {}
    schema = given.get("output_schema")
    return schema.id if isinstance(schema, ast.Name) else ""


def test_every_job_is_looked_at(syntax_trees: dict[Path, ast.Module]) -> None:
    found: dict[str, set[str]] = {}
    for path, tree in syntax_trees.items():
        for node in ast.walk(tree):
            for decorator in getattr(node, "decorator_list", ()):
                schema = _schema(decorator)
                if schema is not None:
                    found.setdefault(schema, set()).add(path.name)
    assert found.pop("", set()) <= _WITHOUT_SCHEMA
    assert set(found) == set(_OUTPUTS)


@pytest.mark.parametrize("name", _OUTPUTS)
def test_an_output_for_ten_thousand_structures_is_below_one_megabyte(name: str) -> None:
    output = _OUTPUTS[name]()
    size = len(json.dumps(output.to_dict()))
    assert 100 < size < _LIMIT, f"{name}: {size} bytes; keep lists in blobs, or cut them"
