"""What a store has acknowledged is there, whatever is killed while it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

N_WRITERS = 4


_SOAK = pytest.mark.soak


@pytest.mark.parametrize(
    ("where", "n_rounds"),
    [
        ("embedded", 2),
        ("mongo", 2),
        pytest.param("embedded", 20, marks=_SOAK),
        pytest.param("mongo", 20, marks=_SOAK),
        pytest.param("gridfs", 20, marks=_SOAK),
        pytest.param("s3", 20, marks=_SOAK),
    ],
)
def test_nothing_acknowledged_is_lost_and_nothing_is_half_there(
    tmp_path: Path, repository: Path, request: pytest.FixtureRequest, where: str, n_rounds: int
) -> None:
    command = [sys.executable, str(repository / "tests" / "store_drill.py"), str(tmp_path / "data")]
    command += ["--rounds", str(n_rounds), "--writers", str(N_WRITERS)]
    if where != "embedded":
        server = "s3" if where == "s3" else "mongo"
        command += [f"--{server}", str(request.getfixturevalue(f"{server}_port"))]
        command += ["--gridfs"] if where == "gridfs" else []
    paths = f"{repository}{os.pathsep}{repository / 'models'}"
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["acknowledged"] > 0
    assert found["lost"] == 0
    assert found["half"] == 0
    # At most what each writer had in hand is there without having been acknowledged.
    assert 0 <= found["found"] - found["acknowledged"] <= N_WRITERS * n_rounds
    assert found["problems_after_collection"] == 0
