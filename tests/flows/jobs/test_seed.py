"""Starts are compared once per structure, and what each costs is recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pymatgen.core import Molecule

from scdp_flows.errors import (
    DatasetError,
    KindMismatchError,
    MissingDependencyError,
    SettingsError,
)
from scdp_flows.jobs.build_dataset import BuildDatasetMaker
from scdp_flows.jobs.seed import SeedMaker, seed_settings_hash
from scdp_flows.predictors.atomic import AtomicPredictor
from scdp_flows.predictors.scdp import ScdpPredictor
from scdp_flows.schemas.outputs import SeedOutput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _seed(maker: SeedMaker, *given: Any, **named: Any) -> SeedOutput:
    output = SeedMaker.make.original(maker, *given, **named)  # type: ignore[attr-defined]
    assert isinstance(output, SeedOutput)
    return output


@pytest.fixture
def maker(gaussian_code: Any, store_path: str) -> SeedMaker:
    """Compare starts of the free code."""
    return SeedMaker(code=gaussian_code, store_path=store_path)


@pytest.fixture
def predictor(tiny_checkpoint: Path) -> ScdpPredictor:
    """Give the tiny model."""
    return ScdpPredictor(str(tiny_checkpoint), name="tiny")


def test_all_starts_are_compared(
    maker: SeedMaker, predictor: ScdpPredictor, labels: list[str]
) -> None:
    output = _seed(maker, density_ids=labels[2:4], predictors=predictor)
    assert output.mean_iterations == {"default": 10, "atomic": 7, "tiny": 7, "exact": 4}
    with maker.open_stores() as stores:
        doc = stores.reports.seeds.get(output.seed_ids[0])
    assert [record.start for record in doc.starts] == ["default", "atomic", "tiny", "exact"]
    assert doc.density_id == labels[2]
    tiny = doc.start("tiny")
    assert tiny is not None
    assert (tiny.predictor, tiny.model_id) == ("tiny", predictor.model_id())
    assert tiny.cpu_s > 0.1  # the prediction counts
    assert tiny.seed_cpu_s > 0
    exact = doc.start("exact")
    assert exact is not None
    assert exact.predictor is None


def test_a_structure_without_a_label_is_compared_too(maker: SeedMaker, water: Molecule) -> None:
    output = _seed(maker, [water])
    with maker.open_stores() as stores:
        assert stores.reports.seeds.get(output.seed_ids[0]).density_id is None


def test_nothing_is_computed_twice(
    maker: SeedMaker, predictor: ScdpPredictor, molecules: list[Molecule], gaussian_code: Any
) -> None:
    first = _seed(maker, molecules[:2])
    again = _seed(maker, [*molecules[:3], molecules[2]])
    assert (again.n_new, again.n_reused) == (1, 2)
    assert again.seed_ids[:2] == first.seed_ids
    assert len(gaussian_code.computed) == 3
    other = _seed(maker, molecules[:1], predictors=[predictor])
    assert other.n_new == 1


def test_what_was_finished_before_a_crash_is_kept(
    maker: SeedMaker, molecules: list[Molecule], gaussian_code: Any, monkeypatch: Any
) -> None:
    whole = type(gaussian_code).compare_starts_many

    def interrupted(self: Any, *given: Any, **named: Any) -> Iterator[Any]:
        for number, outcome in enumerate(whole(self, *given, **named)):
            if number == 2:
                raise KeyboardInterrupt
            yield outcome

    monkeypatch.setattr(type(gaussian_code), "compare_starts_many", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _seed(maker, molecules)
    monkeypatch.undo()
    assert _seed(maker, molecules).n_reused == 2


def test_failures_are_listed(maker: SeedMaker, water: Molecule, predictor: ScdpPredictor) -> None:
    close = Molecule(["H", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.1]])
    radical = Molecule(["O", "H"], [[0.0, 0.0, 0.0], [0.0, 0.0, 0.97]])
    output = _seed(maker, [close, radical, water], predictors=predictor)
    assert [(f.index, f.error) for f in output.failed] == [
        (0, "StructureError"),
        (1, "StructureError"),
    ]
    nothing = _seed(maker, [close, radical])
    assert (nothing.seed_ids, nothing.n_failed, nothing.n_new) == ([], 2, 0)


def test_a_missing_program_fails_the_job(
    maker: SeedMaker, water: Molecule, gaussian_code: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any) -> None:
        raise MissingDependencyError("pw.x is not installed")

    monkeypatch.setattr(type(gaussian_code), "seeded_comparison", missing)
    with pytest.raises(MissingDependencyError, match="not installed"):
        _seed(maker, [water])


def test_the_first_test_structures_of_a_dataset(maker: SeedMaker, labels: list[str]) -> None:
    builder = BuildDatasetMaker(store_path=maker.store_path, n_processes=1)
    BuildDatasetMaker.make.original(  # type: ignore[attr-defined]
        builder, labels[:3], test_ids=labels[3:]
    )
    output = _seed(replace(maker, limit=2), dataset_id="dataset")
    with maker.open_stores() as stores:
        found = [stores.reports.seeds.get(key).density_id for key in output.seed_ids]
    assert found == labels[3:5]


def test_a_fixed_sample_is_audited(
    maker: SeedMaker, predictor: ScdpPredictor, molecules: list[Molecule]
) -> None:
    some = replace(maker, audit_fraction=0.5)
    output = _seed(some, molecules, predictors=predictor)
    with maker.open_stores() as stores:
        docs = [stores.reports.seeds.get(key) for key in output.seed_ids]
    audited = [doc.start("default") is not None for doc in docs]
    assert 0 < sum(audited) < len(molecules)
    alone = docs[audited.index(False)]
    assert [record.start for record in alone.starts] == ["tiny"]
    assert alone.starts[0].energy_difference_ha is None
    assert _seed(some, molecules, predictors=predictor).n_reused == len(molecules)
    with pytest.raises(SettingsError, match="audit_fraction is 2"):
        replace(maker, audit_fraction=2)


@pytest.mark.parametrize("audit_fraction", [0.0, 1.0], ids=["daily", "audited"])
def test_a_refused_prediction_falls_back(
    maker: SeedMaker, water: Molecule, gaussian_code: Any, audit_fraction: float
) -> None:
    carbon = gaussian_code.atomic_reference([6]).to_dict()
    ignorant = AtomicPredictor(reference=carbon, name="ignorant")
    output = _seed(replace(maker, audit_fraction=audit_fraction), [water], predictors=[ignorant])
    assert output.failed == []
    with maker.open_stores() as stores:
        record = stores.reports.seeds.get(output.seed_ids[0]).start("ignorant")
    assert record is not None
    assert (record.seed_used, record.converged, record.iterations) == (False, True, 10)
    assert "H2 O1" in (record.fallback_reason or "")
    assert record.predictor == "ignorant"


def test_a_predictor_that_breaks_does_not_lose_the_batch(
    maker: SeedMaker,
    predictor: ScdpPredictor,
    molecules: list[Molecule],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = ScdpPredictor.predict_many

    def breaks(self: ScdpPredictor, given: Any, **named: Any) -> Any:
        if molecules[1] in given:
            raise RuntimeError("out of memory")
        return whole(self, given, **named)

    monkeypatch.setattr(ScdpPredictor, "predict_many", breaks)
    output = _seed(maker, molecules[:3], predictors=predictor)
    with maker.open_stores() as stores:
        records = [stores.reports.seeds.get(key).start("tiny") for key in output.seed_ids]
    assert [record is not None and record.seed_used for record in records] == [True, False, True]
    assert records[1] is not None
    assert "out of memory" in (records[1].fallback_reason or "")


def test_labels_in_gaussians_are_started_from_too(maker: SeedMaker, labels: list[str]) -> None:
    output = _seed(replace(maker, fit_start=True), density_ids=labels[:1])
    assert list(output.mean_iterations) == ["default", "atomic", "fit", "exact"]


def test_hybrids_start_from_other_functionals_on_request(
    maker: SeedMaker, predictor: ScdpPredictor, water: Molecule, gaussian_code: Any
) -> None:
    hybrid = replace(maker, code=replace(gaussian_code, functional="B3LYP"))
    with pytest.raises(KindMismatchError, match="functional"):
        _seed(hybrid, [water], predictors=predictor)
    assert _seed(replace(hybrid, other_functional=True), [water], predictors=predictor).seed_ids


def test_settings_of_restarts_tell_calculations_apart(gaussian_code: Any) -> None:
    same = type(gaussian_code).from_dict(gaussian_code.as_dict())
    assert seed_settings_hash(same) == seed_settings_hash(gaussian_code)
    other = replace(gaussian_code, spacing=0.3)
    assert seed_settings_hash(other) != seed_settings_hash(gaussian_code)


def test_wrong_requests_are_explained(
    maker: SeedMaker, water: Molecule, gaussian_code: Any
) -> None:
    with pytest.raises(DatasetError, match="nothing to restart"):
        _seed(maker)
    with pytest.raises(SettingsError, match="named 'atomic'"):
        _seed(maker, [water], predictors=AtomicPredictor(reference={}))
    kind = gaussian_code.kind().as_dict() | {"electrons": "all"}
    other = AtomicPredictor(reference={}, density_kind=kind, name="all electrons")
    with pytest.raises(KindMismatchError, match="electrons"):
        _seed(maker, [water], predictors=other)
