"""Ids of decisions."""

from __future__ import annotations

import re

from pairguard.server.decision_ids import is_of_pair, new_pair_decision_id, new_ranking_id


def test_ids_are_random_and_tell_pairs_from_rankings() -> None:
    pairs = {new_pair_decision_id() for _ in range(500)}
    rankings = {new_ranking_id() for _ in range(500)}
    assert len(pairs | rankings) == 1_000
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in pairs | rankings)
    assert all(map(is_of_pair, pairs))
    assert not any(map(is_of_pair, rankings))
    assert len({each[0] for each in pairs}) == len({each[0] for each in rankings}) == 8


def test_what_is_no_id_of_ours_is_not_taken_for_a_pair() -> None:
    assert not is_of_pair("")
    assert not is_of_pair("ranking")
