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


@pytest.mark.parametrize("where", ["embedded", "mongo"])
@pytest.mark.parametrize("n_rounds", [2, pytest.param(20, marks=pytest.mark.soak)])
def test_nothing_acknowledged_is_lost_and_nothing_is_half_there(
    tmp_path: Path, repository: Path, mongo_port: int, where: str, n_rounds: int
) -> None:
    command = [sys.executable, str(repository / "tests" / "store_drill.py"), str(tmp_path / "data")]
    command += ["--rounds", str(n_rounds), "--writers", str(N_WRITERS)]
    if where == "mongo":
        command += ["--mongo", str(mongo_port)]
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
