"""A real server judges the pairs of a pool: the numbers, the chunks, and what else it serves."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import grpc
import numpy as np
import pytest

from pairguard.risk.pool_trees import PooledTrees
from pairguard.store.ports import KeptParticipant
from pairguard.store.sqlite import SqliteStore
from pairguard.v1.assessment_pb2 import DECISION_ALLOW, DECISION_BLOCK, DECISION_REROUTE
from pairguard.v1.pair_risk_service_pb2 import (
    IndexPairs,
    ScorePairsRequest,
    ScorePairsResponse,
)
from pairguard.v1.participant_pb2 import Participant
from tests.integration.server.platform_calls import (
    about,
    bare,
    between,
    codes,
    decide,
    happened,
    keep_evidence,
    pair,
    participant,
    started,
    verified,
)
from tests.integration.server.running_server import (
    TIMEOUT_SECONDS,
    BrokenStore,
    Running,
    failed_call,
    lenient_policy,
    refusal,
    serving,
    until,
)
from tests.integration.server.test_rank_candidates import StoreWithDamage, mixed_pool
from tests.unit.server.requests import ADULT

CHUNK = 16_384
LARGE = 2**24


def every_pair(*pool: Participant) -> ScorePairsRequest:
    return ScorePairsRequest(participants=pool, all_pairs=True)


def these_pairs(pool: list[Participant], pairs: list[tuple[int, int]]) -> ScorePairsRequest:
    return ScorePairsRequest(
        participants=pool,
        pairs=IndexPairs(
            first_indices=[first for first, _ in pairs],
            second_indices=[second for _, second in pairs],
        ),
    )


def chunks(server: Running, request: ScorePairsRequest) -> list[ScorePairsResponse]:
    return list(server.pair_risk.ScorePairs(request, timeout=60.0))


def reasons(chunk: ScorePairsResponse) -> list[str]:
    return [chunk.reason_codes[place] for place in chunk.reason_indices]


def people(count: int, *, more: str = "") -> list[Participant]:
    return [participant(f"p{number}", more=more) for number in range(count)]


# ---- the same numbers ----------------------------------------------------------------------------


def test_each_pair_is_judged_as_it_would_be_alone(bundle: Path, tmp_path: Path) -> None:
    pool = mixed_pool(14, seed=3)
    with serving(bundle, tmp_path, policy=lenient_policy(max_exposure_per_day="10.0")) as server:
        happened(server, between("personal_block", "b1", "c3", "c1"))
        happened(server, about("hold_placed", "h1", "c4", "reason_code: 'SPAM'"))
        happened(server, started("chat", "c2", "c5"), started("chat2", "c0", "c9"))
        keep_evidence(server, "c6", verified("doc", 15))
        (chunk,) = chunks(server, every_pair(*pool))
        alone = [decide(server, pair(a, b)) for a, b in combinations(pool, 2)]

    assert list(chunk.decisions) == [each.decision for each in alone]
    assert reasons(chunk) == [codes(each)[0] for each in alone]
    assert list(chunk.minor_adult_probabilities) == [each.minor_adult_probability for each in alone]
    assert list(chunk.harm_probabilities) == [each.harm_probability for each in alone]
    assert list(chunk.risk_scores) == [each.risk_score for each in alone]
    assert set(chunk.decisions) == {DECISION_ALLOW, DECISION_REROUTE, DECISION_BLOCK}
    assert {"PERSONAL_BLOCK", "RECENT_PARTNER", "HELD"} <= {
        c for each in alone for c in codes(each)
    }


def test_pairs_are_answered_in_the_order_of_the_request(server: Running) -> None:
    pool = mixed_pool(9)
    wanted = [(8, 0), (3, 4), (0, 8), (4, 3), (3, 4)]
    (whole,) = chunks(server, every_pair(*pool))
    (chunk,) = chunks(server, these_pairs(pool, wanted))

    place = {each: number for number, each in enumerate(combinations(range(9), 2))}
    expected = [place[min(each), max(each)] for each in wanted]
    assert list(chunk.risk_scores) == [whole.risk_scores[each] for each in expected]
    assert list(chunk.decisions) == [whole.decisions[each] for each in expected]
    assert reasons(chunk) == [reasons(whole)[each] for each in expected]


def test_a_pool_without_a_harm_model_has_no_harm(
    bundle_without_models: Path, tmp_path: Path
) -> None:
    with serving(bundle_without_models, tmp_path) as server:
        (chunk,) = chunks(server, every_pair(*people(3, more=ADULT)))

    assert not chunk.harm_probabilities
    assert list(chunk.degradations) == ["HARM_MODEL_UNAVAILABLE"]
    assert reasons(chunk) == ["HARM_MODEL_UNAVAILABLE"] * 3
    assert list(chunk.risk_scores) == list(chunk.minor_adult_probabilities)


def test_a_large_pool_has_the_numbers_of_lightgbm_and_a_disagreement_is_counted(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = "pairguard_pool_disagreements_total"
    pool = mixed_pool(60, seed=4)
    honest = PooledTrees.raw_scores
    with serving(bundle, tmp_path, policy=lenient_policy(max_exposure_per_day="10.0")) as server:
        (whole,) = chunks(server, every_pair(*pool))
        assert server.metric(counter) == 0
        few = [(0, 59), (3, 4), (58, 59), (20, 41)]
        (by_rows,) = chunks(server, these_pairs(pool, few))
        monkeypatch.setattr(
            PooledTrees, "raw_scores", lambda *given: np.nextafter(honest(*given), np.inf)
        )
        (disagreed,) = chunks(server, every_pair(*pool))
        assert server.metric(counter) == 1

    place = {each: number for number, each in enumerate(combinations(range(60), 2))}
    assert [whole.harm_probabilities[place[each]] for each in few] == list(
        by_rows.harm_probabilities
    )
    assert disagreed.harm_probabilities == whole.harm_probabilities


# ---- chunks --------------------------------------------------------------------------------------


def test_an_answer_comes_in_chunks_of_bounded_size(bundle: Path, tmp_path: Path) -> None:
    pool = people(200)
    pool[7].signals["no.such.signal"] = 1.0
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        found = chunks(server, every_pair(*pool))

    assert [len(each.decisions) for each in found] == [CHUNK, 19_900 - CHUNK]
    assert [each.pair_offset for each in found] == [0, CHUNK]
    assert [list(each.unknown_signals) for each in found] == [["no.such.signal"], []]
    for each in found:
        size = len(each.decisions)
        assert each.pair_count == 19_900
        assert len(each.minor_adult_probabilities) == size
        assert len(each.harm_probabilities) == size
        assert len(each.risk_scores) == size
        assert len(each.reason_indices) == size
        assert each.bundle_version
        assert each.policy_version


@pytest.mark.timeout(60)
def test_half_a_million_pairs_are_answered(bundle: Path, tmp_path: Path) -> None:
    pool = mixed_pool(1_000)
    with serving(bundle, tmp_path, policy=lenient_policy(), max_request_bytes=LARGE) as server:
        found = chunks(server, every_pair(*pool))

    assert sum(len(each.decisions) for each in found) == 499_500


def test_a_pool_of_two_thousand_with_listed_pairs_is_answered(bundle: Path, tmp_path: Path) -> None:
    pool = people(2_000)
    wanted = [(number, 1_999 - number) for number in range(1_000)]
    with serving(bundle, tmp_path, policy=lenient_policy(), max_request_bytes=LARGE) as server:
        (chunk,) = chunks(server, these_pairs(pool, wanted))

    assert list(chunk.decisions) == [DECISION_REROUTE] * 1_000


# ---- advice and no decision ----------------------------------------------------------------------


def test_nothing_is_held_or_recorded(bundle: Path, tmp_path: Path) -> None:
    child = participant("child", more=ADULT.replace("age_years: 40", "age_years: 8"))
    store = tmp_path / "state" / "pairguard.sqlite3"
    with serving(bundle, tmp_path, policy=lenient_policy()) as server:
        (chunk,) = chunks(server, every_pair(participant("a"), child, participant("b")))
        assert list(chunk.decisions) == [DECISION_BLOCK, DECISION_ALLOW, DECISION_BLOCK]
        assert server.metric("pairguard_batch_pairs_total", decision="BLOCK") == 2
        assert server.metric("pairguard_batch_pairs_total", decision="ALLOW") == 1
        assert server.metric("pairguard_decisions_total") == 0
        assert server.metric("pairguard_holds_written_total") == 0
    with sqlite3.connect(store) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("participant_rows", "holds")
        ]
    connection.close()
    assert counts == [0, 0]


# ---- wrong requests ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_message", "fields"),
    [
        (ScorePairsRequest(), {"participants", "pairs"}),
        (every_pair(*people(1)), {"participants"}),
        (every_pair(*[Participant()] * 2_001), {"participants", "all_pairs"}),
        (every_pair(*people(1_001)), {"all_pairs"}),
        (ScorePairsRequest(participants=people(2), all_pairs=False), {"all_pairs"}),
        (these_pairs(people(2), []), {"pairs.first_indices"}),
        (
            ScorePairsRequest(participants=people(2), pairs=IndexPairs(first_indices=[0])),
            {"pairs.second_indices"},
        ),
        (
            these_pairs(people(2), [(0, 1), (1, 1), (2, 0), (0, 4_000_000_000)]),
            {
                "pairs.second_indices[1]",
                "pairs.first_indices[2]",
                "pairs.second_indices[3]",
            },
        ),
        (
            every_pair(bare("a"), bare("b", "device"), bare("c", "device"), bare("")),
            {"participants[2].participant_id", "participants[3].participant_id"},
        ),
    ],
)
def test_a_wrong_request_is_refused(
    server: Running, request_message: ScorePairsRequest, fields: set[str]
) -> None:
    code, _, violations = refusal(server.pair_risk.ScorePairs, request_message)

    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(violations) == fields


# ---- what cannot be read -------------------------------------------------------------------------


def test_on_a_store_that_cannot_be_read_nobody_is_allowed(bundle: Path, tmp_path: Path) -> None:
    store = BrokenStore(tmp_path / "kept.sqlite3", reads=False)
    with serving(bundle, tmp_path, policy=lenient_policy(), store=store) as server:
        (chunk,) = chunks(server, every_pair(*people(3, more=ADULT)))

    assert reasons(chunk) == ["STORE_UNAVAILABLE"] * 3
    assert list(chunk.degradations) == ["STORE_UNAVAILABLE"]


def test_damaged_rows_are_those_of_one_alone_and_judged_as_in_its_pairs(
    bundle: Path, tmp_path: Path
) -> None:
    store = StoreWithDamage(tmp_path / "kept.sqlite3", ["p1"])
    policy = lenient_policy(allow_on_unread_state="true")
    pool = people(4, more=ADULT)
    with serving(bundle, tmp_path, policy=policy, store=store) as server:
        keep_evidence(server, "p2", verified("doc", 15))
        (chunk,) = chunks(server, every_pair(*pool))
        alone = [decide(server, pair(a, b)) for a, b in combinations(pool, 2)]

    assert list(chunk.decisions) == [each.decision for each in alone]
    assert list(chunk.minor_adult_probabilities) == [each.minor_adult_probability for each in alone]
    assert list(chunk.risk_scores) == [each.risk_score for each in alone]
    assert len(set(chunk.minor_adult_probabilities)) > 1


# ---- room for others -----------------------------------------------------------------------------


class HoldingStore(SqliteStore):
    """A store that keeps whoever reads a pool waiting, so that batches run for as long as told."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.go_on = threading.Event()
        self.waiting = threading.Semaphore(0)

    def read(
        self, participants: Sequence[Sequence[bytes]], *, now: float
    ) -> tuple[KeptParticipant, ...]:
        if len(participants) > 2:
            self.waiting.release()
            assert self.go_on.wait(60.0)
        return super().read(participants, now=now)


