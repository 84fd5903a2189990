"""Measure the stores: codecs on real densities, then ingest, queries and memory of each store.

Run ``OMP_NUM_THREADS=1 python benchmarks/stores.py [--quick] [--documents N]``. The codecs work on
the CHGCARs among the test data and on one density without symmetry, as float32. The stores take
synthetic densities of 12^3 points one at a time, as ingestion does; MongoStore talks to the
stand-in server of the tests. A store that takes longer than ``--limit`` seconds to fill stops there
and says how many it holds. Memory is the growth of the peak of the process that fills and asks, for
MongoStore also that of the server.
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
from maggma.stores import MemoryStore, MongoStore
from results_file import Row, machine, make_row, write_results

from scdp_flows.density import ChargeDensity
from scdp_flows.io.base import read_density
from scdp_flows.kind import DensityKind
from scdp_flows.schemas.density import DensityDoc
from scdp_flows.stores.densities import DensityStore
from scdp_flows.stores.folder_blobs import FolderBlobStore
from scdp_flows.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from maggma.core import Store
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
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


def open_store(kind: str, folder: Path, port: int) -> Store:
    """Open an empty store of a kind."""
    if kind == "SqliteStore":
        return SqliteStore(folder / "docs.sqlite", key="density_id")
    if kind == "MongoStore, wire":
        return MongoStore("bench", "docs", host="127.0.0.1", port=port, key="density_id")
    memory = MemoryStore("docs", key="density_id")
    if kind == "MemoryStore":
        return memory
    memory.connect()
    store: Store = MongoStore.from_collection(memory._collection)  # noqa: SLF001 - mongomock's
    store.key = "density_id"
    return store


def measure(kind: str, n_documents: int, limit_s: float, port: int) -> dict[str, float]:
    """Fill a store and ask it; return what was measured, by name and unit."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(kind, Path(folder), port)
        with store:
            before = peak_mb()
            densities = DensityStore(store, FolderBlobStore(Path(folder) / "blobs"))
            start = time.perf_counter()
            number = 0
            while number < n_documents and time.perf_counter() - start < limit_s:
                doc, arrays = density_of(number)
                densities.put(doc, {"grid": arrays})
                number += 1
            found["documents/documents"] = number
            found["ingest/per s"] = number / (time.perf_counter() - start)
            for name, criteria in QUERIES.items():
                work = lambda criteria=criteria: list(densities.query(criteria))  # noqa: E731
                found[f"{name}/ms"] = 1e3 * least(work, 3)
            count = lambda: densities.count({"formula": "CO"})  # noqa: E731
            found["count of a formula/ms"] = 1e3 * least(count, 3)
            found["distinct formulas/ms"] = 1e3 * least(lambda: densities.distinct("formula"), 3)
            newest = {"provenance.created_at": -1}
            work = lambda: list(densities.documents.query(sort=newest, limit=10))  # noqa: E731
            found["newest ten/ms"] = 1e3 * least(work, 2)
            found["all, one at a time/ms"] = 1e3 * least(
                lambda: sum(1 for _ in densities.query()), 1
            )
            found["memory/MB"] = peak_mb() - before
    return found


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
    server = subprocess.Popen(  # noqa: S603
        [sys.executable, str(ROOT / "tests" / "mongo_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        port = int(server.stdout.readline()) if server.stdout else 0
        command = [sys.executable, __file__, "--store", kind, "--port", str(port)]
        command += ["--documents", str(n_documents), "--limit", str(limit_s)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        if "wire" in kind:
            found["memory of the server/MB"] = peak_of(server.pid)
    return [
        make_row(f"{kind}: {name.rpartition('/')[0]}", value, name.rpartition("/")[2])
        for name, value in found.items()
    ]


def main() -> None:
    """Print the tables and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few documents")
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--limit", type=float, default=300.0, help="longest time to fill, in s")
    parser.add_argument("--store", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.store:
        print(json.dumps(measure(given.store, given.documents, given.limit, given.port)))
        return
    os.environ.setdefault("PYTHONPATH", f"{ROOT}{os.pathsep}{ROOT / 'models'}")
    n_documents, limit = (100, 10.0) if given.quick else (given.documents, given.limit)
    rows = codec_rows(2 if given.quick else 10)
    for kind in ("MemoryStore", "mongomock", "SqliteStore", "MongoStore, wire"):
        rows += store_rows(kind, n_documents, limit)
    print(f"stores, one thread, {machine()}")
    for row in rows:
        print(f"{row['name']:<50} {row['value']:12.4g} {row['unit']}")
    if not given.quick:
        write_results("stores", rows)


if __name__ == "__main__":
    main()
