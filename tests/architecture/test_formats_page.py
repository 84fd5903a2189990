"""The page of formats lists what there is, and every yes on it has a test."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from scdp_flows.plugins import available, resolve

if TYPE_CHECKING:
    from pathlib import Path

_COLUMNS = ("read", "write", "spin", "augmentation", "real file")
Rows = list[list[str]]


@pytest.fixture
def rows(repository: Path) -> Rows:
    """Give the cells of all rows of all tables."""
    text = (repository / "docs" / "reference" / "formats.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def _formats(rows: Rows) -> dict[str, list[str]]:
    """Return the columns of each format and archive."""
    return {row[0]: row[2:] for row in rows if len(row) == 7 and row[2] in {"yes", "no"}}


def _evidence(rows: Rows) -> list[tuple[str, str, str]]:
    return [(row[0], row[1], row[2].strip("`")) for row in rows if len(row) == 3 and "::" in row[2]]


def test_every_format_is_listed(rows: Rows) -> None:
    listed = [name for cell in _formats(rows) for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(listed) == available("readers")


def test_what_can_be_written_is_told(rows: Rows) -> None:
    for cell, columns in _formats(rows).items():
        for name in re.findall(r"`(\w+)`", cell):
            can_write = hasattr(resolve("readers", name), "write")
            assert columns[1] == ("yes" if can_write else "no"), name


def test_every_yes_has_a_test(rows: Rows) -> None:
    proved = {(name, column) for name, column, _ in _evidence(rows)}
    missing = [
        (name, column)
        for name, values in _formats(rows).items()
        for column, value in zip(_COLUMNS, values, strict=True)
        if value == "yes" and not proved & {(name, column), ("all", column)}
    ]
    assert not missing


def test_the_tests_exist(rows: Rows, repository: Path) -> None:
    evidence = _evidence(rows)
    assert len(evidence) > 30
    for _, _, test in evidence:
        file, _, function = test.partition("::")
        assert f"def {function}(" in (repository / file).read_text(encoding="utf-8"), test


def test_no_claim_is_made_twice_in_vain(rows: Rows) -> None:
    formats = _formats(rows)
    for name, column, test in _evidence(rows):
        if name != "all":
            assert formats[name][_COLUMNS.index(column)] == "yes", test
