"""Ids of decisions."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

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


def test_threads_at_once_get_different_ids() -> None:
    with ThreadPoolExecutor(8) as threads:
        ids = list(threads.map(lambda _: new_pair_decision_id(), range(4_000)))

    assert len(set(ids)) == len(ids)


def test_a_forked_child_does_not_give_out_what_its_parent_does() -> None:
    new_pair_decision_id()  # others are waiting now
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, "".join(new_pair_decision_id() for _ in range(300)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    of_child = os.read(reading, 300 * 32).decode()
    os.close(reading)
    os.close(writing)

    mine = {new_pair_decision_id() for _ in range(300)}

    assert len(of_child) == 300 * 32
    assert mine.isdisjoint(of_child[place : place + 32] for place in range(0, len(of_child), 32))
