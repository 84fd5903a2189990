"""Take many offers into the store: read in parallel, stored one by one, each with its record."""

from __future__ import annotations

from collections import deque
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING

from scdp_flows.errors import DensityError, ScdpFlowsError, StoreError
from scdp_flows.jobs.batches import closed
from scdp_flows.jobs.ingest_items import IngestRules, Offer, Prepared, prepare
from scdp_flows.jobs.ingest_records import ingest_records
from scdp_flows.parallel import map_parallel
from scdp_flows.schemas.density import DensityDoc
from scdp_flows.schemas.ingest import IngestDoc
from scdp_flows.schemas.outputs import LabelOutput, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scdp_flows.progress import Progress
    from scdp_flows.stores.factory import Stores

__all__ = ["DOUBTFUL", "IngestBatch"]

DOUBTFUL = "doubtful"
"""Label of densities that were taken although something speaks against them."""

_FEW = 8


class IngestBatch:
    """Take offers into the store.

    Parameters
    ----------
    stores
        Where to.
    rules
        How offers are read and judged.
    tags
        Labels that the documents get.
    progress
        What to report to.
    """

    def __init__(
        self, stores: Stores, rules: IngestRules, tags: Sequence[str], progress: Progress
    ) -> None:
        self._stores = stores
        self._records = ingest_records(stores)
        self._rules = rules
        self._tags = sorted(set(tags))
        self._progress = progress
        self._found: dict[str, bool] = {}
        self._errors: dict[int, ScdpFlowsError] = {}
        self._names: dict[int, str] = {}
        self._count = 0
        self._n_quarantined = 0

    @property
    def errors(self) -> dict[int, ScdpFlowsError]:
        """What was not taken, by its place in the batch."""
        return self._errors

    @property
    def n_taken(self) -> int:
        """Number of densities that are in the store."""
        return len(self._found)

    def take(self, offers: Iterable[Offer], *, n_processes: int | None) -> None:
        """Take all offers; those taken before, with the same settings, are not read again.

        Raises
        ------
        StoreError
            If the store cannot be written.
        CalculationError
            If a process is killed.
        """
        waiting: deque[tuple[int, Offer]] = deque()
        read = partial(prepare, rules=self._rules)
        arguments = ((offer,) for offer in self._unknown(offers, waiting))
        first = list(islice(arguments, _FEW))
        # Starting processes takes longer than reading a few files.
        count = 1 if len(first) < _FEW else n_processes
        everything = chain(first, arguments)
        with closed(map_parallel(read, everything, n_processes=count)) as results:
            for result in results:
                index, offer = waiting.popleft()
                self._finish(index, offer, result)

    def output(self, seconds: float) -> LabelOutput:
        """Summarise what became of the offers."""
        return LabelOutput(
            density_ids=list(self._found),
            failed=[
                Refusal.from_error(index, self._names[index], error)
                for index, error in sorted(self._errors.items())
            ],
            n_items=self._count,
            n_new=sum(self._found.values()),
            n_reused=len(self._found) - sum(self._found.values()),
            n_quarantined=self._n_quarantined,
            seconds=seconds,
        )

    def _unknown(
        self, offers: Iterable[Offer], waiting: deque[tuple[int, Offer]]
    ) -> Iterator[Offer]:
        """Yield what has to be read, noting the order."""
        for offer in offers:
            index = self._count
            self._count += 1
            known = self._taken_before(offer)
            if known is not None:
                self._tag(known)
                self._found.setdefault(known.density_id, False)
                self._done(offer)
            else:
                waiting.append((index, offer))
                yield offer

    def _taken_before(self, offer: Offer) -> DensityDoc | None:
        """Return the density that an earlier attempt has stored."""
        record = self._record_of(offer)
        if record is None or record.density_id is None:
            return None
        known = self._stores.densities.documents.find({"density_id": record.density_id})
        return known if known is not None and self._stores.densities.is_whole(known) else None

    def _record_of(self, offer: Offer) -> IngestDoc | None:
        return self._records.find({"ingest_id": self._identifier(offer)})

    def _finish(self, index: int, offer: Offer, result: Prepared | ScdpFlowsError) -> None:
        """Store what was read, or record why not."""
        if isinstance(result, ScdpFlowsError):
            if isinstance(result, StoreError):
                raise result
            self._refuse(index, offer, result)
        elif result.doubts and not self._may_be_doubtful(offer):
            error = DensityError(
                f"{offer.name}: {'; '.join(result.doubts)}; it is quarantined as "
                f"{self._identifier(offer)}: check what it is, then release it, or take all with "
                "--doubtful (doubtful=True)"
            )
            self._refuse(index, offer, error, result.doubts)
        else:
            self._accept(offer, result)
        self._done(offer)

    def _may_be_doubtful(self, offer: Offer) -> bool:
        """Tell whether somebody has decided to take this density whatever speaks against it."""
        record = None if self._rules.doubtful else self._record_of(offer)
        return self._rules.doubtful or (record is not None and record.released is not None)

    def _accept(self, offer: Offer, found: Prepared) -> None:
        """Store what was read and record it."""
        doc, is_new = self._store(offer, found)
        earlier = self._record_of(offer)
        self._records.put(
            IngestDoc(
                ingest_id=self._identifier(offer),
                source=offer.name,
                status="accepted" if is_new else "duplicate",
                density_id=doc.density_id,
                reasons=found.doubts,
                tags=self._tags,
                released=None if earlier is None else earlier.released,
            )
        )
        self._found[doc.density_id] = is_new or self._found.get(doc.density_id, False)

    def _refuse(
        self, index: int, offer: Offer, error: ScdpFlowsError, doubts: Sequence[str] = ()
    ) -> None:
        """Record why a density was not taken."""
        self._errors[index] = error
        self._names[index] = offer.name
        self._n_quarantined += bool(doubts)
        self._records.put(
            IngestDoc(
                ingest_id=self._identifier(offer),
                source=offer.name,
                status="quarantined" if doubts else "refused",
                error=type(error).__name__,
                reasons=list(doubts) or [str(error)],
                tags=self._tags,
            )
        )

    def _store(self, offer: Offer, found: Prepared) -> tuple[DensityDoc, bool]:
        """Store a density; return its document and whether it is new."""
        densities = self._stores.densities
        known = densities.find(
            structure_hash=found.structure_hash, settings_hash=found.settings_hash
        )
        if known is not None and densities.is_whole(known):
            return self._tag(known), False
        doc = DensityDoc.from_charge_density(
            found.density,
            structure_hash=found.structure_hash,
            settings_hash=found.settings_hash,
            source=_short(offer.name),
        )
        doubted = {DOUBTFUL} if found.doubts else set()
        tags = sorted({*self._tags, *found.labels, *doubted})
        doc = doc.updated(tags=tags, n_electrons=found.n_electrons)
        return densities.put(doc, {"grid": found.density.to_arrays()}, keep_tags=True), True

    def _tag(self, known: DensityDoc) -> DensityDoc:
        """Add the labels of this batch to a density that is there already."""
        if set(self._tags) <= set(known.tags):
            return known
        return self._stores.densities.tag(known.density_id, self._tags)

    def _identifier(self, offer: Offer) -> str:
        return IngestDoc.make_id(offer.fingerprint, self._rules.key())

    def _done(self, offer: Offer) -> None:
        """Remove the copy and count."""
        if offer.is_copy and offer.path is not None:
            offer.path.unlink(missing_ok=True)
        self._progress.total = max(self._progress.total, self._count)
        self._progress.advance(_short(offer.name))


def _short(name: str) -> str:
    """Leave out the folders before the last: paths name machines and people."""
    return "/".join(name.split("/")[-2:])
