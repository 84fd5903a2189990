"""Datasets are chosen, divided and packed once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import DatasetError, KindMismatchError, SettingsError, UnknownNameError
from scdp_flows.jobs.build_dataset import BuildDatasetMaker, count_shards
from scdp_flows.jobs.label import LabelMaker
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.schemas.dataset import DatasetDoc

if TYPE_CHECKING:
    from pymatgen.core import Molecule

_NO_TEST = SplitRule(validation=0.2, test=0.0)


def _build(maker: BuildDatasetMaker, *given: Any, **named: Any) -> DatasetDoc:
    doc = BuildDatasetMaker.make.original(maker, *given, **named)  # type: ignore[attr-defined]
    assert isinstance(doc, DatasetDoc)
    return doc


@pytest.fixture
def maker(store_path: str) -> BuildDatasetMaker:
    """Build without a test set, in one process."""
    return BuildDatasetMaker(store_path=store_path, split=_NO_TEST, n_processes=1, shard_size=2)


def test_a_dataset_says_what_it_is_made_of(maker: BuildDatasetMaker, labels: list[str]) -> None:
    doc = _build(maker, labels)
    assert doc.n_train + doc.n_validation == len(labels)
    assert doc.n_validation >= 1
    assert doc.elements == ["C", "H", "O"]
    assert set(doc.reference["atoms"]) == {"1", "6", "8"}
    assert doc.target["target"] == "delta"
    assert (doc.n_atoms.smallest, doc.n_atoms.largest) == (2, 5)


def test_shards_hold_training_first_then_validation(
    maker: BuildDatasetMaker, labels: list[str], tmp_path: Any
) -> None:
    from scdp_models.data.shards import ShardReader

    doc = _build(maker, labels)
    n_train, n_validation = count_shards(doc)
    paths = [tmp_path / f"{i}" for i in range(n_train + n_validation)]
    with maker.open_stores() as stores:
        for path, blob in zip(paths, doc.shards, strict=True):
            path.write_bytes(stores.blobs.get(blob))
    assert ShardReader(paths[:n_train]).keys == doc.ids("train")
    assert ShardReader(paths[n_train:]).keys == doc.ids("validation")


def test_every_element_of_validation_stands_in_training(
    maker: BuildDatasetMaker, labels: list[str]
) -> None:
    for salt in "abcdef":
        rule = SplitRule(validation=0.6, test=0.0, salt=salt)
        doc = _build(replace(maker, split=rule), labels)
        with maker.open_stores() as stores:
            trained = {n for i in doc.ids("train") for n in stores.densities.get(i).numbers}
        assert trained == {1, 6, 8}


def test_a_stored_split_without_an_element_in_training_is_refused(
    maker: BuildDatasetMaker, labels: list[str]
) -> None:
    with maker.open_stores() as stores:
        heavy = [i for i in labels if 8 in stores.densities.get(i).numbers]
        light = [i for i in labels if i not in heavy]
        parts: Any = {"train": light, "validation": heavy}
        stores.curation.put_split(parts, name="odd", method="structure", n_groups=6)
    with pytest.raises(DatasetError, match="has O in validation and not in training"):
        _build(replace(maker, stored_split="odd"), labels)


def test_building_again_packs_nothing(
    maker: BuildDatasetMaker, labels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _build(maker, labels)
    monkeypatch.setattr("scdp_flows.jobs.build_dataset.pack_stored", None)
    assert _build(maker, labels[::-1]).shards == first.shards


def test_a_damaged_shard_is_packed_anew(
    maker: BuildDatasetMaker, labels: list[str], damage: Any
) -> None:
    first = _build(maker, labels)
    with maker.open_stores() as stores:
        damage(stores, first.shards[0])
        assert _build(maker, labels).shards == first.shards
        assert stores.blobs.is_whole(first.shards[0])


def test_a_pool_packs_the_same(maker: BuildDatasetMaker, labels: list[str]) -> None:
    alone = _build(maker, labels)
    with maker.open_stores() as stores:
        stores.datasets.documents.remove(alone.dataset_id)
    assert _build(replace(maker, n_processes=2), labels).shards == alone.shards


def test_a_new_name_is_taken_on(maker: BuildDatasetMaker, labels: list[str]) -> None:
    first = _build(maker, labels)
    again = _build(replace(maker, dataset_name="renamed"), labels)
    assert again.dataset_id == first.dataset_id
    with maker.open_stores() as stores:
        assert stores.datasets.get("renamed").dataset_id == first.dataset_id


def test_listed_test_structures_are_not_trained_on(
    maker: BuildDatasetMaker, labels: list[str]
) -> None:
    doc = _build(maker, labels[:4], test_ids=labels[4:])
    assert doc.ids("test") == labels[4:]
    assert count_shards(doc) == (2, 1)


def test_a_query_and_a_tag_choose(maker: BuildDatasetMaker, labels: list[str]) -> None:
    with maker.open_stores() as stores:
        tagged = stores.densities.get(labels[2])
        stores.densities.put(tagged.updated(tags=["held out"]))
    rule = SplitRule(validation=0.0, test_tag="held out")
    doc = _build(replace(maker, split=rule), criteria={"elements": "O"})
    assert {member.density_id for member in doc.members} == {labels[2], labels[3], labels[5]}
    assert doc.ids("test") == [labels[2]]
    assert doc.query == {"elements": "O"}


def test_an_empty_dataset_is_refused(maker: BuildDatasetMaker) -> None:
    with pytest.raises(DatasetError, match="no labels: none were named"):
        _build(maker, [])
    with pytest.raises(DatasetError, match=r"the query .* finds nothing"):
        _build(maker, criteria={"elements": "Fe"})


def test_nothing_to_train_on_is_refused(maker: BuildDatasetMaker, labels: list[str]) -> None:
    with pytest.raises(DatasetError, match="none is left for training"):
        _build(maker, labels, test_ids=labels)
    with maker.open_stores() as stores:
        assert list(stores.datasets.query()) == []


def test_all_electrons_are_learned_as_a_difference(
    maker: BuildDatasetMaker, labels: list[str]
) -> None:
    with maker.open_stores() as stores:
        for density_id in labels:
            doc = stores.densities.get(density_id)
            stores.densities.put(doc.updated(kind={**doc.kind, "electrons": "all"}))
    with pytest.raises(DatasetError, match="set target='delta'"):
        _build(replace(maker, target="total"), labels)
    assert _build(maker, labels).target["target"] == "delta"


def test_kinds_are_not_mixed(
    maker: BuildDatasetMaker, labels: list[str], gaussian_code: Any, water: Molecule
) -> None:
    code = replace(gaussian_code, functional="PBE0")
    labeller = LabelMaker(code=code, store_path=maker.store_path)
    other = LabelMaker.make.original(labeller, [water])  # type: ignore[attr-defined]
    with pytest.raises(KindMismatchError, match=r"6 and 1 of them.*functional \('PBE' against"):
        _build(maker, [*labels, *other.density_ids])


def test_an_unknown_label_is_named(maker: BuildDatasetMaker, labels: list[str]) -> None:
    with pytest.raises(UnknownNameError, match="nothere"):
        _build(maker, [*labels, "nothere"])


def test_a_refused_structure_is_not_trained_on(maker: BuildDatasetMaker, labels: list[str]) -> None:
    with maker.open_stores() as stores:
        doc = stores.densities.get(labels[0])
        stores.densities.put(doc.updated(status="refused", reason="spiky"))
    with pytest.raises(DatasetError, match="was refused: spiky"):
        _build(maker, labels)


def test_an_unknown_basis_is_named(maker: BuildDatasetMaker, labels: list[str]) -> None:
    with pytest.raises(SettingsError, match="'leen' names no basis"):
        _build(replace(maker, basis="leen"), labels)


def test_a_dataset_without_its_shards_cannot_be_trained_on(
    maker: BuildDatasetMaker, labels: list[str]
) -> None:
    with pytest.raises(DatasetError, match="has 0 shards, expected"):
        count_shards(_build(maker, labels).updated(shards=[]))


def test_what_is_excluded_is_left_out(maker: BuildDatasetMaker, labels: list[str]) -> None:
    doc = _build(maker, criteria={}, exclude={"formula": "CO"})
    assert {member.density_id for member in doc.members} == set(labels[:5])
    assert doc.exclude == {"formula": "CO"}


def test_a_stored_split_decides(maker: BuildDatasetMaker, labels: list[str]) -> None:
    parts: Any = {"train": labels[2:5], "validation": [labels[0]], "test": [labels[1]]}
    with maker.open_stores() as stores:
        split = stores.curation.put_split(parts, name="mine", method="structure", n_groups=5)
    doc = _build(replace(maker, stored_split="mine"), criteria={})
    assert doc.split_id == split.split_id
    assert set(doc.ids("train")) == set(labels[2:5])
    assert (doc.ids("validation"), doc.ids("test")) == ([labels[0]], [labels[1]])
    with pytest.raises(DatasetError, match=r"names none of the labels|no labels"):
        _build(replace(maker, stored_split="mine"), criteria={"formula": "CO"})


def test_the_next_of_a_name_is_its_next_version(
    maker: BuildDatasetMaker, labels: list[str]
) -> None:
    first = _build(maker, labels[:4])
    second = _build(maker, labels)
    assert (second.version, second.previous) == (2, first.dataset_id)
    assert _build(maker, labels[:4]).version == 1


def test_labels_are_let_go_of_one_by_one(
    maker: BuildDatasetMaker, labels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import gc
    import weakref

    from scdp_flows.jobs.samples import common_reference

    alive: list[weakref.ref[Any]] = []

    def watch(docs: Any, blobs: Any) -> Any:
        def counted() -> Any:
            for doc in docs:
                gc.collect()
                assert sum(ref() is not None for ref in alive) <= 2
                alive.append(weakref.ref(doc))
                yield doc

        return common_reference(counted(), blobs)

    monkeypatch.setattr("scdp_flows.jobs.build_dataset.common_reference", watch)
    assert len(_build(maker, labels).members) == len(alive) == 6
