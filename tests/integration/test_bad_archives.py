"""An archive full of traps gives its good density and a reason for each trap, at little cost."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Runs in a process of its own, whose largest memory can be told.
_INGEST = """
import json, resource, sys
from scdp_flows.errors import ScdpFlowsError
from scdp_flows.jobs.ingest import IngestMaker
from scdp_flows.jobs.ingest_records import list_offers
from scdp_flows.stores.factory import open_stores
store, good, *bad = sys.argv[1:]
kind = {"pseudopotential": "paw-pbe", "functional": "PBE", "basis": "268eV"}
maker = IngestMaker(kind=kind, store_path=store, n_processes=1)
make = IngestMaker.make.original
make(maker, [good])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    make(maker, bad)
except ScdpFlowsError:
    pass
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_stores(store) as stores:
    found = {doc.source: [doc.status, *doc.reasons] for doc in list_offers(stores)}
    count = stores.densities.count()
print(json.dumps({"growth_mb": (after - before) / 1024, "offers": found, "count": count}))
"""
_HEAD = "bomb\n1.0\n9 0 0\n0 9 0\n0 0 9\nH\n1\nDirect\n0 0 0\n\n1200 1200 1200\n"


def _tar(path: Path, members: dict[str, bytes | None], mode: str) -> None:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            info.size = len(content or b"")
            archive.addfile(info, io.BytesIO(content or b""))


@pytest.fixture
def traps(repository: Path) -> dict[str, bytes | None]:
    """Give the members of the archive: a good one, and what else could be there."""
    good = (repository / "tests" / "data" / "vasp" / "Fe2_cubic_CHGCAR.gz").read_bytes()
    objects = io.BytesIO()
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    return {
        "good/CHGCAR.gz": good,
        "cut/CHGCAR.gz": good[: len(good) // 2],
        "bomb/CHGCAR.gz": gzip.compress(_HEAD.encode() + b"0 " * 40_000_000),
        "../../CHGCAR": b"out",
        "link/CHGCAR": None,
        "pickle/rho.npy": objects.getvalue(),
        "pickle/CHGCAR": pickle.dumps({}),
    }


_REASONS = {
    "cut/CHGCAR.gz": "cannot be read",
    "bomb/CHGCAR.gz": "grows without end",
    "../../CHGCAR": "leads out of the archive",
    "link/CHGCAR": "is a link",
    "pickle/rho.npy": "pickled objects",
    "pickle/CHGCAR": "expected one of the formats",
}


@pytest.mark.slow
def test_a_reason_for_each_trap(
    traps: dict[str, bytes | None], tmp_path: Path, repository: Path
) -> None:
    good = repository / "tests" / "data" / "vasp" / "Fe2_cubic_CHGCAR.gz"
    _tar(tmp_path / "traps.tar", traps, "w")
    content = (tmp_path / "traps.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(content[: len(content) * 3 // 4])
    command = [sys.executable, "-c", _INGEST, str(tmp_path / "s"), str(good)]
    command += [str(tmp_path / name) for name in ("traps.tar", "cut.tar")]
    paths = f"{repository}{os.pathsep}{repository / 'models'}"
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    offers = found["offers"]
    assert offers[f"{tmp_path / 'traps.tar'}:good/CHGCAR.gz"][0] == "duplicate"
    for name, reason in _REASONS.items():
        status, text = offers[f"{tmp_path / 'traps.tar'}:{name}"]
        assert status == "refused", name
        assert reason in text, name
    status, text = offers[str(tmp_path / "cut.tar")]
    assert status == "refused"
    assert "no intact archive" in text
    assert found["count"] == 1
    assert not list(tmp_path.rglob("CHGCAR"))
    # What the bomb may grow to, as numbers; the 1.7e9 that it announces would take 14 GB.
    assert found["growth_mb"] < 800
