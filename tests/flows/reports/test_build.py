from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from scdp_flows.errors import StoreError
from scdp_flows.reports.build import build_report

if TYPE_CHECKING:
    from pathlib import Path

    from scdp_flows.stores.factory import Stores

_TITLE = "Water <script>alert(1)</script> & more"


def test_both_files_hold_the_numbers_of_the_documents(
    stores: Stores, stored: dict[str, list[str]], study: Any, tmp_path: Path
) -> None:
    doc = build_report(stores, tmp_path / "out", title=_TITLE, **stored)
    numbers = json.loads((tmp_path / "out" / "report.json").read_text())
    assert numbers["seeds"] == [seed.to_dict() for seed in study.seeds]
    assert numbers["evaluations"] == [one.to_dict() for one in study.evaluations]
    rows = {row["name"]: row for row in numbers["groups"][0]["rows"]}
    assert rows["water model"]["iterations_mean"] == 6.0
    html = (tmp_path / "out" / "report.html").read_text()
    assert "6.0 (5–7)" in html
    assert doc.summary["groups"] == numbers["groups"]


def test_the_document_is_stored_and_names_the_files(stores: Stores, tmp_path: Path) -> None:
    doc = build_report(stores, tmp_path / "out", title=_TITLE)
    assert stores.reports.reports.get(doc.report_id) == doc
    assert sorted(doc.files) == sorted(p.name for p in (tmp_path / "out").iterdir())


def test_the_page_is_safe_and_asks_for_nothing(
    stores: Stores, stored: dict[str, list[str]], tmp_path: Path
) -> None:
    build_report(stores, tmp_path, title=_TITLE, **stored)
    html = (tmp_path / "report.html").read_text()
    assert "<script" not in html
    assert "Water &lt;script&gt;" in html
    assert not re.findall(r'(?:src|href|action)="(?!#|data:)[^"]*"', html)
    assert "http" not in html


def test_an_empty_report_says_what_is_missing(stores: Stores, tmp_path: Path) -> None:
    build_report(stores, tmp_path, title="Nothing yet")
    html = (tmp_path / "report.html").read_text()
    assert "No calculation was restarted" in html
    assert json.loads((tmp_path / "report.json").read_text())["groups"] == []


def test_a_folder_that_cannot_be_written_is_named(stores: Stores, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="file"):
        build_report(stores, tmp_path / "file" / "out", title="T")


def test_a_failure_leaves_the_old_report_whole(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_report(stores, tmp_path / "out", title="First")
    before = (tmp_path / "out" / "report.json").read_bytes()

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scdp_flows.stores.files.os.fsync", no_space)
    with pytest.raises(StoreError, match="No space left"):
        build_report(stores, tmp_path / "out", title="Second")
    assert (tmp_path / "out" / "report.json").read_bytes() == before
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"report.html", "report.json"}


def test_the_command_is_recorded_where_it_is_ours(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/scdp", "report", "-o", "my report"])
    doc = build_report(stores, tmp_path, title="T")
    assert doc.provenance.command == "scdp report -o 'my report'"
    assert "scdp report -o &#x27;my report&#x27;" in (tmp_path / "report.html").read_text()
    monkeypatch.setattr("sys.argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    assert build_report(stores, tmp_path, title="Other").provenance.command is None
