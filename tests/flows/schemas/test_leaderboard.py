from __future__ import annotations

from scdp_flows.schemas.leaderboard import LeaderboardDoc


def test_the_same_labels_in_any_order_are_one_comparison() -> None:
    one = LeaderboardDoc.make_id("d", "test", ["a", "b"])
    assert one == LeaderboardDoc.make_id("d", "test", ["b", "a"])
    assert one != LeaderboardDoc.make_id("d", "test", ["a"])
    assert one != LeaderboardDoc.make_id("d", "validation", ["a", "b"])
