"""``make soak``: chats of simulated people against a server that things happen to, then a recount.

Bounded, stops by itself, exit code 1 where anything does not agree. It is no benchmark: the figures
of traffic say how much was put through, not how fast it could go.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pairguard.client import Client, ClientOptions, NotRecorded
from pairguard.store.opening import open_store
from tests.e2e.server_process import environment
from tests.integration.server.running_server import lenient_policy
from tests.redis_server import RedisServer, running_redis
from tests.soak.backend import Backend
from tests.soak.chaos import Misfortunes, Server, fill_disk
from tests.soak.ledger import Ledger
from tests.soak.people import Person, leaving_people, simulated_people
from tests.soak.recount import recount
from tests.soak.releases import Releases

_DISK_BYTES = 192 * 1024 * 1024
_LEAVERS = 12


def main() -> int:
    """Run; return 0 where everything agrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("var/bundles"))
    parser.add_argument("--store", choices=("sqlite", "redis"), default="sqlite")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--between", type=float, default=4.0, help="seconds between misfortunes")
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--servers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=20_261_123)
    given = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        state = directory / "state"
        state.mkdir()
        has_disk = stack.enter_context(_small_disk(state))
        return _soak(given, directory, stack, has_disk=has_disk)


def _soak(given: argparse.Namespace, directory: Path, stack: ExitStack, *, has_disk: bool) -> int:
    state = directory / "state"
    settings: dict[str, str] = {}
    redis: RedisServer | None = None
    if given.store == "redis":
        redis = stack.enter_context(running_redis())
        settings |= {"store": redis.url, "identity_key_file": str(state / "identity.key")}
    ledger = Ledger()
    people = simulated_people(
        directory / "simulated", count=given.people, seed=given.seed, now=datetime.now(UTC)
    )
    releases = Releases(given.bundle.absolute(), directory, _generous_policy())
    settings |= {"policy_file": str(releases.policy_file), "reload_check_seconds": "0.5"}
    environ = environment(directory, releases.root, **settings)
    servers: list[Server] = []
    addresses = [f"127.0.0.1:{_free_port()}" for _ in range(given.servers)]
    for number, address in enumerate(addresses):
        # One store; a journal on its way there is each machine's own.
        own = {
            "PAIRGUARD_LISTEN_ADDRESS": address,
            "PAIRGUARD_JOURNAL_DIRECTORY": str(state / f"journal-{number}"),
        }
        servers.append(Server(directory, environ | own, address))
    _record_evidence(addresses[0], people, ledger)
    groups = [leaving_people(f"leaver-{n}", _LEAVERS) for n in range(given.threads)]
    leaving = {each for group in groups for person in group for each in person.ids}
    backends = [
        Backend(
            addresses,
            people,
            groups[number],
            ledger,
            seed=given.seed + number,
        )
        for number in range(given.threads)
    ]
    draw = random.Random(given.seed)
    kinds = {
        "server killed": lambda: draw.choice(servers).kill(),
        "server restarted": lambda: draw.choice(servers).restart(),
        "importer killed": lambda: draw.choice(servers).kill_importer(),
        "bundle and policy changed": releases.change,
        "bundle broken for 2 s": lambda: releases.break_for(2.0),
        "importer stopped for 2 s": lambda: draw.choice(servers).pause_importer(2.0),
    }
    if has_disk:
        kinds["disk full for 2 s"] = lambda: fill_disk(state, 2.0)
    if redis is not None:
        kinds["redis killed"] = lambda: _kill(redis)
        kinds["redis stopped for 1 s"] = lambda: _pause(redis)
    misfortunes = Misfortunes(kinds, seed=given.seed)
    for backend in backends:
        backend.start()
    end = time.monotonic() + given.seconds
    while time.monotonic() < end:
        time.sleep(given.between)
        _say(f"{end - time.monotonic():6.0f} s to go: {misfortunes.strike()}")
    for backend in backends:
        backend.stop()
    for backend in backends:
        backend.join()
    exit_codes = [server.end() for server in servers]
    store = open_store(environ["PAIRGUARD_STORE"], key_path=_key(environ), read_timeout_seconds=5.0)
    try:
        found = recount(store, ledger, leavers=leaving)
    finally:
        store.close()
    _say(f"store {given.store}, seed {given.seed}, {given.seconds:g} s, {len(people)} people")
    _say(
        f"misfortunes: {dict(misfortunes.happened)}, "
        f"starts of {given.servers} servers: {sum(server.starts for server in servers)}"
    )
    _say(f"answers: {dict(ledger.answers)}")
    _say(f"decisions marked as not recorded: {len(ledger.lost_decisions)}")
    for name, count in found.counts.items():
        _say(f"compared, {name}: {count:,}")
    problems = found.differences + ledger.violations[:10]
    problems += [f"{backend.name} was never rid of its events" for backend in backends
                 if not backend.drained]  # fmt: skip
    problems += [f"a server ended with {code}" for code in exit_codes if code]
    for problem in problems:
        _say(f"WRONG: {problem}")
    _say("everything agrees" if not problems else f"{len(problems)} things do not agree")
    return 1 if problems else 0


def _record_evidence(address: str, people: list[Person], ledger: Ledger) -> None:
    with Client(ClientOptions(address, record_timeout_seconds=10.0)) as client:
        for person in people:
            if not person.evidence:
                continue
            try:
                client.record_age_evidence(person.participant.reference, person.evidence)
                ledger.kept(person.ids, {item.evidence_id for item in person.evidence})
            except NotRecorded:
                ledger.violated("evidence was not recorded although nothing had happened yet")


def _generous_policy() -> str:
    """Return a policy that allows many pairs, so that budgets and repeats have something to do."""
    lines = lenient_policy(
        unknown_may_meet='"ADULTS_AND_UNKNOWN"', reroute_minor_adult="0.3", reroute_risk="0.4"
    )
    return lines.replace("max_exposure_per_day = 0.5", "max_exposure_per_day = 8.0")


def _kill(redis: RedisServer) -> None:
    redis.kill()
    time.sleep(0.5)
    redis.start()


def _pause(redis: RedisServer) -> None:
    redis.pause()
    time.sleep(1.0)
    redis.resume()


def _key(environ: dict[str, str]) -> Path | None:
    key = environ.get("PAIRGUARD_IDENTITY_KEY_FILE")
    return None if key is None else Path(key)


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
    return port


@contextmanager
def _small_disk(directory: Path) -> Iterator[bool]:
    """Put a small file system of its own there where this process may; yield whether it is."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(directory)]
    mounted = (
        os.geteuid() == 0
        and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    )
    if not mounted:
        _say("no small disk can be made here (that needs root): the full disk is left out")
    try:
        yield mounted
    finally:
        if mounted:
            unmount = ["umount", "--lazy", str(directory)]
            subprocess.run(unmount, check=True)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