@pytest.mark.parametrize(("worker_threads", "batches"), [(3, 2), (1, 1)])
def test_one_thread_is_kept_free_of_batches(
    bundle: Path, tmp_path: Path, worker_threads: int, batches: int
) -> None:
    request = every_pair(*people(200))
    store = HoldingStore(tmp_path / "kept.sqlite3")
    policy = lenient_policy()
    with serving(
        bundle, tmp_path, policy=policy, store=store, worker_threads=worker_threads
    ) as server:
        running = [server.pair_risk.ScorePairs(request, timeout=60.0) for _ in range(batches)]
        for _ in running:
            assert store.waiting.acquire(timeout=TIMEOUT_SECONDS)
        if worker_threads > 1:
            code, _, _ = refusal(server.pair_risk.ScorePairs, request)
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert decide(server, pair("a", "b")).decision == DECISION_ALLOW
        store.go_on.set()
        for each in running:
            assert sum(len(chunk.decisions) for chunk in each) == 19_900
        # What ended makes room.
        assert len(chunks(server, request)) == 2


def begun(server: Running, request: ScorePairsRequest) -> Iterator[ScorePairsResponse]:
    """Return an answer of which the first chunk has come, so that the batch runs."""
    answer = server.pair_risk.ScorePairs(request, timeout=60.0)
    next(answer)
    return answer


