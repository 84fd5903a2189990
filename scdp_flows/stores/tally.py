"""Count what densities consist of, one at a time."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING, Any

from scdp_flows.schemas.identity import symbols
from scdp_flows.schemas.statistics import ElementCount, KindCount, Spread, StatisticsDoc

if TYPE_CHECKING:
    from scdp_flows.schemas.density import DensityDoc

__all__ = ["Tally"]


class Tally:
    """Take densities one after the other and keep a few numbers of each."""

    def __init__(self) -> None:
        self._count = 0
        self._structures: set[str] = set()
        self._in_structures: Counter[str] = Counter()
        self._atoms: Counter[str] = Counter()
        self._kinds: dict[str, dict[str, Any]] = {}
        self._counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("kind", "part", "tag", "other")
        }
        # Arrays of plain numbers: eight bytes each, also for a million densities.
        self._values = {
            name: array("d") for name in ("n_atoms", "n_electrons", "spacing", "n_points")
        }
        self._blob_bytes = 0

    def add(self, doc: DensityDoc, part: str | None = None) -> None:
        """Count one density.

        Parameters
        ----------
        doc
            Its document.
        part
            ``"train"``, ``"validation"``, ``"test"`` or None.
        """
        self._count += 1
        self._structures.add(doc.structure_hash)
        self._in_structures.update(doc.elements)
        self._atoms.update(symbols(doc.numbers))
        self._kinds.setdefault(doc.kind_key, doc.kind)
        self._counts["kind"][doc.kind_key] += 1
        self._counts["tag"].update(doc.tags)
        self._counts["other"].update(periodic=int(any(doc.pbc)), charged=int(doc.charge != 0))
        if part is not None:
            self._counts["part"][part] += 1
        self._values["n_atoms"].append(doc.n_atoms)
        electrons = doc.integral_e if doc.n_electrons is None else doc.n_electrons
        if electrons is not None:
            self._values["n_electrons"].append(electrons)
        if doc.grid is not None:
            self._values["spacing"].append(max(doc.grid.spacing))
            self._values["n_points"].append(doc.grid.n_points)
        self._blob_bytes += sum(blob.size for blob in doc.blobs.values())

    def document(
        self, subject: str, *, dataset_id: str | None = None, query: dict[str, Any] | None = None
    ) -> StatisticsDoc:
        """Return the statistics of what was counted.

        Parameters
        ----------
        subject
            Name of the dataset, or ``"query"``.
        dataset_id
            The dataset.
        query
            The query that found the densities.
        """
        kinds = self._counts["kind"]
        spreads = {
            name: Spread.from_values(values) if values else None
            for name, values in self._values.items()
        }
        return StatisticsDoc(
            statistics_id=StatisticsDoc.make_id(dataset_id, query or {}),
            subject=subject,
            dataset_id=dataset_id,
            query=query or {},
            n_densities=self._count,
            n_structures=len(self._structures),
            elements={
                name: ElementCount(structures=self._in_structures[name], atoms=self._atoms[name])
                for name in sorted(self._atoms)
            },
            kinds={
                key: KindCount(kind=self._kinds[key], densities=kinds[key]) for key in sorted(kinds)
            },
            parts=dict(self._counts["part"]),
            periodic=self._counts["other"]["periodic"],
            charged=self._counts["other"]["charged"],
            tags=dict(sorted(self._counts["tag"].items())),
            blob_bytes=self._blob_bytes,
            **spreads,
        )
