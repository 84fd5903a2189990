"""Stored examples of every document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Example = dict[str, Any]


@pytest.fixture
def example(repository: Path) -> Callable[[str], Example]:
    """Give the content of a document as version 1 stored it."""

    def load(doc_type: str) -> Example:
        text = (repository / "tests" / "data" / "docs" / f"{doc_type}.v1.json").read_text()
        content: Example = json.loads(text)
        return content

    return load
