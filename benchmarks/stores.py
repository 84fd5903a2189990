"""Measure the stores: codecs on real densities, then ingest, queries and memory of each store.

Run ``OMP_NUM_THREADS=1 python benchmarks/stores.py [--quick] [--documents N] [--store KIND]``. The
codecs work on the CHGCARs among the test data and on one density without symmetry, as float32. The
stores take synthetic densities of 12^3 points one at a time, as ingestion does. MongoStore and
GridFS talk to the stand-in server of the tests, S3 to moto's; both forget what they hold. What is
not stored after ``--limit`` seconds is added in bulk, documents alone, so that every store is asked
at the same size; SqliteStore with a folder takes all of them, and is checked and cleared of garbage
as well. Memory is the growth of the peak of the process during a step.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zstandard
from maggma.stores import GridFSStore, MemoryStore, MongoStore, S3Store
from results_file import Row, machine, make_row, write_results

from scdp_flows.density import ChargeDensity
from scdp_flows.io.base import read_density
from scdp_flows.kind import DensityKind
from scdp_flows.schemas.density import DensityDoc
from scdp_flows.stores.check import check_stores
from scdp_flows.stores.densities import DensityStore
from scdp_flows.stores.factory import open_stores
from scdp_flows.stores.folder_blobs import FolderBlobStore
from scdp_flows.stores.garbage import collect_garbage
from scdp_flows.stores.maggma_blobs import MaggmaBlobStore
from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from maggma.core import Store
    from numpy.typing import NDArray

    from scdp_flows.stores.blobs import BlobStore

ROOT = Path(__file__).resolve().parents[1]
N_ORPHANS = 100
KIND = DensityKind("valence", "gth-pbe", "PBE", "gth-dzvp")
FORMULAS = [[8, 1, 1], [6, 1, 1, 1, 1], [6, 8], [7, 1, 1, 1], [1, 1], [6, 6, 8, 1, 1, 1, 1, 1, 1]]
QUERIES: dict[str, dict[str, Any]] = {
    "by identifier": {"density_id": DensityDoc.make_id("5", "drill")},
    "by structure": {"structure_hash": "5"},
    "by tag, 1 in 100": {"tags": "rare"},
    "by element and size": {"elements": "N", "n_atoms": {"$lt": 5}},
    "by range, 1 in 100": {"integral_e": {"$gte": 2.0, "$lt": 2.01}},
}


# ------------------------------------------------------------------------------------ codecs
def shuffled(payload: bytes, width: int = 4) -> bytes:
    """Put all first bytes together, then all second bytes, and so on."""
    return np.frombuffer(payload, np.uint8).reshape(-1, width).T.tobytes()


def bits_shuffled(payload: bytes) -> bytes:
    """Put all first bits together, then all second bits, and so on."""
    columns = np.frombuffer(payload, np.uint8).reshape(-1, 4).T
    bits = np.unpackbits(columns[..., None], axis=-1)
    return np.packbits(bits.transpose(0, 2, 1).reshape(32, -1), axis=-1).tobytes()


CODECS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "zlib 1": (lambda data: zlib.compress(data, 1), zlib.decompress),
    "zstd 1": (lambda data: zstandard.compress(data, 1), zstandard.decompress),
    "zstd 3": (lambda data: zstandard.compress(data, 3), zstandard.decompress),
    "zstd 9": (lambda data: zstandard.compress(data, 9), zstandard.decompress),
}
ORDERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "bytes shuffled": shuffled,
    "bits shuffled": bits_shuffled,
}


def codec_rows(repeats: int) -> list[Row]:
    """Measure size and speed of each codec, and the error of float32."""
    files = sorted((ROOT / "tests/data/vasp").glob("*CHGCAR*"))
    grids = [read_density(path).values for path in files] + [without_symmetry()]
    payloads = [values.astype(np.float32).tobytes() for values in grids]
    total = sum(map(len, payloads))
    rows = []
    for (order, arrange), (codec, (pack, unpack)) in itertools.product(
        ORDERS.items(), CODECS.items()
    ):
        arranged = [arrange(payload) for payload in payloads]
        packed = [pack(data) for data in arranged]
        size = sum(map(len, packed))
        for what, work, given in (("writes", pack, arranged), ("reads", unpack, packed)):
            seconds = least(lambda work=work, given=given: [work(data) for data in given], repeats)
            name = f"{order}, {codec}: {what}"
            rows.append(make_row(name, total / seconds / 1e6, "MB/s"))
        rows.append(make_row(f"{order}, {codec}: size", 100 * size / total, "%"))
    error = max(map(float32_nmae, grids))
    rows.append(make_row("NMAE of float32 against float64", error, "%", target="below 1e-4 %"))
    return rows


def without_symmetry() -> NDArray[np.float64]:
    """Return Gaussians at random places: unlike that of a crystal, no part repeats another."""
    axis = np.linspace(0, 8, 40)
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    chance = np.random.default_rng(0)
    values = np.zeros(points.shape[:3])
    for place in chance.uniform(2, 6, (9, 3)):
        values += np.exp(-chance.uniform(0.5, 2) * ((points - place) ** 2).sum(axis=-1))
    return values


def float32_nmae(values: NDArray[np.floating]) -> float:
    """Return the integral of the rounding error over that of the density, in %."""
    rounded = values.astype(np.float32).astype(float)
    return float(100 * np.abs(rounded - values).sum() / np.abs(values).sum())


def least(work: Callable[[], object], repeats: int) -> float:
    """Return the least elapsed time of several calls, in s."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


