"""An ingestion that is killed and repeated takes everything, once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("n_rounds", "n_files"), [(4, 24), pytest.param(40, 400, marks=pytest.mark.soak)]
)
def test_nothing_is_lost_double_or_half_there(
    tmp_path: Path, repository: Path, n_rounds: int, n_files: int
) -> None:
    command = [
        sys.executable,
        str(repository / "tests" / "ingest_drill.py"),
        str(tmp_path / "data"),
    ]
    command += ["--rounds", str(n_rounds), "--files", str(n_files)]
    environment = os.environ | {"PYTHONPATH": f"{repository}{os.pathsep}{repository / 'models'}",
                                "TMPDIR": str(tmp_path)}  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["stored"] == found["records"] == n_files
    names = ("lost", "double", "half", "refused", "problems_after_collection", "scratch_left")
    assert {name: found[name] for name in names} == dict.fromkeys(names, 0)
