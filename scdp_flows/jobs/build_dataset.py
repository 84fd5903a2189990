"""Build datasets: choose labels, divide them, and pack the training samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from jobflow import job

from scdp_flows.errors import DatasetError, KindMismatchError
from scdp_flows.jobs.base import StepMaker
from scdp_flows.jobs.fit_basis import fit_basis
from scdp_flows.jobs.samples import Recipe, common_reference, pack_stored
from scdp_flows.jobs.splits import SplitRule
from scdp_flows.kind import DensityKind
from scdp_flows.parallel import map_parallel
from scdp_flows.progress import track
from scdp_flows.schemas.dataset import AtomCounts, DatasetDoc, DatasetMember
from scdp_flows.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scdp_flows.schemas.density import BlobReference, DensityDoc
    from scdp_flows.stores.densities import DensityStore
    from scdp_flows.stores.factory import Stores

__all__ = ["BuildDatasetMaker", "count_shards"]

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
        test_ids: Sequence[str] | None = None,
        criteria: Mapping[str, Any] | None = None,
    ) -> DatasetDoc:
        """Build a dataset.

        Parameters
        ----------
        density_ids
            Labels, by identifier.
        test_ids
            Labels that are for testing alone; the rule then takes no others for that.
        criteria
            MongoDB query of the density store: what it finds is added.

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
            docs = find_labels(
                stores.densities, [*(density_ids or ()), *(test_ids or ())], criteria
            )
            planned = self._plan(docs, test_ids, stores, criteria)
            known = next(stores.datasets.query({"dataset_id": planned.dataset_id}), None)
            if known is not None:
                return stores.datasets.put(known.updated(name=self.dataset_name))
            shards = self._pack(planned, stores)
            return stores.datasets.put(planned.updated(shards=shards))

    def _plan(
        self,
        docs: list[DensityDoc],
        test_ids: Sequence[str] | None,
        stores: Stores,
        criteria: Mapping[str, Any] | None,
    ) -> DatasetDoc:
        """Return the document of the dataset without its shards."""
        kind = common_kind(docs)
        members = self._members(docs, test_ids)
        elements = sorted({element for doc in docs for element in doc.elements})
        basis = fit_basis(self.basis, {number for doc in docs for number in doc.numbers})
        return DatasetDoc.from_members(
            members,
            target={
                "target": self.target,
                "basis": basis.name,
                "keep_grid": self.keep_grid,
                "shard_size": self.shard_size,
            },
            name=self.dataset_name,
            kind=kind.as_dict(),
            kind_key=kind.key(),
            elements=elements,
            n_atoms=AtomCounts.from_counts([doc.n_atoms for doc in docs]),
            basis=basis.to_dict(),
            reference=common_reference(docs, stores.blobs),
            query=dict(criteria or {}),
        )

    def _members(
        self, docs: list[DensityDoc], test_ids: Sequence[str] | None
    ) -> list[DatasetMember]:
        listed = None if test_ids is None else set(test_ids)
        if self.split.test_tag is not None:
            tagged = {doc.density_id for doc in docs if self.split.test_tag in doc.tags}
            listed = tagged | (listed or set())
        places = self.split.divide(((doc.density_id, doc.structure_hash) for doc in docs), listed)
        if "train" not in places.values():
            raise DatasetError(
                f"dataset {self.dataset_name!r}: of {len(docs)} labels none is left for training; "
                "give more labels, fewer test_ids, or smaller fractions in the field split"
            )
        return [
            DatasetMember(density_id=doc.density_id, split=places[doc.density_id]) for doc in docs
        ]

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
    """Return labels by identifier and by query, each once, in this order.

    Parameters
    ----------
    densities
        Where they are.
    density_ids
        Identifiers, all of which must exist.
    criteria
        MongoDB query for more; refused structures are left out.

    Raises
    ------
    DatasetError
        If there is none, or one that was asked for has no density.
    UnknownNameError
        If there is no label with an identifier.
    """
    docs = {density_id: densities.get(density_id) for density_id in density_ids}
    for doc in docs.values():
        if doc.status != "ok":
            raise DatasetError(
                f"density {doc.density_id} ({doc.formula}) was refused: {doc.reason}; leave it out"
            )
    if criteria is not None:
        found = densities.query({**criteria, "status": "ok"})
        docs |= {doc.density_id: doc for doc in found if doc.density_id not in docs}
    if not docs:
        asked = f"the query {dict(criteria)} finds nothing" if criteria else "none were named"
        raise DatasetError(
            f"there are no labels: {asked} in {densities.documents.store.name}; label or ingest "
            "structures first, or correct the query"
        )
    return list(docs.values())


def common_kind(docs: Sequence[DensityDoc]) -> DensityKind:
    """Return the kind that all labels are of.

    Raises
    ------
    KindMismatchError
        If there are several.
    """
    kinds = {doc.kind_key: DensityKind.from_dict(doc.kind) for doc in docs}
    counts = Counter(doc.kind_key for doc in docs)
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