# ------------------------------------------------------------------------------------ stores
def density_of(number: int) -> tuple[DensityDoc, dict[str, NDArray[Any]]]:
    """Return the document and arrays of one synthetic density."""
    chance = np.random.default_rng(number)
    atoms = FORMULAS[number % len(FORMULAS)]
    values = chance.random((12, 12, 12), dtype=np.float32)
    values *= (1.5 + (number % 100) / 100) / values.mean() / 125
    density = ChargeDensity(
        values,
        5 * np.eye(3),
        np.zeros(3),
        np.array(atoms),
        chance.random((len(atoms), 3)),
        kind=KIND,
    )
    doc = DensityDoc.from_charge_density(
        density, structure_hash=str(number), settings_hash="drill", source=f"{number:06d}.cube"
    )
    tags = ["all", "rare"] if number % 100 == 7 else ["all"]
    return doc.updated(tags=tags), density.to_arrays()


def open_store(kind: str, folder: Path, port: int) -> DensityStore:
    """Open an empty store of a kind; the process ends before it is closed."""
    documents, _, place = kind.partition(", ")
    key = "density_id"
    blobs: BlobStore = FolderBlobStore(folder / "blobs")
    store: Store = MemoryStore("docs", key=key)
    if documents == "SqliteStore":
        # Where open_stores finds it, to be checked.
        store = SqliteStore(folder / "scdp.sqlite", "densities", key=key)
    elif documents == "MongoStore":
        store = MongoStore("bench", "docs", host="127.0.0.1", port=port, key=key)
    store.connect()
    if documents == "mongomock":
        store = MongoStore.from_collection(store._collection)  # noqa: SLF001 - mongomock's
        store.key = key
    if place in BLOBS_AT:
        held = BLOBS_AT[place](folder, port)
        held.connect()
        blobs = MaggmaBlobStore(held)
    return DensityStore(store, blobs)


def gridfs(_: Path, port: int) -> Store:
    """Return GridFS on the stand-in server."""
    store: Store = GridFSStore("bench", "blobs", host="127.0.0.1", port=port, key="blob_key")
    return store


def s3(folder: Path, port: int) -> Store:
    """Return the bucket of the stand-in server, its index in SQLite."""
    index = SqliteStore(folder / "index.sqlite", key="blob_key")
    access = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    store: Store = S3Store(
        index,
        "blobs",
        endpoint_url=f"http://127.0.0.1:{port}",
        s3_profile=access,
        key="blob_key",
    )
    return store


BLOBS_AT: dict[str, Callable[[Path, int], Store]] = {"blobs in GridFS": gridfs, "blobs in S3": s3}
KINDS = {
    "SqliteStore": None,
    "MemoryStore": None,
    "mongomock": None,
    "MongoStore, wire": "mongo_server.py",
    "SqliteStore, blobs in GridFS": "mongo_server.py",
    "SqliteStore, blobs in S3": "s3_server.py",
}


