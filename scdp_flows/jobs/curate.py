"""Tag densities, find those that are there twice, and divide them into parts that can be cited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scdp_flows.errors import DatasetError
from scdp_flows.jobs.duplicates import Duplicates, find_duplicates
from scdp_flows.jobs.groups import group_of
from scdp_flows.jobs.split_files import read_split_file
from scdp_flows.jobs.splits import cover_elements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from os import PathLike

    from scdp_flows.jobs.splits import SplitRule
    from scdp_flows.schemas.dataset import Split
    from scdp_flows.schemas.density import DensityDoc
    from scdp_flows.schemas.split import SplitDoc
    from scdp_flows.stores.densities import DensityStore
    from scdp_flows.stores.factory import Stores

__all__ = [
    "DUPLICATE_TAG",
    "divide",
    "divide_by_file",
    "parts_of",
    "select",
    "tag_densities",
    "tag_duplicates",
]

DUPLICATE_TAG = "duplicate"
"""The tag of all but the first of several densities that say the same."""


def select(
    densities: DensityStore,
    criteria: Mapping[str, Any] | None = None,
    exclude: Mapping[str, Any] | None = None,
) -> Iterator[DensityDoc]:
    """Yield the usable densities that one query finds and another does not, one at a time.

    Parameters
    ----------
    densities
        Where they are.
    criteria
        MongoDB query; None or empty means all. Refused structures never come.
    exclude
        MongoDB query for those to leave out; None or empty leaves out none.
    """
    wanted: dict[str, Any] = {**(criteria or {}), "status": "ok"}
    if exclude:
        wanted = {"$and": [wanted, {"$nor": [dict(exclude)]}]}
    return densities.query(wanted)


def tag_densities(
    densities: DensityStore,
    criteria: Mapping[str, Any],
    *,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
) -> int:
    """Add tags to the densities that a query finds, and take others away.

    Parameters
    ----------
    densities
        Where they are.
    criteria
        MongoDB query.
    add, remove
        Tags.

    Returns
    -------
    int
        How many documents changed.

    Raises
    ------
    DatasetError
        If a tag would be added and removed.
    """
    added, removed = set(add), set(remove)
    if added & removed:
        raise DatasetError(f"{sorted(added & removed)} would be added and removed; choose one")
    changed = 0
    for doc in densities.query(criteria):
        tags = sorted((set(doc.tags) | added) - removed)
        if tags != doc.tags:
            densities.tag(doc.density_id, added, removed)
            changed += 1
    return changed


def tag_duplicates(
    stores: Stores,
    criteria: Mapping[str, Any] | None = None,
    *,
    tolerance: float = 0.01,
    dry_run: bool = False,
) -> list[Duplicates]:
    """Find duplicates and tag all but the first of each set ``duplicate``.

    Nothing is removed: datasets that were built keep their members. Leave the tagged ones out of
    new datasets with ``exclude={"tags": "duplicate"}``.

    Parameters
    ----------
    stores
        The stores.
    criteria
        MongoDB query for the densities to compare; None means all.
    tolerance
        See :func:`scdp_flows.jobs.duplicates.find_duplicates`.
    dry_run
        Whether to tag nothing.
    """
    found = find_duplicates(select(stores.densities, criteria), tolerance=tolerance)
    if not dry_run:
        for same in found:
            for density_id in same.others:
                tag_densities(stores.densities, {"density_id": density_id}, add=[DUPLICATE_TAG])
    return found


def divide(
    stores: Stores,
    name: str,
    rule: SplitRule,
    *,
    criteria: Mapping[str, Any] | None = None,
    exclude: Mapping[str, Any] | None = None,
) -> SplitDoc:
    """Divide densities by a rule and store the split.

    Parameters
    ----------
    stores
        The stores.
    name
        Name of the split.
    rule
        Fractions, salt and what stays together.
    criteria, exclude
        Which densities; see :func:`select`.

    Raises
    ------
    DatasetError
        If the query finds nothing.
    """
    groups: dict[str, str] = {}
    elements: dict[str, frozenset[int]] = {}
    listed: set[str] = set()
    for doc in select(stores.densities, criteria, exclude):
        groups[doc.density_id] = group_of(doc, rule.by)
        elements[doc.density_id] = frozenset(doc.numbers)
        if rule.test_tag in doc.tags:
            listed.add(doc.density_id)
    if not groups:
        raise DatasetError(
            f"the query {dict(criteria or {})} finds no density to divide; correct it, or ingest "
            "or label structures first"
        )
    divided = rule.divide(groups.items(), None if rule.test_tag is None else listed)
    places = cover_elements(divided, groups, elements)
    return stores.curation.put_split(
        parts_of(places),
        name=name,
        method=rule.by,
        parameters={k: v for k, v in rule.as_dict().items() if not k.startswith("@")},
        query=_query(criteria, exclude),
        n_groups=len(set(groups.values())),
    )


def divide_by_file(
    stores: Stores,
    name: str,
    path: str | PathLike[str],
    *,
    criteria: Mapping[str, Any] | None = None,
    offset: int = 0,
) -> SplitDoc:
    """Divide densities as a published file says and store the split.

    Parameters
    ----------
    stores
        The stores.
    name
        Name of the split.
    path
        JSON of lists; see :func:`scdp_flows.jobs.split_files.read_split_file`.
    criteria
        MongoDB query for the densities; None means all. Those that the file does not list are left
        out.
    offset
        What a number in the file must be raised by to give that in the name of a density's file.

    Raises
    ------
    DatasetError
        If the file cannot be read or lists none of the densities.
    """
    file = read_split_file(path)
    places = file.assign(select(stores.densities, criteria), offset=offset)
    return stores.curation.put_split(
        parts_of(places),
        name=name,
        method="file",
        parameters={
            "file": file.name,
            "sha256": file.sha256,
            "offset": offset,
            "n_listed": len(file.places),
        },
        query=_query(criteria, None),
        n_groups=len(places),
    )


def parts_of(places: Mapping[str, Split]) -> dict[Split, Sequence[str]]:
    """Return the identifiers of each part.

    Parameters
    ----------
    places
        Part of each identifier.
    """
    parts: dict[Split, list[str]] = {"train": [], "validation": [], "test": []}
    for density_id, place in places.items():
        parts[place].append(density_id)
    return dict(parts)


def _query(criteria: Mapping[str, Any] | None, exclude: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**(criteria or {}), **({"$nor": [dict(exclude)]} if exclude else {})}
