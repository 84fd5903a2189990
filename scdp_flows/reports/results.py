"""Collect what a report is about from the stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scdp_flows.errors import UnknownNameError
from scdp_flows.kind import DensityKind
from scdp_flows.reports.series import Series, arrange, evaluation_key, start_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.schemas.base import ScdpDoc
    from scdp_flows.schemas.evaluation import ErrorRow, EvaluationDoc
    from scdp_flows.schemas.provenance import Provenance
    from scdp_flows.schemas.seeding import SeedDoc, StartRecord
    from scdp_flows.schemas.training import ModelDoc
    from scdp_flows.stores.factory import Stores

__all__ = ["Group", "Results", "gather"]


@dataclass(frozen=True)
class Group:
    """Hold what was found out about one set of structures; averages go over nothing else."""

    title: str
    """Which structures these are."""
    evaluations: tuple[EvaluationDoc, ...]
    """Errors of predictions."""
    seeds: tuple[SeedDoc, ...]
    """Restarts."""

    def errors(self, key: str) -> list[ErrorRow]:
        """Return the errors of one series, one row per structure."""
        docs = [doc for doc in self.evaluations if evaluation_key(doc) == key]
        return list({row.density_id: row for doc in docs for row in doc.rows}.values())

    def starts(self, key: str) -> list[StartRecord]:
        """Return the restarts of one series, one per structure."""
        found = {
            doc.structure_hash: record
            for doc in self.seeds
            for record in doc.starts
            if start_key(record) == key
        }
        return list(found.values())

    def pairs(self, key: str) -> list[tuple[StartRecord, StartRecord]]:
        """Return each restart of a series together with the default one beside it."""
        found = {}
        for doc in self.seeds:
            default = doc.start("default")
            for record in doc.starts:
                if default is not None and start_key(record) == key:
                    found[doc.structure_hash] = (record, default)
        return list(found.values())


@dataclass(frozen=True)
class Results:
    """Hold everything that a report shows."""

    title: str
    """Title of the report."""
    models: tuple[ModelDoc, ...]
    """Models that were trained or used."""
    groups: tuple[Group, ...]
    """Sets of structures with their results."""
    series: dict[str, Series]
    """What is compared, in order."""
    notes: tuple[str, ...] = ()
    """What is missing, in sentences."""
    kinds: tuple[str, ...] = ()
    """What the labelled densities are, in words."""

    def documents(self) -> list[ScdpDoc]:
        """Return every document behind the report."""
        found: list[ScdpDoc] = [*self.models]
        for group in self.groups:
            found += [*group.evaluations, *group.seeds]
        return found

    def provenances(self) -> list[Provenance]:
        """Return where the documents came from, in order of time."""
        return sorted((doc.provenance for doc in self.documents()), key=lambda p: p.created_at)


def gather(
    stores: Stores,
    *,
    model_ids: Sequence[str],
    evaluation_ids: Sequence[str],
    seed_ids: Sequence[str],
    title: str,
) -> Results:
    """Load the documents of a report.

    Parameters
    ----------
    stores
        Open stores.
    model_ids, evaluation_ids, seed_ids
        Identifiers; for models names will do. Any may be empty.
    title
        Title of the report.

    Returns
    -------
    Results
        With a note for each part that is missing.

    Raises
    ------
    UnknownNameError
        If a document does not exist.
    """
    evaluations = [stores.reports.evaluations.get(i) for i in dict.fromkeys(evaluation_ids)]
    seeds = [stores.reports.seeds.get(i) for i in dict.fromkeys(seed_ids)]
    models = _models(stores, model_ids, evaluations, seeds)
    return Results(
        title=title,
        models=tuple(models),
        groups=tuple(
            part for group in _groups(stores, evaluations, seeds) for part in _by_settings(group)
        ),
        series=arrange(models, evaluations, seeds),
        notes=tuple(_notes(models, evaluations, seeds)),
        kinds=_kinds(stores, evaluations, seeds),
    )


def _kinds(
    stores: Stores, evaluations: Sequence[EvaluationDoc], seeds: Sequence[SeedDoc]
) -> tuple[str, ...]:
    """Describe the labels behind the results; one of each evaluation speaks for its others."""
    names = [doc.rows[0].density_id for doc in evaluations]
    names += [doc.density_id for doc in seeds[:1] if doc.density_id]
    found = {}
    for name in dict.fromkeys(names):
        doc = stores.densities.documents.find({"density_id": name})
        if doc is not None and doc.kind_key not in found:
            found[doc.kind_key] = DensityKind.from_dict(doc.kind)
    return tuple(
        f"{kind.electrons} density, {kind.functional}, {kind.pseudopotential}, {kind.basis}, "
        f"{kind.spin}, by {kind.code or 'an unnamed code'}"
        for kind in found.values()
    )


def _models(
    stores: Stores,
    model_ids: Sequence[str],
    evaluations: Sequence[EvaluationDoc],
    seeds: Sequence[SeedDoc],
) -> list[ModelDoc]:
    """Return the models asked for, then those that the results speak of and the store knows."""
    found = {doc.model_id: doc for doc in (stores.models.get(name) for name in model_ids)}
    spoken_of = [doc.model_id for doc in evaluations]
    spoken_of += [record.model_id for doc in seeds for record in doc.starts]
    for model_id in dict.fromkeys(spoken_of):
        if model_id is not None and model_id not in found:
            doc = stores.models.documents.find({"model_id": model_id})
            if doc is not None:
                found[model_id] = doc
    return list(found.values())


def _groups(
    stores: Stores, evaluations: Sequence[EvaluationDoc], seeds: Sequence[SeedDoc]
) -> tuple[Group, ...]:
    """Put evaluations of the same dataset and split together, and the restarts with their labels.

    Without more than one such set there is one group of everything.
    """
    keys = list(dict.fromkeys((doc.dataset_id, doc.split) for doc in evaluations))
    if len(keys) < 2:
        everything = Group(
            _describe(stores, keys[0]) if keys else "all", (*evaluations,), (*seeds,)
        )
        return (everything,) if evaluations or seeds else ()
    groups, left = [], list(seeds)
    for key in keys:
        docs = [doc for doc in evaluations if (doc.dataset_id, doc.split) == key]
        labels = {row.density_id for doc in docs for row in doc.rows}
        mine = [doc for doc in left if doc.density_id in labels]
        left = [doc for doc in left if doc.density_id not in labels]
        groups.append(Group(_describe(stores, key), (*docs,), (*mine,)))
    if left:
        groups.append(Group("other structures", (), (*left,)))
    return tuple(groups)


def _by_settings(group: Group) -> list[Group]:
    """Divide a group whose restarts were not all computed in the same way; most come first."""
    found: dict[str, list[SeedDoc]] = {}
    for doc in group.seeds:
        found.setdefault(doc.settings_hash, []).append(doc)
    most, *others = sorted(found.items(), key=lambda item: -len(item[1])) or [("", [])]
    return [
        Group(group.title, group.evaluations, tuple(most[1])),
        *(Group(f"{group.title}, DFT settings {k[:8]}", (), tuple(docs)) for k, docs in others),
    ]


def _describe(stores: Stores, key: tuple[str | None, str | None]) -> str:
    dataset_id, split = key
    where = f"{split} split" if split else "all structures"
    if dataset_id is None:
        return where
    try:
        return f"{where} of {stores.datasets.get(dataset_id).name}"
    except UnknownNameError:
        return f"{where} of dataset {dataset_id[:8]}"


def _notes(
    models: Sequence[ModelDoc], evaluations: Sequence[EvaluationDoc], seeds: Sequence[SeedDoc]
) -> list[str]:
    notes = []
    if not evaluations:
        notes.append("No predictions were evaluated, so there are no errors to show.")
    elif not any(doc.predictor == "atomic" for doc in evaluations):
        notes.append("The atomic baseline was not evaluated; errors have nothing beside them.")
    if not seeds:
        notes.append("No calculation was restarted, so nothing is said about SCF iterations.")
    elif not any(doc.start("default") for doc in seeds):
        notes.append("The default start was not run, so savings cannot be stated.")
    if not models:
        notes.append("No model is part of this report.")
    return notes
