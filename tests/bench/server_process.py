"""The server that is measured: pairguard's own, whole, with a null call beside it.

Owns one process with everything on: interceptors, metrics, canonical log to a file, holds in
SQLite. The null call has no interceptor and no message, so it is the floor of grpcio itself.
"""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import grpc

from pairguard.server.composition import compose
from pairguard.server.running import keep_what_is_loaded
from pairguard.server.settings import Settings

NULL_METHOD = "/pairguard.bench.Null/Call"


@contextmanager
def measured_server(bundle_path: Path, workplace: Path, cpu: int | None) -> Iterator[str]:
    """Serve in a process of its own, on one processor if one is given; yield "host:port"."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there, bundle_path, workplace, cpu), daemon=True)
    process.start()
    try:
        if not here.poll(60):
            raise TimeoutError("the measured server did not begin to serve")
        yield here.recv()
    finally:
        here.send("stop")
        process.join(30)
        if process.is_alive():
            process.kill()


def _serve(there: Connection, bundle_path: Path, workplace: Path, cpu: int | None) -> None:
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    settings = Settings(
        bundle_path=bundle_path,
        hold_store_file=workplace / "holds.sqlite3",
        listen_address="127.0.0.1:0",
        metrics_address="127.0.0.1:0",
    )
    null = grpc.method_handlers_generic_handler(
        "pairguard.bench.Null",
        {"Call": grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")},
    )
    with (workplace / "calls.log").open("w", encoding="utf-8") as log:
        application = compose(settings, log_stream=log, further_handlers=[null])
        application.listen()
        application.load()
        keep_what_is_loaded()
        there.send(str(application.address))
        there.recv()
        application.stop()
