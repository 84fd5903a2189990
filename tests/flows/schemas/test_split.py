from __future__ import annotations

from scdp_flows.schemas.split import SplitDoc


def test_the_identifier_depends_on_what_is_where_and_on_nothing_else() -> None:
    one = SplitDoc.make_id({"train": ["a", "b"], "test": ["c"]})
    assert one == SplitDoc.make_id({"test": ["c"], "train": ["b", "a"], "validation": []})
    assert one != SplitDoc.make_id({"train": ["a"], "test": ["b", "c"]})
