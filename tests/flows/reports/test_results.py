from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import UnknownNameError
from scdp_flows.reports.results import gather
from scdp_flows.schemas.density import DensityDoc

if TYPE_CHECKING:
    from collections.abc import Callable

    from scdp_flows.stores.factory import Stores


def test_everything_asked_for_is_gathered(
    stores: Stores, stored: dict[str, list[str]], study: Any
) -> None:
    results = gather(stores, title="T", **stored)
    (group,) = results.groups
    assert [row.nmae_percent for row in group.errors(study.model.model_id)] == [0.3, 0.4, 0.5]
    assert [r.iterations for r in group.starts("default")] == [10, 10, 10]
    assert not results.notes
    assert len(results.provenances()) == 1 + 2 + 3


def test_models_that_results_speak_of_come_along(
    stores: Stores, stored: dict[str, list[str]], study: Any
) -> None:
    results = gather(stores, title="T", **{**stored, "model_ids": []})
    assert results.models == (study.model,)


def test_what_is_missing_is_noted(stores: Stores) -> None:
    results = gather(stores, model_ids=[], evaluation_ids=[], seed_ids=[], title="T")
    assert results.groups == ()
    assert len(results.notes) == 3
    assert any("SCF iterations" in note for note in results.notes)


def test_a_missing_document_is_an_error(stores: Stores) -> None:
    with pytest.raises(UnknownNameError, match="evaluation"):
        gather(stores, model_ids=[], evaluation_ids=["nope"], seed_ids=[], title="T")


def test_different_splits_are_never_averaged(
    stores: Stores, stored: dict[str, list[str]], make_evaluation: Callable[..., Any]
) -> None:
    other = make_evaluation("atomic", {"elsewhere": 12.0}, split="validation")
    stores.reports.put(other)
    asked = {**stored, "evaluation_ids": [*stored["evaluation_ids"], other.evaluation_id]}
    first, second = gather(stores, title="T", **asked).groups
    assert (first.title, second.title) == ("test split", "validation split")
    assert [row.density_id for row in second.errors("atomic")] == ["elsewhere"]
    # Restarts stay with the labels of their structures.
    assert (len(first.seeds), len(second.seeds)) == (3, 0)


def test_restarts_of_unjudged_structures_are_kept(
    stores: Stores, stored: dict[str, list[str]], make_evaluation: Callable[..., Any]
) -> None:
    docs = [make_evaluation("atomic", {"a": 9.0}, split=split) for split in ("test", "train")]
    for doc in docs:
        stores.reports.put(doc)
    asked = {**stored, "evaluation_ids": [doc.evaluation_id for doc in docs]}
    groups = gather(stores, title="T", **asked).groups
    assert [(g.title, len(g.seeds)) for g in groups][-1] == ("other structures", 3)


def test_pairs_need_a_default_start(
    make_start: Callable[..., Any], make_seed: Callable[..., Any], study: Any
) -> None:
    group = study.results().groups[0]
    assert [b.start for _, b in group.pairs("exact")] == ["default"] * 3
    alone = make_seed("x", [make_start("exact", 2)])
    assert type(group)("g", (), (alone,)).pairs("exact") == []


def test_labels_are_described(
    stores: Stores, make_evaluation: Callable[..., Any], example: Callable[[str], dict[str, Any]]
) -> None:
    label = stores.densities.put(DensityDoc.model_validate(example("density")))
    doc = make_evaluation("atomic", {label.density_id: 9.0})
    stores.reports.put(doc)
    asked = {"model_ids": [], "evaluation_ids": [doc.evaluation_id], "seed_ids": []}
    (kind,) = gather(stores, title="T", **asked).kinds
    assert label.kind["functional"] in kind
    assert label.kind["pseudopotential"] in kind


def test_a_structure_that_was_restarted_twice_counts_once(
    stores: Stores,
    stored: dict[str, list[str]],
    make_start: Callable[..., Any],
    make_seed: Callable[..., Any],
) -> None:
    again = make_seed("first", [make_start("default", 12), make_start("other", 9)])
    stores.reports.put(again)
    asked = {**stored, "seed_ids": [*stored["seed_ids"], again.seed_id]}
    (group,) = gather(stores, title="T", **asked).groups
    assert sorted(r.iterations for r in group.starts("default")) == [10, 10, 12]
    assert [b.iterations for _, b in group.pairs("other")] == [12]


def test_restarts_with_different_settings_are_never_averaged(
    stores: Stores,
    stored: dict[str, list[str]],
    make_start: Callable[..., Any],
    make_seed: Callable[..., Any],
) -> None:
    coarse = make_seed("first", [make_start("default", 7)]).updated(
        settings_hash="coarse", seed_id="coarse"
    )
    stores.reports.put(coarse)
    asked = {**stored, "seed_ids": [*stored["seed_ids"], "coarse"]}
    usual, other = gather(stores, title="T", **asked).groups
    assert [r.iterations for r in usual.starts("default")] == [10, 10, 10]
    assert [r.iterations for r in other.starts("default")] == [7]
    assert other.title == "test split, DFT settings coarse"
    assert not other.evaluations
