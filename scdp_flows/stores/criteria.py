"""Evaluate MongoDB queries on plain documents.

Matching and ordering are mongomock's. Projection is done here, since mongomock has it only inside
its collections.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from maggma.core import Sort
from mongomock import OperationFailure
from mongomock.filtering import (
    filter_applies,
    iter_key_candidates,
    resolve_key,
    resolve_sort_key,
)
from mongomock.helpers import patch_datetime_awareness_in_document
from sentinels import NOTHING  # type: ignore[import-untyped] # comes with mongomock

from scdp_flows.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "distinct_values",
    "group_documents",
    "matches",
    "normalised",
    "project",
    "sort_documents",
]

Document = dict[str, Any]


def normalised(criteria: Mapping[str, Any] | None) -> Document:
    """Return criteria whose datetimes are what a database holds: naive, UTC, whole milliseconds."""
    patched: Document = patch_datetime_awareness_in_document(dict(criteria or {}))
    return patched


def matches(criteria: Mapping[str, Any], document: Document) -> bool:
    """Return whether a document satisfies a MongoDB query.

    Raises
    ------
    StoreError
        If the query is malformed or uses an operator that is not supported.
    """
    try:
        return bool(filter_applies(criteria, document))
    except (OperationFailure, NotImplementedError, TypeError, re.error) as error:
        raise StoreError(
            f"cannot evaluate the query {criteria!r}: {error}; correct its operators and values"
        ) from error


def sort_documents(
    documents: list[Document], sort: Mapping[str, Sort | int] | None
) -> list[Document]:
    """Return the documents in the order that MongoDB gives them; the sort is stable."""
    ordered = list(documents)
    # The last key is the least significant one, so it is sorted by first.
    for name, direction in reversed(list((sort or {}).items())):
        sign = direction.value if isinstance(direction, Sort) else direction
        if sign not in (1, -1):
            raise StoreError(f"sort direction of {name!r} is {sign!r}; expected 1 or -1")
        ordered.sort(key=partial(resolve_sort_key, name), reverse=sign == -1)
    return ordered


def distinct_values(documents: Iterator[Document], name: str) -> list[Any]:
    """Return the different values of a dotted field; a list counts as its items."""
    seen: list[Any] = []
    hashed: set[Any] = set()
    for document in documents:
        for candidate in iter_key_candidates(name, document):
            for value in candidate if isinstance(candidate, list) else [candidate]:
                if value is NOTHING or _already(value, hashed, seen):
                    continue
                seen.append(value)
    return seen


def _already(value: Any, hashed: set[Any], seen: Sequence[Any]) -> bool:
    if isinstance(value, dict | list):
        return value in seen
    found = value in hashed
    hashed.add(value)
    return found


def group_documents(
    documents: Iterator[Document], names: Sequence[str]
) -> list[tuple[Document, list[Document]]]:
    """Return groups of documents that agree in the named fields, each with these fields' values.

    Documents that lack one of the fields are left out. Groups and their documents keep the order
    of the documents.
    """
    groups: dict[str, tuple[Document, list[Document]]] = {}
    for document in documents:
        values = [resolve_key(name, document) for name in names]
        if any(value is NOTHING for value in values):
            continue
        label: Document = {}
        for name, value in zip(names, values, strict=True):
            _set_field(label, name, value)
        same = json.dumps(values, default=str, sort_keys=True)
        groups.setdefault(same, (label, []))[1].append(document)
    return list(groups.values())


def _set_field(document: Document, name: str, value: Any) -> None:
    *parents, last = name.split(".")
    for parent in parents:
        document = document.setdefault(parent, {})
    document[last] = value


# --------------------------------------------------------------------------------- projection
def project(document: Document, properties: Mapping[str, Any] | Sequence[str] | None) -> Document:
    """Return the asked-for fields of a document, which may be named with dots.

    Parameters
    ----------
    document
        The whole document; it is not changed.
    properties
        Names to keep, or a mapping of names to 1 (keep) or 0 (leave out), not mixed but for
        ``_id``. None or empty keeps all.

    Raises
    ------
    StoreError
        If inclusion and exclusion are mixed or an operator such as ``$slice`` is used.
    """
    wanted = (
        dict(properties) if isinstance(properties, dict) else dict.fromkeys(properties or (), 1)
    )
    keep_id = wanted.pop("_id", 1)
    include = _inclusive(wanted)
    if wanted:
        document = (_included if include else _excluded)(document, _tree(wanted))
    if not keep_id:
        document = {k: v for k, v in document.items() if k != "_id"}
    return document


def _inclusive(wanted: Document) -> bool:
    flags = set()
    for name, flag in wanted.items():
        if not isinstance(flag, bool | int):
            raise StoreError(f"projection of {name!r} is {flag!r}; only 1 and 0 are supported")
        flags.add(bool(flag))
    if len(flags) > 1:
        raise StoreError(f"the projection {wanted!r} mixes fields to keep and fields to leave out")
    return flags != {False}


def _tree(names: Mapping[str, Any]) -> Document:
    # A leaf is an empty dictionary: "everything below".
    tree: Document = {}
    for name in sorted(names):
        node = tree
        parts = name.split(".")
        for part in parts:
            if part in node and not node[part]:
                break  # a parent was named already, which covers this field
            node = node.setdefault(part, {})
    return tree


def _included(value: Document, tree: Document) -> Document:
    kept = {}
    for name, item in value.items():
        if name not in tree:
            continue
        below = tree[name]
        if not below:
            kept[name] = item
        elif isinstance(item, dict):
            kept[name] = _included(item, below)
        elif isinstance(item, list):
            kept[name] = [_included(part, below) for part in item if isinstance(part, dict)]
    return kept


def _excluded(value: Document, tree: Document) -> Document:
    kept = {}
    for name, item in value.items():
        below = tree.get(name)
        if below is None:
            kept[name] = item
        elif not below:
            continue
        elif isinstance(item, dict):
            kept[name] = _excluded(item, below)
        elif isinstance(item, list):
            kept[name] = [_excluded(p, below) if isinstance(p, dict) else p for p in item]
        else:
            kept[name] = item
    return kept
