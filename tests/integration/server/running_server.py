"""A real server in this process, on a free port of this machine."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2
from grpc_status import rpc_status
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pairguard.bundle.defaults import default_policy_text
from pairguard.errors import StoreUnavailable
from pairguard.server.application import Application
from pairguard.server.composition import compose
from pairguard.server.settings import Settings
from pairguard.store.ports import (
    Hold,
    JournalRecord,
    KeptAnswer,
    KeptParticipant,
    ParticipantStore,
)
from pairguard.store.sqlite import SqliteStore
from pairguard.v1.age_assurance_service_pb2_grpc import AgeAssuranceServiceStub
from pairguard.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceStub
from tests.domain import NOW
from tests.waiting import until as until  # noqa: PLC0414 - beside what is waited for

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Running:
    """A server and how it is called."""

    application: Application
    settings: Settings
    channel: grpc.Channel
    log: io.StringIO

    @property
    def pair_risk(self) -> PairRiskServiceStub:
        return PairRiskServiceStub(self.channel)

    @property
    def age_assurance(self) -> AgeAssuranceServiceStub:
        return AgeAssuranceServiceStub(self.channel)

    @property
    def feedback(self) -> FeedbackServiceStub:
        return FeedbackServiceStub(self.channel)

    def health(self, service: str) -> str:
        check = self.channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        request = health_pb2.HealthCheckRequest(service=service)
        status = check(request, timeout=TIMEOUT_SECONDS, wait_for_ready=True).status
        return health_pb2.HealthCheckResponse.ServingStatus.Name(status)

    def metrics_text(self) -> str:
        """Return the figures as they are served, or would be if they were."""
        if self.application.metrics_address is None:
            return generate_latest(self.application.metrics.registry).decode()
        url = f"http://{self.application.metrics_address}/metrics"
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            text: str = answer.read().decode()
        return text

    def metric(self, name: str, **labels: str) -> float:
        """Return one sample's value; 0 when it is not there."""
        for family in text_string_to_metric_families(self.metrics_text()):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return 0.0

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@contextmanager
def listening(
    bundle: Path,
    directory: Path,
    *,
    policy: str | None = None,
    store: ParticipantStore | str | None = None,
    clock: Callable[[], float] = lambda: NOW,
    **changes: Any,
) -> Iterator[Running]:
    """Serve without a bundle yet; ``application.load()`` loads it.

    The store is one of the test's own, or the one of a name; None: a database in the directory.
    """
    embedded = f"sqlite:{directory / 'state' / 'pairguard.sqlite3'}"
    settings = replace(
        Settings(
            bundle_path=bundle,
            store=store if isinstance(store, str) else embedded,
            journal_directory=directory / "state" / "journal",
            listen_address="127.0.0.1:0",
            # To end a server of figures takes half a second; few tests ask for one.
            metrics_address=None,
            log_one_ok_call_in=1,
            drain_timeout_seconds=5.0,
        ),
        **changes,
    )
    if policy is not None:
        (directory / "policy.toml").write_text(policy, encoding="utf-8")
        settings = replace(settings, policy_file=directory / "policy.toml")
    log = io.StringIO()
    application = compose(
        settings,
        log_stream=log,
        clock=clock,
        store=None if isinstance(store, str) else store,
        import_in_child=False,
    )
    try:
        application.listen()
        options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(str(application.address), options=options) as channel:
            yield Running(application, settings, channel, log)
    finally:
        application.stop()


@contextmanager
def serving(bundle: Path, directory: Path, **arguments: Any) -> Iterator[Running]:
    """Serve with everything loaded."""
    with listening(bundle, directory, **arguments) as running:
        running.application.load()
        yield running


def lenient_policy(**lines: str) -> str:
    """Return the default policy with thresholds for harm that a toy model meets."""
    changes = {"reroute_harm": "0.5", "block_harm": "0.5", "reroute_risk": "0.5"} | lines
    text = default_policy_text()
    result = []
    for line in text.splitlines():
        name = line.partition("=")[0].strip()
        result.append(f"{name} = {changes[name]}" if name in changes else line)
    return "\n".join(result)


def refusal(
    call: Callable[..., Any], request: Any, *, timeout: float = TIMEOUT_SECONDS
) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo, dict[str, str]]:
    """Make a call that fails; return code, ErrorInfo and violations by field."""
    with pytest.raises(grpc.RpcError) as caught:
        list(answer) if isinstance(answer := call(request, timeout=timeout), Iterator) else None
    error = failed_call(caught.value)
    status = rpc_status.from_call(error)
    assert status is not None, f"{error.code()}: {error.details()}"
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for packed in status.details:
        assert packed.Unpack(info) or packed.Unpack(bad)
    return error.code(), info, {v.field: v.description for v in bad.field_violations}


def failed_call(error: grpc.RpcError) -> grpc.Call:
    """Return the call that an error is, too: each error of a call is both."""
    return cast("grpc.Call", error)


class BrokenStore(SqliteStore):
    """A store that can be told not to read or not to write."""

    def __init__(self, path: Path, *, reads: bool = True, writes: bool = True) -> None:
        super().__init__(path)
        self.reads = reads
        self.writes = writes

    def read(
        self, participants: Sequence[Sequence[bytes]], *, now: float
    ) -> tuple[KeptParticipant, ...]:
        if not self.reads:
            raise StoreUnavailable("told not to read")
        return super().read(participants, now=now)

    def write_hold(self, ids: Sequence[bytes], hold: Hold) -> None:
        if not self.writes:
            raise StoreUnavailable("told not to write")
        super().write_hold(ids, hold)

    def append(self, records: Sequence[JournalRecord]) -> tuple[bool, ...]:
        if not self.writes:
            raise StoreUnavailable("told not to write")
        return super().append(records)

    def keep_answer(self, key: bytes, answer: KeptAnswer, *, now: float) -> KeptAnswer:
        if not self.writes:
            raise StoreUnavailable("told not to write")
        return super().keep_answer(key, answer, now=now)
