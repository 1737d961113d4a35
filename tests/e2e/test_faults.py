"""What networks, callers and machines do to a server process: no unsafe ALLOW, nothing stuck."""

from __future__ import annotations

import resource
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from pairguard.client import (
    AgeEvidence,
    ChatStarted,
    Client,
    ClientOptions,
    DecidedBy,
    Decision,
    Event,
    NotRecorded,
    PairDecision,
    ParticipantInput,
    VerificationMethod,
    VerifiedAge,
)
from pairguard.client.vocabulary import Binding
from pairguard.v1 import participant_pb2
from pairguard.v1.pair_risk_service_pb2 import ScorePairsRequest
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceStub
from tests.e2e.server_process import ServerProcess, environment, started
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.integration.server.running_server import lenient_policy
from tests.redis_server import running_redis
from tests.unit.server.requests import pair_request
from tests.waiting import wait_until

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_RESET_AT_CLOSE = b"\x01\x00\x00\x00\x00\x00\x00\x00"


def adult(name: str) -> ParticipantInput:
    return verified(name, 40.0)


def verified(name: str, age_years: float) -> ParticipantInput:
    age = VerifiedAge(method=VerificationMethod.ID_DOCUMENT, age_years=age_years)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    item = AgeEvidence(age, f"check-{name}", yesterday, binding=Binding.LIVE_PERSON)
    return ParticipantInput(name, [item], linked_ids=[f"device-{name}"], region="GB")


def ask(client: Client) -> PairDecision:
    """Ask for two adults who have never met."""
    name = uuid.uuid4().hex
    return client.score_pair(adult(f"a-{name}"), adult(f"b-{name}"))


def answers(client: Client) -> bool:
    return ask(client).decided_by is DecidedBy.SERVICE


def allows(client: Client) -> bool:
    return ask(client).decision is Decision.ALLOW


def chat(name: str) -> Event:
    a, b = ParticipantInput(f"a-{name}").reference, ParticipantInput(f"b-{name}").reference
    return Event(ChatStarted(participant_a=a, participant_b=b), chat_id=name)


def is_acknowledged(client: Client, event: Event) -> bool:
    try:
        return all(each.recorded for each in client.record_events([event]))
    except NotRecorded:
        return False


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(lenient_policy(allow_without_harm_model="true"), encoding="utf-8")
    return path


@contextmanager
def redis_behind_a_proxy(
    directory: Path, bundle: Path, policy: Path
) -> Iterator[tuple[ServerProcess, FaultProxy]]:
    with running_redis() as redis, fault_proxy(redis.port) as proxy:
        environ = environment(
            directory,
            bundle,
            policy_file=str(policy),
            store=f"redis://127.0.0.1:{proxy.port}/0",
            store_read_timeout_seconds="0.1",
        )
        with started(directory, environ) as server:
            yield server, proxy


@pytest.mark.parametrize("fault", ["stalled", "cut", "slow"])
def test_a_store_that_cannot_be_reached_allows_nobody_and_loses_no_event(
    tmp_path: Path, bundle: Path, policy: Path, fault: str
) -> None:
    with redis_behind_a_proxy(tmp_path, bundle, policy) as (server, proxy):
        options = ClientOptions(
            server.address, timeout_seconds=5.0, record_timeout_seconds=3.0, max_attempts=1
        )
        with Client(options) as client:
            wait_until(lambda: allows(client), "two adults are allowed while the store answers")
            assert is_acknowledged(client, chat("before"))

            proxy.is_stalled = fault == "stalled"
            proxy.refuses = fault == "cut"
            proxy.delay_seconds = 0.5 if fault == "slow" else 0.0
            if fault == "cut":
                proxy.cut()
            during = [ask(client) for _ in range(8)]
            waiting = chat("during")
            acknowledged = is_acknowledged(client, waiting)
            proxy.heal()
            proxy.cut()

            # The first may have been read before the fault; what is unread is never allowed.
            assert all(each.decision is not Decision.ALLOW for each in during)
            assert all(each.decided_by is DecidedBy.SERVICE for each in during)
            assert {code for each in during for code in each.degradations} >= {"STORE_UNAVAILABLE"}
            wait_until(lambda: allows(client), "two adults are allowed again")
            if not acknowledged:
                wait_until(lambda: is_acknowledged(client, waiting), "the event is recorded")
            # Sent once more, it is known.
            assert is_acknowledged(client, waiting)


def connections(address: str, count: int, stack: ExitStack, *, first: bytes) -> list[socket.socket]:
    host, _, port = address.rpartition(":")
    found = []
    for _ in range(count):
        each = stack.enter_context(socket.create_connection((host, int(port)), timeout=10.0))
        each.sendall(first)
        found.append(each)
    return found


def test_idle_and_half_open_connections_keep_nobody_from_an_answer(
    tmp_path: Path, bundle: Path, policy: Path
) -> None:
    with (
        started(tmp_path, environment(tmp_path, bundle, policy_file=str(policy))) as server,
        ExitStack() as stack,
    ):
        address = server.address
        for first in (b"", _PREFACE, _PREFACE + b"\x00\x00\x20\x01\x04\x00\x00\x00\x01"):
            connections(address, 150, stack, first=first)
        with Client(ClientOptions(address, timeout_seconds=5.0)) as client:
            assert all(answers(client) for _ in range(20))