def measure(kind: str, n_documents: int, limit_s: float, port: int) -> dict[str, float]:
    """Fill a store and ask it; return what was measured, by name and unit."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        densities = open_store(kind, folder, port)
        # Its blobs are checked afterwards, so none may be left out.
        limit_s = float("inf") if kind == "SqliteStore" else limit_s
        found = filled(densities, n_documents, limit_s)
        start_of_peak = reset_peak()
        found |= asked(densities)
        found["memory of asking/MB"] = peak_mb() - start_of_peak
        if kind == "SqliteStore":
            found |= kept_in_order(folder)
            found["flushing a file to this disk/ms"] = flush_ms(folder)
    return found


def filled(densities: DensityStore, n_documents: int, limit_s: float) -> dict[str, float]:
    """Store densities one at a time, and after a while the other documents in bulk."""
    made = [density_of(number) for number in range(min(n_documents, 500))]
    base, begun, cpu = reset_peak(), time.perf_counter(), time.process_time()
    number = 0
    while number < n_documents and time.perf_counter() - begun < limit_s:
        doc, arrays = made[number] if number < len(made) else density_of(number)
        densities.put(doc, {"grid": arrays})
        number += 1
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    rest = [density_of(n)[0].to_dict() for n in range(number, n_documents)]
    if rest:
        store = densities.documents.store
        if isinstance(store, SqliteStore):
            store.update(rest)
        else:
            store._collection.insert_many(rest)  # noqa: SLF001 - update() looks at all for each
    return {
        "stored one at a time/documents": number,
        "ingest/per s": number / seconds,
        "processor time of one/ms": 1e3 * cpu / number,
        "memory of filling/MB": peak_mb() - base,
    }


def asked(densities: DensityStore) -> dict[str, float]:
    """Ask a full store; return the times."""
    found: dict[str, float] = {"documents/documents": densities.count()}
    for name, criteria in QUERIES.items():
        work = lambda criteria=criteria: list(densities.query(criteria))  # noqa: E731
        found[f"{name}/ms"] = 1e3 * least(work, 3)
    count = lambda: densities.count({"formula": "CO"})  # noqa: E731
    found["count of a formula/ms"] = 1e3 * least(count, 3)
    found["distinct formulas/ms"] = 1e3 * least(lambda: densities.distinct("formula"), 3)
    newest = {"provenance.created_at": -1}
    work = lambda: list(densities.documents.query(sort=newest, limit=10))  # noqa: E731
    found["newest ten/ms"] = 1e3 * least(work, 2)
    found["all, one at a time/ms"] = 1e3 * least(lambda: sum(1 for _ in densities.query()), 1)
    return found


def kept_in_order(folder: Path) -> dict[str, float]:
    """Check the stores of a folder and collect their garbage; return times and memory."""
    found = {}
    with open_stores(folder) as stores:
        orphans = [stores.blobs.put(f"nobody's {n}".encode()) for n in range(N_ORPHANS)]
        steps: dict[str, Callable[[], object]] = {
            "check": lambda: check_stores(stores),
            "check without contents": lambda: check_stores(stores, contents=False),
            "garbage collection": lambda: collect_garbage(stores, grace_s=-1),
        }
        for name, work in steps.items():
            base = reset_peak()
            found[f"{name}/s"] = least(work, 1)
            found[f"memory of {name}/MB"] = peak_mb() - base
        if any(map(stores.blobs.has, orphans)) or check_stores(stores, contents=False).problems:
            raise SystemExit("the store is not in order")
    return found


def flush_ms(folder: Path) -> float:
    """Return the least time to write a file as long as a blob and flush it, in ms."""

    def flush() -> None:
        with (folder / "flushed").open("wb") as stream:
            stream.write(bytes(6000))
            stream.flush()
            os.fsync(stream.fileno())

    return 1e3 * sum(least(flush, 1) for _ in range(20)) / 20


def reset_peak() -> float:
    """Let the peak begin anew at the memory of this moment, which is returned in MB."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_mb()


def peak_mb() -> float:
    """Return the largest memory that this process has had, in MB."""
    return peak_of("self")


def peak_of(process: int | str) -> float:
    """Return the largest memory that a process has had, in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e3


def store_rows(kind: str, n_documents: int, limit_s: float) -> list[Row]:
    """Measure one store in a process of its own."""
    server = KINDS[kind]
    if server is None:
        return rows_of(kind, run_one(kind, n_documents, limit_s, 0))
    script = str(ROOT / "tests" / server)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, script], text=True, **pipes) as process:  # noqa: S603
        port = int(process.stdout.readline()) if process.stdout else 0
        found = run_one(kind, n_documents, limit_s, port)
        found["memory of the server/MB"] = peak_of(process.pid)
    return rows_of(kind, found)


def run_one(kind: str, n_documents: int, limit_s: float, port: int) -> dict[str, float]:
    """Measure one store in a process of its own; return what it found."""
    command = [sys.executable, __file__, "--measure", kind, "--port", str(port)]
    command += ["--documents", str(n_documents), "--limit", str(limit_s)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows_of(kind: str, found: dict[str, float]) -> list[Row]:
    """Return a row for each figure."""
    return [
        make_row(f"{kind}: {name.rpartition('/')[0]}", value, name.rpartition("/")[2])
        for name, value in found.items()
    ]


def main() -> None:
    """Print the tables and write the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few documents, nothing written")
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--limit", type=float, default=60.0, help="longest time to fill, in s")
    parser.add_argument("--store", choices=KINDS, help="this one alone; its rows are replaced")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.documents, given.limit, given.port)))
        return
    os.environ.setdefault("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'models'}")
    n_documents, limit = (100, 4.0) if given.quick else (given.documents, given.limit)
    rows = [] if given.store else codec_rows(2 if given.quick else 10)
    for kind in [given.store] if given.store else KINDS:
        rows += store_rows(kind, n_documents, limit)
    print(f"stores, one thread, {machine()}")
    for row in rows:
        print(f"{row['name']:<60} {row['value']:12.4g} {row['unit']}")
    if not given.quick:
        write_results("stores", others(given.store) + rows)


def others(kind: str | None) -> list[Row]:
    """Return the rows of an earlier run that belong to other stores."""
    if kind is None:
        return []
    earlier = ROOT / "benchmarks" / "results" / "stores.json"
    rows: list[Row] = json.loads(earlier.read_text(encoding="utf-8"))
    return [row for row in rows if not row["name"].startswith(f"{kind}: ")]


if __name__ == "__main__":
    main()
