"""Build datasets: choose labels, divide them, and pack the training samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from jobflow import job

from scdp_flows.errors import DatasetError, KindMismatchError
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.curate import select
from scdp_flows.jobs.fit_basis import fit_basis
from scdp_flows.jobs.groups import group_of
from scdp_flows.jobs.samples import Recipe, common_reference, pack_stored
from scdp_flows.jobs.splits import SplitRule, cover_elements, unseen_elements
from scdp_flows.kind import DensityKind
from scdp_flows.parallel import map_parallel
from scdp_flows.progress import track
from scdp_flows.schemas.dataset import AtomCounts, DatasetDoc, DatasetMember
from scdp_flows.schemas.identity import symbols
from scdp_flows.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scdp_flows.jobs.groups import Grouping
    from scdp_flows.schemas.dataset import Split
    from scdp_flows.schemas.density import BlobReference, DensityDoc
    from scdp_flows.stores.densities import DensityStore
    from scdp_flows.stores.factory import Stores

__all__ = ["BuildDatasetMaker", "common_kind", "count_shards", "find_labels", "iterate_labels"]

_MODELLED = ("train", "validation")


@dataclass(kw_only=True)
class BuildDatasetMaker(StepMaker):
    """Make the job that builds a dataset of stored labels.

    The samples of training and validation are packed into shards; test structures are read from
    their labels when a model is judged.
    """

    name: str = "build dataset"
    dataset_name: str = "dataset"
    """Name under which the dataset is found in the store."""
    basis: str = "lean"
    """Shells that a model will predict; see :func:`scdp_models.basis.named.basis_from_spec`."""
    target: Literal["delta", "total"] = "delta"
    """Whether a model learns the difference to superposed atoms or the density itself."""
    split: SplitRule = field(default_factory=SplitRule)
    """Which structures are held out."""
    stored_split: str | None = None
    """Name or identifier of a split in the store, which then decides instead of the rule; labels
    that it does not name are left out."""
    keep_grid: bool = False
    """Whether grids go along; the loss ``grid_mae`` needs them."""
    shard_size: int = 16
    """Structures per shard."""
    n_processes: int | None = None
    """Shards made at a time; None: as the settings say, on all cores by default."""

    @job(output_schema=DatasetDoc)
    def make(
        self,
        density_ids: Sequence[str] | None = None,
        *,
        earlier_ids: Sequence[str] = (),
        test_ids: Sequence[str] | None = None,
        criteria: Mapping[str, Any] | None = None,
        exclude: Mapping[str, Any] | None = None,
    ) -> DatasetDoc:
        """Build a dataset.

        Labels are read one at a time and a shard holds ``shard_size`` of them, so that a dataset
        may be larger than the memory.

        Parameters
        ----------
        density_ids
            Labels, by identifier.
        earlier_ids
            More of them, where ``density_ids`` is the output of a job.
        test_ids
            Labels that are for testing alone; the rule then takes no others for that.
        criteria
            MongoDB query of the density store: what it finds is added.
        exclude
            MongoDB query for what is left out again of what ``criteria`` finds.

        Raises
        ------
        DatasetError
            If there is no label or none for training, or a label is unusable.
        KindMismatchError
            If labels of several kinds would be mixed.
        UnknownNameError
            If there is no label with an identifier.
        """
        with self.open_stores() as stores:
            ids = [*earlier_ids, *(density_ids or ()), *(test_ids or ())]
            docs = iterate_labels(stores.densities, ids, criteria, exclude)
            planned = self._plan(docs, test_ids, stores).updated(
                query=dict(criteria or {}), exclude=dict(exclude or {})
            )
            known = next(stores.datasets.query({"dataset_id": planned.dataset_id}), None)
            if known is not None and all(map(stores.blobs.is_whole, known.shards)):
                return stores.datasets.put(known.updated(name=self.dataset_name))
            shards = self._pack(planned, stores)
            return stores.datasets.put(planned.updated(shards=shards))

    def _plan(
        self, docs: Iterator[DensityDoc], test_ids: Sequence[str] | None, stores: Stores
    ) -> DatasetDoc:
        """Return the document of the dataset without its shards."""
        chosen, split_id = _stored_places(stores, self.stored_split)
        labels = _Labels(self.split.by)
        reference = common_reference(labels.noting(docs, chosen), stores.blobs)
        kind = labels.kind()
        if kind.electrons == "all" and self.target == "total":
            raise DatasetError(
                f"dataset {self.dataset_name!r}: few shells resolve the cores of labels that hold "
                "all electrons; set target='delta', which leaves the cores to the atoms"
            )
        basis = fit_basis(self.basis, labels.numbers)
        return DatasetDoc.from_members(
            self._members(labels, test_ids, chosen),
            target={
                "target": self.target,
                "basis": basis.name,
                "keep_grid": self.keep_grid,
                "shard_size": self.shard_size,
            },
            name=self.dataset_name,
            kind=kind.as_dict(),
            kind_key=kind.key(),
            elements=sorted(symbols(sorted(labels.numbers))),
            n_atoms=AtomCounts.from_counts(labels.n_atoms),
            basis=basis.to_dict(),
            reference=reference,
            split_id=split_id,
        )

    def _members(
        self,
        labels: _Labels,
        test_ids: Sequence[str] | None,
        chosen: Mapping[str, Split] | None,
    ) -> list[DatasetMember]:
        listed = None if test_ids is None else set(test_ids)
        if self.split.test_tag is not None:
            listed = labels.tagged(self.split.test_tag) | (listed or set())
        if chosen is None:
            divided = self.split.divide(labels.groups.items(), listed)
            places = cover_elements(divided, labels.groups, labels.elements)
        else:
            places = {density_id: chosen[density_id] for density_id in labels.groups}
            self._refuse_unseen(unseen_elements(places, labels.elements))
        used = [places[density_id] for density_id in labels.groups]
        if "train" not in used:
            raise DatasetError(
                f"dataset {self.dataset_name!r}: of {len(used)} labels none is left for training; "
                "give more labels, fewer test_ids, or smaller fractions in the field split"
            )
        return [
            DatasetMember(density_id=density_id, split=place)
            for density_id, place in zip(labels.groups, used, strict=True)
        ]

    def _refuse_unseen(self, unseen: set[int]) -> None:
        if unseen:
            names = ", ".join(symbols(sorted(unseen)))
            raise DatasetError(
                f"dataset {self.dataset_name!r}: the stored split has {names} in validation and "
                "not in training; move one such structure to training"
            )

    def _pack(self, planned: DatasetDoc, stores: Stores) -> list[BlobReference]:
        """Make the shards, those of training first."""
        recipe = Recipe(planned.basis, planned.reference, self.target, self.keep_grid)
        size = self.shard_size
        groups = [
            ids[start : start + size]
            for ids in (planned.ids("train"), planned.ids("validation"))
            for start in range(0, len(ids), size)
        ]
        # In one process the stores are open already, but each call opens its own: it costs nothing.
        path = self.store_path and str(stores.path)
        tasks = ((group, path, recipe) for group in groups)
        processes = self.n_processes or get_settings().N_PROCESSES
        made = map_parallel(pack_stored, tasks, n_processes=processes if len(groups) > 1 else 1)
        return list(track(made, "pack dataset", total=len(groups)))


class _Labels:
    """Remember of each label what a dataset needs, and let go of the rest."""

    def __init__(self, by: Grouping) -> None:
        self._by = by
        self.groups: dict[str, str] = {}
        self.elements: dict[str, frozenset[int]] = {}
        self.n_atoms: list[int] = []
        self.numbers: set[int] = set()
        self._alike: dict[frozenset[int], frozenset[int]] = {}
        self._tags: dict[str, set[str]] = {}
        self._kinds: dict[str, DensityKind] = {}
        self._counts: Counter[str] = Counter()

    def noting(
        self, docs: Iterable[DensityDoc], chosen: Mapping[str, Split] | None
    ) -> Iterator[DensityDoc]:
        """Pass on the labels that are chosen, all if none are, and remember them."""
        for doc in docs:
            if chosen is not None and doc.density_id not in chosen:
                continue
            self.groups[doc.density_id] = group_of(doc, self._by)
            self.n_atoms.append(doc.n_atoms)
            self.elements[doc.density_id] = self._shared(doc.numbers)
            self.numbers.update(doc.numbers)
            for tag in doc.tags:
                self._tags.setdefault(tag, set()).add(doc.density_id)
            if doc.kind_key not in self._kinds:
                self._kinds[doc.kind_key] = DensityKind.from_dict(doc.kind)
            self._counts[doc.kind_key] += 1
            yield doc

    def _shared(self, numbers: Iterable[int]) -> frozenset[int]:
        """Return the elements of a label, one object for all that have the same."""
        found = frozenset(numbers)
        return self._alike.setdefault(found, found)

    def tagged(self, tag: str) -> set[str]:
        """Return the labels that have a tag."""
        return self._tags.get(tag, set())

    def kind(self) -> DensityKind:
        """Return the kind that all labels are of."""
        if not self._kinds:
            raise DatasetError(
                "the stored split names none of the labels; correct the query or the split"
            )
        return _only_kind(self._kinds, self._counts)


def _stored_places(
    stores: Stores, name: str | None
) -> tuple[dict[str, Split], str] | tuple[None, None]:
    if name is None:
        return None, None
    split = stores.curation.splits.get_named(name)
    return stores.curation.load_split(split), split.split_id


def count_shards(dataset: DatasetDoc) -> tuple[int, int]:
    """Return how many of a dataset's shards are for training and for validation.

    Raises
    ------
    DatasetError
        If the shards do not belong to the document.
    """
    size = int(dataset.target.get("shard_size", 0))
    counts = [-(-n // size) if size else 0 for n in (dataset.n_train, dataset.n_validation)]
    if not dataset.shards or sum(counts) != len(dataset.shards):
        raise DatasetError(
            f"dataset {dataset.name!r} ({dataset.dataset_id}) has {len(dataset.shards)} shards, "
            f"expected {sum(counts)}; build it again with its samples"
        )
    return counts[0], counts[1]


def find_labels(
    densities: DensityStore, density_ids: Sequence[str], criteria: Mapping[str, Any] | None = None
) -> list[DensityDoc]:
    """Return labels by identifier and by query, each once; see :func:`iterate_labels`."""
    return list(iterate_labels(densities, density_ids, criteria))


def iterate_labels(
    densities: DensityStore,
    density_ids: Sequence[str],
    criteria: Mapping[str, Any] | None = None,
    exclude: Mapping[str, Any] | None = None,
) -> Iterator[DensityDoc]:
    """Yield labels by identifier and by query, each once, in this order, one at a time.

    Parameters
    ----------
    densities
        Where they are.
    density_ids
        Identifiers, all of which must exist.
    criteria
        MongoDB query for more; refused structures are left out.
    exclude
        MongoDB query for what is left out again of those.

    Raises
    ------
    DatasetError
        If there is none, or one that was asked for has no density.
    UnknownNameError
        If there is no label with an identifier.
    """
    named = dict.fromkeys(density_ids)
    for density_id in named:
        doc = densities.get(density_id)
        if doc.status != "ok":
            raise DatasetError(
                f"density {doc.density_id} ({doc.formula}) was refused: {doc.reason}; leave it out"
            )
        yield doc
    found = 0
    for doc in select(densities, criteria, exclude) if criteria is not None else ():
        if doc.density_id not in named:
            found += 1
            yield doc
    if not named and not found:
        asked = f"the query {dict(criteria)} finds nothing" if criteria else "none were named"
        raise DatasetError(
            f"there are no labels: {asked} in {densities.documents.store.name}; label or ingest "
            "structures first, or correct the query"
        )


def common_kind(docs: Sequence[DensityDoc]) -> DensityKind:
    """Return the kind that all labels are of.

    Raises
    ------
    KindMismatchError
        If there are several.
    """
    kinds = {doc.kind_key: DensityKind.from_dict(doc.kind) for doc in docs}
    return _only_kind(kinds, Counter(doc.kind_key for doc in docs))


def _only_kind(kinds: Mapping[str, DensityKind], counts: Mapping[str, int]) -> DensityKind:
    first, *others = sorted(kinds, key=lambda key: -counts[key])
    for other in others:
        differences = [
            f"{name} ({mine!r} against {theirs!r})"
            for name, mine in kinds[first].as_dict().items()
            if name != "code" and mine != (theirs := kinds[other].as_dict()[name])
        ]
        raise KindMismatchError(
            f"the labels are of different kinds: {counts[first]} and {counts[other]} of them "
            f"differ in {', '.join(differences)}; build one dataset for each, by a query such as "
            f"{{'kind_key': {first!r}}}"
        )
    return kinds[first]
