"""Define the document that says what a set of densities consists of."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, ClassVar, Self

from pydantic import Field

from scdp_flows.schemas.base import ScdpDoc
from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.part import ScdpPart

__all__ = ["ElementCount", "KindCount", "Spread", "StatisticsDoc"]

_N_BINS = 24
# Relative to the values: what counts as no difference, and half the width of a lone bin.
_SAME, _SEEN = 1e-6, 0.01


class Spread(ScdpPart):
    """Summarise how a number varies."""

    smallest: float = Field(description="Smallest value, in the unit of the field.")
    median: float = Field(description="Median.")
    mean: float = Field(description="Mean.")
    largest: float = Field(description="Largest value.")
    edges: list[float] = Field(description="Edges of the bins of the histogram, ascending.")
    counts: list[int] = Field(description="Number of values in each bin.")

    @classmethod
    def from_values(cls, values: Sequence[float]) -> Self:
        """Summarise values.

        Raises
        ------
        ValueError
            If there is none.
        """
        low, high = min(values), max(values)
        whole = all(float(value).is_integer() for value in values)
        edges, counts = _histogram(values, low, high, whole=whole)
        return cls(
            smallest=low,
            median=statistics.median(values),
            mean=statistics.fmean(values),
            largest=high,
            edges=edges,
            counts=counts,
        )


def _histogram(
    values: Sequence[float], low: float, high: float, *, whole: bool
) -> tuple[list[float], list[int]]:
    """Count values in bins of equal width; whole numbers get bins of whole width."""
    if high - low <= _SAME * max(abs(high), abs(low)):
        # Rounding is no spread: one bin, wide enough to be seen.
        half = _SEEN * max(abs(high), 1.0)
        return [low - half, low + half], [len(values)]
    if whole:
        width = float(-(-int(high - low + 1) // _N_BINS))
        low -= 0.5
        n_bins = int(-(-(high + 0.5 - low) // width))
    else:
        n_bins = _N_BINS
        width = (high - low) / n_bins
    counts = [0] * n_bins
    for value in values:
        counts[min(int((value - low) / width), n_bins - 1)] += 1
    return [low + width * i for i in range(n_bins + 1)], counts


class ElementCount(ScdpPart):
    """Say how often an element occurs."""

    structures: int = Field(ge=0, description="Structures that contain it.")
    atoms: int = Field(ge=0, description="Atoms of it in all structures together.")


class KindCount(ScdpPart):
    """Say how many densities are of one kind."""

    kind: dict[str, Any] = Field(description="What they are: DensityKind.as_dict().")
    densities: int = Field(ge=0, description="How many there are.")


class StatisticsDoc(ScdpDoc):
    """Say what a dataset, or what a query of the density store finds, consists of."""

    doc_type: ClassVar[str] = "statistics"
    id_field: ClassVar[str] = "statistics_id"

    statistics_id: str = Field(description="Hash of what it is about; see make_id.")
    subject: str = Field(description="Name of the dataset, or 'query'.")
    dataset_id: str | None = Field(default=None, description="The dataset, None for a query.")
    query: dict[str, Any] = Field(default_factory=dict, description="The query.")
    n_densities: int = Field(ge=0, description="Densities.")
    n_structures: int = Field(ge=0, description="Different structures.")
    elements: dict[str, ElementCount] = Field(description="Occurrence by chemical symbol.")
    kinds: dict[str, KindCount] = Field(description="Densities by kind_key.")
    parts: dict[str, int] = Field(
        default_factory=dict, description="Densities by 'train', 'validation' and 'test'."
    )
    periodic: int = Field(ge=0, description="Densities that are periodic in some direction.")
    charged: int = Field(ge=0, description="Densities with a total charge.")
    tags: dict[str, int] = Field(default_factory=dict, description="Densities by tag.")
    n_atoms: Spread | None = Field(default=None, description="Atoms per structure.")
    n_electrons: Spread | None = Field(
        default=None, description="Electrons per structure, from the integral where not stated."
    )
    spacing: Spread | None = Field(default=None, description="Largest grid spacing in Å.")
    n_points: Spread | None = Field(default=None, description="Grid points per density.")
    blob_bytes: int = Field(ge=0, description="Uncompressed size of all arrays in bytes.")

    @staticmethod
    def make_id(dataset_id: str | None, query: dict[str, Any]) -> str:
        """Return the identifier: one for each dataset and each query."""
        return content_hash(["statistics", dataset_id, query])[:24]
