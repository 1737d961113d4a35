"""The server that is measured: pairguard's own, whole, with a null call beside it.

Owns one process with everything on: interceptors, metrics, canonical log to a file, the store that
is asked for, decisions recorded and imported by a process of their own. The null call has no
interceptor and no message, so it is the floor of grpcio itself.
"""

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import grpc

from pairguard.server.composition import compose
from pairguard.server.running import keep_what_is_loaded
from pairguard.server.settings import Settings
from tests.bench.forgetful_store import ForgetfulStore, NoJournal
from tests.process_facts import children_of

NULL_METHOD = "/pairguard.bench.Null/Call"


@dataclass(frozen=True, slots=True)
class Measured:
    """A server that is being measured.

    Attributes:
        address: "host:port".
        process_ids: Of the server and of the process that imports its decisions, if there is one.
    """

    address: str
    process_ids: tuple[int, ...]

    def server_cpu_seconds(self) -> float:
        """Return the processor time of the server's own process until now."""
        return cpu_seconds(self.process_ids[0])

    def import_cpu_seconds(self) -> float:
        """Return the processor time of the importing process until now; 0.0: there is none."""
        return sum(cpu_seconds(each) for each in self.process_ids[1:])


@contextmanager
def measured_server(
    bundle_path: Path,
    workplace: Path,
    cpu: int | None,
    *,
    store: str | None,
    tls: tuple[Path, Path] | None = None,
    worker_threads: int = 4,
) -> Iterator[Measured]:
    """Serve in a process of its own, on one processor if one is given; yield what it is.

    Args:
        bundle_path: What judges.
        workplace: Where it may write.
        cpu: The processor of the server; the importing process has the others.
        store: As in the settings; None: nothing is kept and nothing recorded.
        tls: Its certificate and key; None: cleartext.
        worker_threads: As in the settings.
    """
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(
        target=_serve, args=(there, bundle_path, workplace, cpu, store, tls, worker_threads)
    )
    process.start()
    try:
        if not here.poll(60):
            raise TimeoutError("the measured server did not begin to serve")
        yield here.recv()
    finally:
        here.send("stop")
        process.join(60)
        if process.is_alive():
            process.kill()


def _serve(  # noqa: PLR0917 - what another process is started with
    there: Connection,
    bundle_path: Path,
    workplace: Path,
    cpu: int | None,
    store: str | None,
    tls: tuple[Path, Path] | None,
    worker_threads: int,
) -> None:
    is_file = store is None or store.startswith("sqlite:")
    settings = Settings(
        bundle_path=bundle_path,
        worker_threads=worker_threads,
        store=store or f"sqlite:{workplace / 'unused.sqlite3'}",
        identity_key_file=None if is_file else workplace / "identity.key",
        journal_directory=workplace / "journal",
        listen_address="127.0.0.1:0",
        metrics_address="127.0.0.1:0",
        tls_certificate_file=None if tls is None else tls[0],
        tls_key_file=None if tls is None else tls[1],
    )
    null = grpc.method_handlers_generic_handler(
        "pairguard.bench.Null",
        {"Call": grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")},
    )
    forgets = store is None
    with (workplace / "calls.log").open("w", encoding="utf-8") as log:
        application = compose(
            settings,
            log_stream=log,
            further_handlers=[null],
            store=ForgetfulStore(workplace / "unused.sqlite3") if forgets else None,
            journal_file=NoJournal() if forgets else None,
            import_in_child=not forgets,
        )
        application.listen()
        application.load()
        keep_what_is_loaded()
        time.sleep(1.0)  # the importing process has been started by now
        importers = tuple(sorted(children_of(os.getpid())))
        if cpu is not None:
            others = os.sched_getaffinity(0) - {cpu}
            for importer in importers:
                os.sched_setaffinity(importer, others)
            # A thread's mask is its own: those of all threads are set.
            for thread in Path("/proc/self/task").iterdir():
                os.sched_setaffinity(int(thread.name), {cpu})
        there.send(Measured(str(application.address), (os.getpid(), *importers)))
        there.recv()
        application.stop()


def cpu_seconds(process_id: int) -> float:
    """Return user and system time of a process (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
