"""A platform whose bundle and policy change, and callers who never pause.

Owns what is published and what callers were answered. It must not know when what is changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pairguard.bundle.defaults import default_policy_text
from pairguard.bundle.loading import load_bundle
from pairguard.bundle.publication import publish
from pairguard.client import (
    CandidateInput,
    Client,
    ClientOptions,
    DecidedBy,
    ParticipantInput,
)
from tests.e2e.server_process import ServerProcess, environment
from tests.unit.bundle.example import example

Versions = tuple[str, str]

CHECK_SECONDS = 0.25
POOL = [ParticipantInput(f"pool-{place}") for place in range(185)]  # more pairs than one chunk


class Platform:
    """A root with two bundles, a policy file, and what is published of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.policy = directory / "policy.toml"
        self.bundles = []
        for day in (1, 2):
            self.bundles.append(directory / f"bundle-{day}")
            example().write(self.bundles[-1], created=f"2026-02-0{day}T00:00:00Z")
        self.versions = [load_bundle(each).version for each in self.bundles]
        self.write_policy("policy-0")
        publish(self.root, self.bundles[0])

    def write_policy(self, version: str, *, in_place: bool = False) -> None:
        lines = default_policy_text().splitlines()
        text = "\n".join(
            f'version = "{version}"' if each.startswith("version") else each for each in lines
        )
        if in_place:
            self.policy.write_text(text, encoding="utf-8")
        else:
            new = self.directory / "policy.new"
            new.write_text(text, encoding="utf-8")
            new.replace(self.policy)

    def environment(self, **settings: str) -> dict[str, str]:
        given = {"policy_file": str(self.policy), "reload_check_seconds": str(CHECK_SECONDS)}
        return environment(self.directory, self.root, **(given | settings))


class Callers:
    """Threads that call without a pause, and what they were answered."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stopped = threading.Event()
        self.answered: list[Versions] = []
        self.failed: list[str] = []
        self._threads = [
            threading.Thread(target=self._again_and_again, args=(call,))
            for call in (self._score, self._score_repeatably, self._rank, self._score_pool)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(60)

    def saw(self, versions: Versions) -> bool:
        return versions in self.answered

    def seen(self, versions: Versions, *, after: int) -> bool:
        return versions in self.answered[after:]

    def _again_and_again(self, call: Callable[[int], Versions]) -> None:
        number = 0
        while not self._stopped.is_set():
            number += 1
            try:
                self.answered.append(call(number))
            except Exception as error:  # noqa: BLE001 - told by the test
                self.failed.append(f"{call.__name__}: {error!r}")

    def _score(self, number: int) -> Versions:
        answer = self._client.score_pair(ParticipantInput(f"a{number}"), ParticipantInput("b"))
        assert answer.decided_by is DecidedBy.SERVICE
        return answer.bundle_version, answer.policy_version

    def _score_repeatably(self, number: int) -> Versions:
        a, b = ParticipantInput(f"c{number}"), ParticipantInput("d")
        first, again = (
            self._client.score_pair(a, b, request_id=f"request-{number}") for _ in range(2)
        )
        # A repeat is the same answer, also if something else judges by now.
        assert again.decision_id == first.decision_id
        assert (again.bundle_version, again.policy_version) == (
            first.bundle_version,
            first.policy_version,
        )
        return first.bundle_version, first.policy_version

    def _rank(self, number: int) -> Versions:
        candidates = [CandidateInput(each) for each in POOL[:20]]
        answer = self._client.rank_candidates(ParticipantInput(f"s{number}"), candidates)
        assert answer.decided_by is DecidedBy.SERVICE
        return answer.bundle_version, answer.policy_version

    def _score_pool(self, _number: int) -> Versions:
        parts = list(self._client.score_pairs(POOL))
        assert len(parts) > 1
        ((bundle, policy),) = {(each.bundle_version, each.policy_version) for each in parts}
        return bundle, policy


@contextmanager
def under_load(server: ServerProcess) -> Iterator[Callers]:
    with Client(ClientOptions(server.address, timeout_seconds=20.0)) as client:
        callers = Callers(client)
        callers.start()
        try:
            yield callers
        finally:
            callers.stop()
