"""Kill an ingestion at random moments and see whether anything is lost, double or half there.

``python tests/ingest_drill.py FOLDER --rounds 20 --files 40`` writes files and an archive of small
densities to FOLDER and ingests them again and again, each time in a process that is killed with
SIGKILL after a random time; in the end once without. It prints what came of it as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.io.base import write_density
from scdp_flows.jobs.ingest import IngestMaker
from scdp_flows.jobs.ingest_records import ingest_records
from scdp_flows.schemas.outputs import LabelOutput
from scdp_flows.stores.check import check_stores
from scdp_flows.stores.factory import open_stores
from scdp_flows.stores.garbage import collect_garbage

_KIND = {"pseudopotential": "gth-pbe", "functional": "PBE", "basis": "gth-dzvp"}
_SHAPE = (12, 12, 12)
_LONGEST_S = 2.0


def write_files(folder: Path, count: int) -> list[str]:
    """Write densities of helium, half of them into an archive, and return what to ingest."""
    folder.mkdir()
    chance = np.random.default_rng(0)
    for number in range(count):
        values = 1 + 0.1 * chance.random(_SHAPE)
        values *= 2 / (values.mean() * 27)
        density = ChargeDensity(
            values, 3 * np.eye(3), np.zeros(3), np.array([2]), np.zeros((1, 3)), (True, True, True)
        )
        write_density(density, folder / f"{number}.CHGCAR")
    packed = [folder / f"{number}.CHGCAR" for number in range(count // 2)]
    with tarfile.open(folder / "half.tar.gz", "w:gz") as archive:
        for path in packed:
            archive.add(path, path.name)
            path.unlink()
    return [str(folder / "*.CHGCAR"), str(folder / "half.tar.gz")]


def ingest(store: Path, files: list[str]) -> LabelOutput:
    """Ingest all files."""
    maker = IngestMaker(store_path=str(store), kind=_KIND, n_processes=1)
    output = IngestMaker.make.original(maker, files)  # type: ignore[attr-defined]
    return LabelOutput.model_validate(output)


def one_round(store: Path, files: list[str], seconds: float) -> None:
    """Ingest in a process of its own, and kill that."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            ingest(store, files)
            status = 0
        finally:
            os._exit(status)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1:
        raise SystemExit("an ingestion failed by itself")


def acknowledged(store: Path) -> set[str]:
    """Return the densities that the records say were taken."""
    with open_stores(store) as stores:
        return {doc.density_id for doc in ingest_records(stores).query() if doc.density_id}


def verdict(store: Path, known: set[str], output: LabelOutput) -> dict[str, int]:
    """Look for everything that was recorded, and for what is twice or half there."""
    with open_stores(store) as stores:
        stored = {doc.density_id for doc in stores.densities.query()}
        sources = [doc.source for doc in ingest_records(stores).query()]
        checked = check_stores(stores)
        collect_garbage(stores, grace_s=-1)
        stores.blobs.sweep(older_than_s=-1)
        whole = check_stores(stores)
    return {
        "stored": len(stored),
        "lost": len(known - stored),
        "records": len(sources),
        "double": len(sources) - len(set(sources)),
        "half": len(checked.problems),
        "refused": len(output.failed),
        "problems_after_collection": len(whole.problems) + whole.n_orphans,
        "scratch_left": len(list(Path(tempfile.gettempdir()).glob("scdp-ingest-*"))),
    }


def main() -> None:
    """Run the drill and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance = random.Random(given.seed)  # noqa: S311 - moments to kill at
    files = write_files(given.folder, given.files)
    store = given.folder / "store"
    known: set[str] = set()
    progress = []
    for _ in range(given.rounds):
        one_round(store, files, chance.uniform(0.05, _LONGEST_S))
        now = acknowledged(store)
        if not known <= now:
            raise SystemExit("a record is gone")
        known = now
        progress.append(len(known))
    output = ingest(store, files)
    found = verdict(store, known, output) | {"after_each_kill": progress}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
