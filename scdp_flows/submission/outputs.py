"""Find what jobs have put out, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobflow import JobStore

__all__ = ["latest_outputs"]


def latest_outputs(store: JobStore, names: Sequence[str]) -> dict[str, Any]:
    """Return the latest output of the jobs of these names, as far as there is one.

    Parameters
    ----------
    store
        Where outputs are; connected.
    names
        Names of jobs.
    """
    found = store.query(
        {"name": {"$in": list(names)}}, ["name", "output"], sort={"completed_at": 1}
    )
    return {document["name"]: document["output"] for document in found}
