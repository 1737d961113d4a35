"""A real server in this process, on a free port of this machine."""

from __future__ import annotations

import io
import json
import time
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
from prometheus_client.parser import text_string_to_metric_families

from pairguard.bundle.defaults import default_policy_text
from pairguard.errors import StoreUnavailable
from pairguard.server.application import Application
from pairguard.server.composition import compose
from pairguard.server.settings import Settings
from pairguard.store.ports import Hold, HoldStore
from pairguard.store.sqlite import SqliteHoldStore
from pairguard.v1.age_assurance_service_pb2_grpc import AgeAssuranceServiceStub
from pairguard.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from pairguard.v1.pair_risk_service_pb2_grpc import PairRiskServiceStub
from tests.domain import NOW

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
    store: HoldStore | None = None,
    clock: Callable[[], float] = lambda: NOW,
    **changes: Any,
) -> Iterator[Running]:
    """Serve without a bundle yet; ``application.load()`` loads it."""
    settings = replace(
        Settings(
            bundle_path=bundle,
            hold_store_file=directory / "state" / "holds.sqlite3",
            listen_address="127.0.0.1:0",
            metrics_address="127.0.0.1:0",
            log_one_ok_call_in=1,
            drain_timeout_seconds=5.0,
        ),
        **changes,
    )
    if policy is not None:
        (directory / "policy.toml").write_text(policy, encoding="utf-8")
        settings = replace(settings, policy_file=directory / "policy.toml")
    log = io.StringIO()
    application = compose(settings, log_stream=log, clock=clock, store=store)
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


class BrokenStore:
    """A store that can be told not to read or not to write."""

    def __init__(self, path: Path, *, reads: bool = True, writes: bool = True) -> None:
        self._store = SqliteHoldStore(path)
        self.reads = reads
        self.writes = writes

    def read_holds(
        self, participants: Sequence[Sequence[str]], *, now: float
    ) -> tuple[tuple[Hold, ...], ...]:
        if not self.reads:
            raise StoreUnavailable("told not to read")
        return self._store.read_holds(participants, now=now)

    def write_hold(self, ids: Sequence[str], hold: Hold) -> None:
        if not self.writes:
            raise StoreUnavailable("told not to write")
        self._store.write_hold(ids, hold)

    def release_holds(self, ids: Sequence[str], *, now: float, reason: str | None) -> int:
        return self._store.release_holds(ids, now=now, reason=reason)

    def purge_expired(self, now: float) -> int:
        return self._store.purge_expired(now)

    def check(self) -> None:
        self._store.check()

    def close(self) -> None:
        self._store.close()


def until(condition: Callable[[], bool], *, seconds: float = TIMEOUT_SECONDS) -> bool:
    """Wait for a condition, for a bounded time; return whether it came."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
