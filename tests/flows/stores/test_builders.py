from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from monty.json import MontyDecoder

from scdp_flows.schemas.evaluation import ErrorRow, EvaluationDoc
from scdp_flows.stores.builders import LeaderboardBuilder, StatisticsBuilder, describe
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymatgen.core import Molecule

    from scdp_flows.schemas.dataset import DatasetDoc
    from scdp_flows.stores.factory import Stores


@pytest.fixture
def kept_log() -> Iterator[None]:
    """Take away the handler that maggma's ``Builder.run`` leaves on the root logger."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def _evaluate(stores: Stores, predictor: str, errors: dict[str, float]) -> None:
    rows = [
        ErrorRow(
            density_id=density_id,
            formula="H2",
            nmae_percent=error,
            electron_error_e=0.0,
            max_error_e_per_ang3=0.1,
            seconds=1.0,
        )
        for density_id, error in errors.items()
    ]
    doc = EvaluationDoc.from_rows(rows, predictor=predictor, dataset_id="d", split="test")
    stores.reports.evaluations.put(doc)


def test_each_dataset_is_described_once(stores: Stores, dataset: DatasetDoc) -> None:
    builder = StatisticsBuilder.of(stores)
    assert builder.refresh() == 1
    (doc,) = stores.curation.statistics.query()
    assert (doc.subject, doc.dataset_id, doc.n_densities) == ("four", dataset.dataset_id, 4)
    assert doc.parts == {"train": 2, "validation": 1, "test": 1}
    assert list(builder.get_items()) == []


def test_a_query_is_described(
    stores: Stores, put_density: Callable[..., Any], molecules: list[Molecule]
) -> None:
    for molecule in molecules:
        put_density(stores, molecule)
    assert describe(stores, criteria={"elements": "C"}).n_densities == 2
    assert describe(stores).n_densities == 6
    put_density(stores, molecules[0], level=3.0)
    assert describe(stores).n_densities == 7
    assert stores.curation.statistics.count() == 2


def test_predictors_are_ranked_where_they_saw_the_same_labels(stores: Stores) -> None:
    _evaluate(stores, "atomic", {"a": 15.0, "b": 17.0})
    _evaluate(stores, "good", {"b": 1.0, "a": 2.0})
    _evaluate(stores, "lazy", {"a": 0.1})
    assert LeaderboardBuilder.of(stores).refresh() == 2
    boards = sorted(stores.curation.leaderboards.query(), key=lambda board: board.n_structures)
    assert [row.predictor for row in boards[0].rows] == ["lazy"]
    assert [(row.rank, row.predictor) for row in boards[1].rows] == [(1, "good"), (2, "atomic")]
    assert boards[1].rows[0].means["nmae_percent"] == 1.5
    LeaderboardBuilder.of(stores).refresh()
    assert stores.curation.leaderboards.count() == 2


@pytest.mark.usefixtures("kept_log")
def test_maggma_runs_a_builder(stores: Stores, dataset: DatasetDoc) -> None:
    StatisticsBuilder.of(stores).run()  # type: ignore[no-untyped-call]
    with open_stores(stores.path) as again:
        assert again.curation.statistics.count() == 1


def test_a_builder_survives_json(stores: Stores) -> None:
    plain = json.loads(json.dumps(LeaderboardBuilder.of(stores).as_dict()))
    assert isinstance(MontyDecoder().process_decoded(plain), LeaderboardBuilder)
