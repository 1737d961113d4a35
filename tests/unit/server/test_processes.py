"""What several processes need: a port of their own, patience, one endpoint for their figures."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from wsgiref.simple_server import WSGIServer

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import start_http_server

from pairguard.errors import ConfigurationRefused
from pairguard.server.addresses import Address
from pairguard.server.processes.merged_metrics import SupervisorMetrics
from pairguard.server.processes.messages import Serving, decode, encode
from pairguard.server.processes.place import MOST_BACKOFF_SECONDS, Place
from pairguard.server.processes.shared_port import SharedPort

LOOPBACK = Address("127.0.0.1", 0)


def listening(port: int, *, shares: bool) -> socket.socket:
    bound = socket.socket()
    if shares:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind(("127.0.0.1", port))
        bound.listen()
    except OSError:
        bound.close()
        raise
    return bound


def test_a_reserved_port_is_shared_with_workers_and_nobody_else() -> None:
    with SharedPort("listen_address", LOOPBACK) as port:
        number = port.address.port
        assert number > 0
        with listening(number, shares=True), listening(number, shares=True):
            with pytest.raises(OSError, match="in use"):
                listening(number, shares=False)
            with pytest.raises(ConfigurationRefused, match="another server"):
                SharedPort("listen_address", port.address)
    with listening(number, shares=False):
        pass


def test_a_reservation_that_takes_no_connections_loses_none() -> None:
    with SharedPort("listen_address", LOOPBACK) as port:
        where = ("127.0.0.1", port.address.port)
        with listening(port.address.port, shares=True) as worker:
            worker.settimeout(5.0)
            for _ in range(50):
                with socket.create_connection(where, timeout=5.0):
                    worker.accept()[0].close()


@pytest.mark.parametrize("shares", [True, False])
def test_a_port_that_somebody_has_is_refused(*, shares: bool) -> None:
    with listening(0, shares=shares) as other:
        wanted = Address("127.0.0.1", other.getsockname()[1])
        with pytest.raises(ConfigurationRefused, match="listen_address"):
            SharedPort("listen_address", wanted)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationRefused, match="health_address"):
        SharedPort("health_address", Address("192.0.2.1", 0))


def test_a_message_is_read_as_it_was_written() -> None:
    message = Serving("bundle", "policy", has_harm_model=True, metrics_address="127.0.0.1:1")
    assert decode(encode(message)) == message
    assert decode(b"{}") is None
    assert decode(b"\xff") is None


def test_the_wait_doubles_up_to_a_bound() -> None:
    place = Place(1, {})
    waits = []
    for _ in range(10):
        place.put_off(100.0)
        waits.append(place.start_at - 100.0)
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert waits[-1] == MOST_BACKOFF_SECONDS


@pytest.fixture
def endpoints() -> Iterator[dict[int, str]]:
    """Two workers' figures, and the address of a third that is gone."""
    servers: list[WSGIServer] = []
    addresses: dict[int, str] = {}
    for number in range(2):
        registry = CollectorRegistry()
        counter = Counter("calls", "Calls.", ["code"], registry=registry)
        counter.labels('a"b\\').inc(number + 1)
        Histogram("wait_seconds", "Waits.", registry=registry, buckets=(0.1,)).observe(0.5)
        server, _ = start_http_server(0, addr="127.0.0.1", registry=registry)
        servers.append(server)
        addresses[number] = f"127.0.0.1:{server.server_port}"
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        addresses[7] = f"127.0.0.1:{gone.getsockname()[1]}"
        yield addresses
    for server in servers:
        server.shutdown()
        server.server_close()


def test_each_series_bears_its_worker(endpoints: Mapping[int, str]) -> None:
    metrics = SupervisorMetrics(lambda: endpoints)
    metrics.tell_workers(serving=2, wanted=3)
    text = generate_latest(metrics.registry).decode()
    assert 'calls_total{code="a\\"b\\\\",worker="0"} 1.0' in text
    assert 'calls_total{code="a\\"b\\\\",worker="1"} 2.0' in text
    assert 'wait_seconds_bucket{le="+Inf",worker="1"} 1.0' in text
    assert text.count("# TYPE calls_total counter") == 1
    assert 'pairguard_worker_metrics_missing{worker="7"} 1.0' in text
    assert "pairguard_workers_wanted 3.0" in text