def test_without_a_descriptor_left_callers_wait_and_nobody_is_wronged(
    tmp_path: Path, bundle: Path, policy: Path
) -> None:
    environ = environment(tmp_path, bundle, policy_file=str(policy))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with started(tmp_path, environ) as server:
        address = server.address
        with Client(ClientOptions(address, timeout_seconds=5.0)) as known, ExitStack() as stack:
            assert allows(known)
            used = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used + 8, hard))
            crowd = connections(address, 60, stack, first=_PREFACE)
            # Who is connected is answered, by the rules, whatever cannot be opened meanwhile.
            during = [ask(known) for _ in range(20)]
            assert {each.decided_by for each in during} == {DecidedBy.SERVICE}
            for each in crowd:
                each.close()
            resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
            with Client(ClientOptions(address, timeout_seconds=5.0)) as new:
                wait_until(lambda: allows(new), "new connections are taken again")
            # What a working server would have done, or more cautious and marked as such.
            assert all(each.allowed or each.degradations for each in during)
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0


def test_who_cancels_everything_leaves_no_call_behind(
    tmp_path: Path, bundle: Path, policy: Path
) -> None:
    environ = environment(tmp_path, bundle, policy_file=str(policy), worker_threads="2")
    with started(tmp_path, environ) as server:
        address = server.address
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options=options) as channel:
            stub = PairRiskServiceStub(channel)
            batch = pool(200)
            for number in range(600):
                call = stub.ScorePair.future(pair_request(), timeout=5.0)
                if number % 20 == 0:
                    stub.ScorePairs(batch, timeout=5.0).cancel()
                if number % 3:
                    time.sleep(0.0005)
                call.cancel()
        with Client(ClientOptions(address, timeout_seconds=10.0)) as client:
            wait_until(lambda: answers(client), "calls are answered")
            assert all(answers(client) for _ in range(20))
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0


def pool(size: int) -> ScorePairsRequest:
    people = [participant_pb2.Participant(participant_id=f"p{number}") for number in range(size)]
    return ScorePairsRequest(participants=people, all_pairs=True)


def test_who_reads_slowly_holds_up_batches_and_no_pair(
    tmp_path: Path, bundle: Path, policy: Path
) -> None:
    environ = environment(tmp_path, bundle, policy_file=str(policy), worker_threads="3")
    with started(tmp_path, environ) as server:
        address = server.address
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        with ExitStack() as stack, Client(ClientOptions(address, timeout_seconds=10.0)) as client:
            for _ in range(4):
                channel = stack.enter_context(grpc.insecure_channel(address, options=options))
                # Nothing of it is ever read.
                PairRiskServiceStub(channel).ScorePairs(pool(1_500), timeout=20.0)
            time.sleep(0.5)
            assert all(answers(client) for _ in range(20))


def test_a_clock_that_jumps_back_holds_and_allows_as_before(
    tmp_path: Path, bundle: Path, policy: Path
) -> None:
    """Started again with a clock an hour behind, as after a repair of the time."""
    environ = environment(tmp_path, bundle, policy_file=str(policy))
    with started(tmp_path, environ) as server:
        with Client(ClientOptions(server.address, timeout_seconds=5.0)) as client:
            assert client.score_pair(verified("child", 8.0), adult("x")).decision is Decision.BLOCK
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0
    behind = environ | {"PYTHONPATH": str(clock_behind(tmp_path, seconds=3_600.0))}
    with (
        started(tmp_path, behind) as server,
        Client(ClientOptions(server.address, timeout_seconds=5.0)) as client,
    ):
        again = client.score_pair(ParticipantInput("child"), adult("y"))
        assert again.decision is Decision.BLOCK
        assert "HELD" in {reason.code for reason in again.reasons}


def clock_behind(directory: Path, *, seconds: float) -> Path:
    """Return a folder of a module that sets Python's clock back in whoever finds it there."""
    folder = directory / "behind"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        f"import time\n_now = time.time\ntime.time = lambda: _now() - {seconds}\n"
    )
    return folder


def test_many_callers_at_once_and_gone_at_once(tmp_path: Path, bundle: Path, policy: Path) -> None:
    """Callers that are killed leave half of their calls; the rest go on."""
    environ = environment(tmp_path, bundle, policy_file=str(policy))
    with started(tmp_path, environ) as server:
        address = server.address
        stopped = threading.Event()
        kept: list[PairDecision] = []

        def stay() -> None:
            with Client(ClientOptions(address, timeout_seconds=20.0)) as client:
                while not stopped.is_set():
                    kept.append(ask(client))

        staying = threading.Thread(target=stay)
        staying.start()
        for number in range(5):
            leave_in_the_middle(address, 30)
            wait_until(lambda: len(kept) > 4 * number, "who stays is answered")  # noqa: B023
        stopped.set()
        staying.join(30)
        assert {each.decided_by for each in kept} == {DecidedBy.SERVICE}


def leave_in_the_middle(address: str, count: int) -> None:
    """Begin calls on connections of their own, and reset all of these at once."""
    with ExitStack() as stack:
        crowd = connections(address, count, stack, first=_PREFACE)
        for each in crowd:
            each.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
            )
