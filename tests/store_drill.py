"""Kill writers at random moments and see whether anything that they had stored is missing.

``python tests/store_drill.py FOLDER --rounds 20 --writers 4`` uses the embedded stores in FOLDER;
with ``--mongo PORT`` documents and blobs go to that server, with ``--s3 PORT`` the blobs do, their
index and the documents to FOLDER. Each round starts the writers, waits
until each has stored something, lets them run for a random time and kills them all with SIGKILL.
It prints what was acknowledged, found, lost and left half done as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scdp_flows.density import ChargeDensity
from scdp_flows.errors import ScdpFlowsError
from scdp_flows.kind import DensityKind
from scdp_flows.schemas.density import DensityDoc
from scdp_flows.stores.check import check_stores
from scdp_flows.stores.factory import Stores, open_stores
from scdp_flows.stores.garbage import collect_garbage

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KIND = DensityKind("valence", "gth-pbe", "PBE", "gth-dzvp")
_SHAPE = (12, 12, 12)
_LONGEST_S = 0.6


def values_of(name: str) -> NDArray[np.float32]:
    """Return the density that belongs to a name."""
    seed = int.from_bytes(name.encode(), "big") % 2**32
    return np.random.default_rng(seed).random(_SHAPE, dtype=np.float32)


def store_one(stores: Stores, name: str) -> None:
    """Store a density under a name."""
    density = ChargeDensity(
        values_of(name), 3 * np.eye(3), np.zeros(3), np.array([8]), np.zeros((1, 3)), kind=_KIND
    )
    doc = DensityDoc.from_charge_density(
        density, structure_hash=name, settings_hash="drill", source=name
    )
    stores.densities.put(doc, {"grid": density.to_arrays()})


def write_until_killed(place: str | None, prefix: str, told: int) -> None:
    """Store one density after the other, and tell of each when it is stored."""
    with open_stores(place) as stores:
        number = 0
        while True:
            name = f"{prefix}-{number}"
            store_one(stores, name)
            os.write(told, f"{name}\n".encode())
            number += 1


def one_round(place: str | None, number: int, n_writers: int, chance: random.Random) -> list[str]:
    """Run writers for a random time, kill them, and return what they had acknowledged."""
    children, pipes = [], []
    for writer in range(n_writers):
        heard, told = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(heard)
            try:
                write_until_killed(place, f"{number}-{writer}", told)
            finally:
                os._exit(3)
        os.close(told)
        children.append(child)
        pipes.append(os.fdopen(heard))
    # On a busy machine they take a while to begin.
    acknowledged = [pipe.readline().strip() for pipe in pipes]
    time.sleep(chance.uniform(0, _LONGEST_S))
    for child in children:
        os.kill(child, signal.SIGKILL)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    if any(os.waitstatus_to_exitcode(status) != -signal.SIGKILL for status in statuses):
        raise SystemExit("a writer ended by itself")
    for pipe in pipes:
        with pipe:
            acknowledged += pipe.read().splitlines()
    return acknowledged


def verdict(place: str | None, acknowledged: list[str]) -> dict[str, int]:
    """Look for everything that was acknowledged, and for what is half there."""
    lost = 0
    with open_stores(place) as stores:
        for name in acknowledged:
            try:
                doc = stores.densities.get(DensityDoc.make_id(name, "drill"))
                values = stores.densities.load_arrays(doc, "grid")["values"]
                lost += not np.array_equal(values, values_of(name))
            except ScdpFlowsError:
                lost += 1
        found = stores.densities.count()
        checked = check_stores(stores)
        # Blobs whose document was never written, and temporary files.
        collected = collect_garbage(stores, grace_s=-1)
        stores.blobs.sweep(older_than_s=-1)
        whole = check_stores(stores)
    return {
        "acknowledged": len(acknowledged),
        "found": found,
        "lost": lost,
        "half": len(checked.problems),
        "collected": collected.n_removed,
        "problems_after_collection": len(whole.problems) + whole.n_orphans,
    }


def choose_servers(given: argparse.Namespace) -> bool:
    """Set where documents and blobs go, and say whether that is elsewhere than in the folder."""
    os.environ["SCDP_STORE_PATH"] = str(given.folder)
    specs: dict[str, dict[str, object]] = {}
    if given.mongo is not None:
        server = {"database": "drill", "port": given.mongo, "host": "127.0.0.1"}
        specs["DENSITY"] = {"type": "MongoStore", "collection_name": "densities", **server}
        kind = "GridFSStore" if given.gridfs else "MongoStore"
        specs["BLOB"] = {"type": kind, "collection_name": "blobs", **server}
    elif given.s3 is not None:
        index = {"type": "sqlite", "path": str(given.folder / "index.sqlite"), "key": "blob_key"}
        specs["BLOB"] = {
            "type": "S3Store",
            "index": index,
            "bucket": "blobs",
            "endpoint_url": f"http://127.0.0.1:{given.s3}",
            "s3_profile": {
                "aws_access_key_id": "anyone",
                "aws_secret_access_key": "anything",
                "region_name": "us-east-1",
            },
            "key": "blob_key",
        }
    for name, spec in specs.items():
        os.environ[f"SCDP_{name}_STORE"] = json.dumps(spec)
    return bool(specs)


def main() -> None:
    """Run the drill and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--mongo", type=int, help="port of a server on loopback")
    parser.add_argument("--gridfs", action="store_true", help="blobs in that server's GridFS")
    parser.add_argument("--s3", type=int, help="port of a server on loopback")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    place = None if choose_servers(given) else str(given.folder)
    chance, acknowledged = random.Random(given.seed), []  # noqa: S311 - moments to kill at
    for number in range(given.rounds):
        acknowledged += one_round(place, number, given.writers, chance)
    sys.stdout.write(json.dumps(verdict(place, acknowledged)) + "\n")


if __name__ == "__main__":
    main()
