"""Take the densities of runs that an atomate2 or jobflow store already holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobflow import job

from scdp_flows.errors import DatasetError, DensityError
from scdp_flows.io.vasp_run import find_output, read_task
from scdp_flows.jobs.ingest import OfferMaker
from scdp_flows.jobs.ingest_items import Offer
from scdp_flows.schemas.outputs import LabelOutput
from scdp_flows.stores.factory import store_from_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from maggma.core import Store

__all__ = ["IngestJobStoreMaker", "has_density", "task_folder"]

_HAS_RUN = {"output.dir_name": {"$exists": True}}
_PROPERTIES = ["uuid", "index", "output"]


@dataclass(kw_only=True)
class IngestJobStoreMaker(OfferMaker):
    """Make the job that takes densities out of the store of finished jobs.

    A density is read from the store where the run has put it there, else from the folder of the
    run. Kind and number of electrons come from the document of each run; ``kind`` overrides them.
    """

    name: str = "ingest from job store"
    job_docs: dict[str, Any]
    """The store of the job documents: ``{"type": "MongoStore", …}`` or what maggma describes."""
    data: dict[str, Any] | None = None
    """The additional store of large objects (``data`` in atomate2); None: only folders are read."""
    query: dict[str, Any] = field(default_factory=dict)
    """MongoDB query of the job documents, such as ``{"name": "static"}``."""

    @job(output_schema=LabelOutput)
    def make(self, tags: Sequence[str] = ()) -> LabelOutput:
        """Ingest what the query finds.

        Parameters
        ----------
        tags
            Free labels that the documents get.

        Raises
        ------
        DatasetError
            If the query finds no run.
        ScdpFlowsError
            If not a single density could be taken; otherwise the output lists those.
        """
        docs = store_from_spec(self.job_docs)
        large = None if self.data is None else store_from_spec(self.data)
        for store in (docs, large):
            if store is not None:
                store.connect()
        try:
            criteria = {"$and": [_HAS_RUN, self.query]}
            total = docs.count(criteria)
            if not total:
                raise DatasetError(
                    f"the query {self.query} finds no run in {docs.name}; a run has an output "
                    "with dir_name"
                )
            return self.take(self._offers(docs, large, criteria), tags, total)
        finally:
            for store in (docs, large):
                if store is not None:
                    store.close()

    def _offers(
        self, docs: Store, large: Store | None, criteria: dict[str, Any]
    ) -> Iterator[Offer]:
        """Yield one offer per run."""
        for doc in docs.query(criteria, properties=_PROPERTIES):
            output = doc["output"]
            name = f"{docs.name}:{doc.get('uuid')}:{doc.get('index')}"
            run = read_task(output)
            reference = _reference(output)
            if reference is not None and large is not None:
                blob = large.query_one({"blob_uuid": reference})
                if blob is not None:
                    yield Offer(name, f"blob:{reference}", document=blob, run=run)
                    continue
            found = find_output(task_folder(output), "CHGCAR")
            if found is None:
                error = DensityError(
                    f"{name}: neither the data store nor {task_folder(output)} holds a CHGCAR; "
                    "repeat the run with LCHARG=True"
                )
                yield Offer(name, name, run=run, error=error)
            else:
                status = found.stat()
                stamp = f"{found.absolute()}|{status.st_size}|{status.st_mtime_ns}"
                yield Offer(name, stamp, found, run=run)


def _reference(output: Mapping[str, Any]) -> str | None:
    """Return the identifier of the CHGCAR in the data store."""
    objects = output.get("vasp_objects")
    chgcar = objects.get("chgcar") if isinstance(objects, Mapping) else None
    found = chgcar.get("blob_uuid") if isinstance(chgcar, Mapping) else None
    return None if found is None else str(found)


def has_density(output: Mapping[str, Any]) -> bool:
    """Tell whether the document of a run points to a density, in a store or on disk."""
    return _reference(output) is not None or find_output(task_folder(output), "CHGCAR") is not None


def task_folder(output: Mapping[str, Any]) -> Path:
    """Return the folder of a run; atomate2 writes the name of the host before it."""
    name = str(output.get("dir_name", ""))
    host, colon, folder = name.partition(":")
    return Path(folder if colon and "/" not in host else name)
