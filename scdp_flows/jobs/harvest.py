"""Take the density of a VASP run that has just finished, and judge models by it.

Run as ``python -m scdp_flows.jobs.harvest`` with a request as JSON on its standard input, it is a
process of its own: whatever goes wrong in it, the run that it looks at is not touched.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from monty.json import MontyDecoder, MSONable

from scdp_flows.dft.vasp.converged import why_no_density
from scdp_flows.dft.vasp.folder import read_record
from scdp_flows.errors import ScdpFlowsError
from scdp_flows.io.compression import replace_binary
from scdp_flows.io.vasp_run import find_output
from scdp_flows.jobs.evaluate import EvaluateMaker
from scdp_flows.jobs.ingest import IngestMaker
from scdp_flows.jobs.ingest_sources import offers_of
from scdp_flows.schemas.identity import content_hash
from scdp_flows.schemas.leaderboard import LeaderboardDoc, LeaderboardRow
from scdp_flows.schemas.vasp_harvest import VaspHarvestDoc
from scdp_flows.scratch import scratch_folder
from scdp_flows.stores.documents import DocumentStore
from scdp_flows.stores.factory import open_stores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scdp_flows.predictors.base import Predictor
    from scdp_flows.stores.factory import Stores

__all__ = ["RECORD", "TAG", "HarvestRequest", "harvest_leaderboard", "harvest_records", "main"]

RECORD = "scdp_harvest.json"
"""Name of the record in the folder of a run."""
TAG = "harvested"
"""Label of densities that came by this way."""


def harvest_records(stores: Stores) -> DocumentStore[VaspHarvestDoc]:
    """Return what became of the densities of finished runs."""
    return DocumentStore(stores.reports.evaluations.store, VaspHarvestDoc, shared=True)


@dataclass(frozen=True)
class HarvestRequest(MSONable):
    """Say what to do with a finished run."""

    folder: str
    """Where it ran."""
    predictors: list[Predictor] = field(default_factory=list)
    """Who is judged by its density."""
    store_path: str | None = None
    """Folder of the embedded stores; None: those of the settings."""
    tags: list[str] = field(default_factory=list)
    """Labels of the density."""
    job: dict[str, Any] = field(default_factory=dict)
    """Job that ran it: ``job_uuid``, ``job_index`` and ``job_name``."""

    def execute(self) -> VaspHarvestDoc:
        """Take the density, judge, and record both in the folder and the store.

        Raises
        ------
        StoreError
            If the store cannot be written.
        """
        start = time.monotonic()
        found = self._taken()
        if found["status"] == "taken":
            found |= self._judged(found["density_id"])
        record = read_record(self.folder)
        place = Path(self.folder).absolute()
        identity = [self.job or str(place), found["density_id"] or found["reason"]]
        doc = VaspHarvestDoc(
            harvest_id=content_hash(identity)[:24],
            source="/".join(place.parts[-2:]),
            was_seeded=record is not None and record.status == "seeded",
            seconds=time.monotonic() - start,
            **self.job,
            **found,
        )
        with open_stores(self.store_path) as stores:
            harvest_records(stores).put(doc)
        write_harvest(self.folder, doc)
        return doc

    def _taken(self) -> dict[str, Any]:
        """Take the density, or say why not."""
        reason = why_no_density(self.folder)
        path = find_output(self.folder, "CHGCAR")
        if reason is not None or path is None:
            return {"status": "left", "density_id": None, "reason": reason}
        uuid = self.job.get("job_uuid")
        tags = [TAG, *self.tags, *([f"job:{uuid}"] if uuid else [])]
        maker = IngestMaker(store_path=self.store_path, n_processes=1)
        try:
            with scratch_folder("scdp-harvest-") as scratch:
                output = maker.take(offers_of(path, scratch), tags, 1)
        except ScdpFlowsError as error:
            return {"status": "left", "density_id": None, "reason": str(error)}
        return {
            "status": "taken",
            "density_id": output.density_ids[0],
            "is_new": bool(output.n_new),
        }

    def _judged(self, density_id: str) -> dict[str, Any]:
        """Judge each predictor for itself: what one cannot do says nothing of the others."""
        maker = EvaluateMaker(store_path=self.store_path, keep_predictions=False, n_processes=1)
        errors: dict[str, float] = {}
        evaluations: dict[str, str] = {}
        models: dict[str, str | None] = {}
        problems = []
        for predictor in self.predictors:
            try:
                output = maker.judge_labels([predictor], [density_id])
                models[predictor.name] = predictor.model_id()
            except ScdpFlowsError as error:
                problems.append(f"{predictor.name}: {error}")
                continue
            for doc in output:
                errors[doc.predictor] = doc.summary["nmae_percent"].mean
                evaluations[doc.predictor] = doc.evaluation_id
                models.setdefault(doc.predictor, doc.model_id)
        return {
            "nmae_percent": errors,
            "evaluation_ids": evaluations,
            "model_ids": models,
            "problems": problems,
        }


def write_harvest(folder: str | Path, doc: VaspHarvestDoc) -> None:
    """Write the record of a folder, as a whole or not at all."""
    with replace_binary(Path(folder) / RECORD) as stream:
        stream.write(doc.model_dump_json(indent=1).encode())


def harvest_leaderboard(stores: Stores) -> LeaderboardDoc | None:
    """Rank the predictors on all densities that came from finished runs, and store the ranking.

    The means are over the densities that every one of them was judged by.

    Parameters
    ----------
    stores
        Open stores.

    Returns
    -------
    LeaderboardDoc or None
        The ranking; None if no two predictors share a density, or nothing was judged.
    """
    found: dict[tuple[str, str | None], dict[str, VaspHarvestDoc]] = defaultdict(dict)
    for doc in harvest_records(stores).query({"status": "taken"}):
        for name in doc.nmae_percent:
            found[name, doc.model_ids.get(name)][str(doc.density_id)] = doc
    shared = set.intersection(*map(set, found.values())) if found else set()
    if not shared:
        return None
    means = {
        key: fmean(docs[density_id].nmae_percent[key[0]] for density_id in shared)
        for key, docs in found.items()
    }
    ranked = sorted(means, key=lambda key: means[key])
    some = min(shared)
    return stores.curation.leaderboards.put(
        LeaderboardDoc(
            leaderboard_id=LeaderboardDoc.make_id(None, TAG, []),
            split=TAG,
            n_structures=len(shared),
            rows=[
                LeaderboardRow(
                    rank=rank,
                    predictor=key[0],
                    model_id=key[1],
                    evaluation_id=found[key][some].evaluation_ids[key[0]],
                    means={"nmae_percent": means[key]},
                )
                for rank, key in enumerate(ranked, start=1)
            ],
        )
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Read a request from standard input, or from the file named, and execute it."""
    words = sys.argv[1:] if argv is None else list(argv)
    text = Path(words[0]).read_text(encoding="utf-8") if words else sys.stdin.read()
    request = MontyDecoder().process_decoded(json.loads(text))
    HarvestRequest.execute(request)
    return 0


if __name__ == "__main__":
    sys.exit(main())
