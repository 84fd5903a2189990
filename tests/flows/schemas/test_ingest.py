"""Records of what was offered."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from scdp_flows.schemas.ingest import IngestDoc


def test_the_identifier_is_that_of_content_and_settings() -> None:
    ids = {IngestDoc.make_id(content, rules) for content in "ab" for rules in "cd"}
    assert len(ids) == 4
    assert IngestDoc.make_id("a", "c") in ids


def test_the_outcome_is_one_of_four() -> None:
    with pytest.raises(ValidationError, match="accepted"):
        IngestDoc(ingest_id="x", source="CHGCAR", status="fine")
