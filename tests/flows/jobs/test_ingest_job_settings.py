"""The settings of jobflow name the stores of finished jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scdp_flows.errors import SettingsError
from scdp_flows.jobs.ingest_job_settings import read_job_store_settings

if TYPE_CHECKING:
    from pathlib import Path

_SETTINGS = """
JOB_STORE:
  docs_store: {type: MongoStore, database: dft, collection_name: outputs}
  additional_stores:
    data: {type: GridFSStore, database: dft, collection_name: blobs}
"""


def test_the_settings_of_atomate2(tmp_path: Path) -> None:
    (tmp_path / "jobflow.yaml").write_text(_SETTINGS)
    docs, data = read_job_store_settings(tmp_path / "jobflow.yaml")
    assert docs == {"type": "MongoStore", "database": "dft", "collection_name": "outputs"}
    assert data is not None
    assert data["collection_name"] == "blobs"
    (tmp_path / "short.yaml").write_text("docs_store: {type: MemoryStore}")
    assert read_job_store_settings(tmp_path / "short.yaml") == ({"type": "MemoryStore"}, None)


@pytest.mark.parametrize(
    ("content", "complaint"), [("a: [", "neither a folder"), ("5", "no docs_store"), ("{}", "no")]
)
def test_other_files_are_refused(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "x.yaml").write_text(content)
    with pytest.raises(SettingsError, match=complaint):
        read_job_store_settings(tmp_path / "x.yaml")
    with pytest.raises(SettingsError, match="neither a folder"):
        read_job_store_settings(tmp_path / "absent")