def test_a_batch_that_nobody_waits_for_ends(bundle: Path, tmp_path: Path) -> None:
    request = every_pair(*people(1_000))
    changes = {"worker_threads": 2, "max_request_bytes": LARGE}
    with serving(bundle, tmp_path, policy=lenient_policy(), **changes) as server:
        answer = server.pair_risk.ScorePairs(request, timeout=60.0)
        next(answer)
        answer.cancel()
        method = "pairguard.v1.PairRiskService/ScorePairs"
        name = "pairguard_rpc_duration_seconds_count"

        def ended() -> bool:
            return sum(server.metric(name, method=method, code=code) for code in CODES) == 1

        assert until(ended)
        assert server.metric("pairguard_batch_pairs_total", decision="REROUTE") < 499_500
        assert len(chunks(server, every_pair(*people(20)))) == 1


CODES = ("CANCELLED", "DEADLINE_EXCEEDED")


def test_a_batch_ends_with_its_deadline(bundle: Path, tmp_path: Path) -> None:
    request = every_pair(*people(1_000))
    changes = {"worker_threads": 2, "max_request_bytes": LARGE}
    with serving(bundle, tmp_path, policy=lenient_policy(), **changes) as server:
        answer = server.pair_risk.ScorePairs(request, timeout=0.25)
        with pytest.raises(grpc.RpcError) as caught:
            read_with_a_pause(answer, seconds=0.3)
        assert failed_call(caught.value).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert until(lambda: len(chunks_or_none(server)) == 1)


def read_with_a_pause(
    answer: Iterator[ScorePairsResponse], *, seconds: float
) -> list[ScorePairsResponse]:
    """Return an answer; what nobody reads holds up the rest of it, however fast it is made."""
    first = next(answer)
    time.sleep(seconds)
    return [first, *answer]


def chunks_or_none(server: Running) -> list[ScorePairsResponse]:
    try:
        return chunks(server, every_pair(*people(20)))
    except grpc.RpcError:
        return []


def test_pairs_are_scored_alone_while_a_batch_runs(bundle: Path, tmp_path: Path) -> None:
    request = every_pair(*people(1_000))
    changes = {"worker_threads": 2, "max_request_bytes": LARGE}
    with serving(bundle, tmp_path, policy=lenient_policy(), **changes) as server:
        answer = begun(server, request)
        for number in range(20):
            decide(server, pair(f"a{number}", f"b{number}"))  # within the call's own timeout
        rest = sum(len(chunk.decisions) for chunk in answer)

    assert rest > 0
