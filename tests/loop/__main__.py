"""``make loop``: the learning loop from end to end, with real parts and simulated people.

A platform that starts with a bundle from a small pilot asks a real server for each pair, over gRPC,
and tells it what happened; the journal is exported, a bundle fitted, certified, compared with the
one that serves, published, and picked up by the running server under load. Then the same pairs of
people whom nobody has seen are asked for again, and the difference is printed with its interval.

Bounded, stops by itself; exit code 1 where a call failed or an answer mixed versions.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tests.e2e.server_process import environment, started
from tests.integration.server.running_server import lenient_policy
from tests.loop.chats import Answer, ChatBackend
from tests.loop.improvement import improvement, improvement_text
from tests.loop.platform import Platform, later, simulated_platform

_RELOAD_SECONDS = 60.0
# Time is pressed: weeks of the simulation pass in minutes, so a report counts for minutes, too.
_REPORT_WINDOW_DAYS = 1.0 / 1440.0
_LABELLED_SHARE = 0.9
# The simulated are no real people, and too few of them are held out to tell groups apart.
_GATES_AROUND = ("real_data", "mixed_pairs", "calibration", "slices")
# What so few verified people can promise; a platform asks for less.
_MISS_RATE = 0.1


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    pilot: int
    people: int
    pairs: int
    judged_people: int
    judged_pairs: int


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return 0 where every call was answered by the service, by one version each."""
    parser = argparse.ArgumentParser(prog="python -m tests.loop", description=__doc__)
    parser.add_argument("--people", type=int, default=12_000, help="who chats and is learned from")
    parser.add_argument("--pairs", type=int, default=30_000, help="pairs that are proposed to them")
    parser.add_argument("--pilot", type=int, default=1_500, help="people of the first bundle")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, help="where to keep everything; else nowhere")
    given = parser.parse_args(argv)
    sizes = Sizes(
        given.pilot, given.people, given.pairs, max(given.people // 3, 200), given.pairs // 6
    )
    with ExitStack() as stack:
        directory = given.directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory.mkdir(parents=True, exist_ok=True)
        return _Loop(directory, sizes, given.seed).run(stack)


class _Loop:
    """One run; its steps stand in their order."""

    def __init__(self, directory: Path, sizes: Sizes, seed: int) -> None:
        self._directory = directory
        self._sizes = sizes
        self._seed = seed
        self._bundles = directory / "bundles"
        self._metrics = directory / "metrics.json"
        self._start = time.monotonic()
        self._now = datetime.now(UTC)

    def run(self, stack: ExitStack) -> int:
        self._first_bundle()
        policy = self._directory / "policy.toml"
        policy.write_text(_learning_policy(), encoding="utf-8")
        environ = environment(
            self._directory, self._bundles, policy_file=str(policy), worker_threads="2"
        )
        server = stack.enter_context(started(self._directory, environ))
        backend = ChatBackend(server.address, seed=self._seed)
        problems = self._let_chat(backend)
        candidate = self._learn(environ)
        # They come when all is learned, so that no table knows them.
        fresh = self._simulated("judged", self._sizes.judged_people, self._sizes.judged_pairs, 2)
        backend.record_evidence(session for each in fresh.proposals for session in (each.a, each.b))
        before = backend.propose(fresh.proposals, chats=False)
        during = self._publish_under_load(backend, fresh, candidate)
        after = backend.propose(fresh.proposals, chats=False)
        problems += _problems([*before, *during, *after])
        versions = {each.versions for each in (*before, *during, *after) if not each.failure}
        if len(versions) != 2:
            problems.append(f"answers by {len(versions)} pairs of versions, not by two: {versions}")
        self._tell(fresh, before, during, after)
        for problem in problems:
            self._say(f"WRONG: {problem}")
        return 1 if problems else 0

    def _first_bundle(self) -> None:
        tables, bundle = self._directory / "pilot", self._directory / "pilot-bundle"
        pairs = str(4 * self._sizes.pilot)
        self._train("simulate", "--out", tables, "--participants", str(self._sizes.pilot),
                    "--pairs", pairs, "--seed", str(self._seed + 100))  # fmt: skip
        self._train("fit", "--tables", tables, "--out", bundle)
        self._publish(bundle)

    def _let_chat(self, backend: ChatBackend) -> list[str]:
        platform = self._simulated("live", self._sizes.people, self._sizes.pairs, 1)
        sessions = [side for each in platform.proposals for side in (each.a, each.b)]
        self._say(f"recorded {backend.record_evidence(sessions)} items of age evidence")
        answers = backend.propose(platform.proposals, chats=True)
        decisions = Counter(each.decision.name for each in answers)
        self._say(f"asked for {len(answers)} pairs: {dict(decisions)}")
        labels = later(platform.labels, datetime.now(UTC))
        self._say(
            f"established {backend.record_labels(labels)} ages; events: {dict(backend.events)}"
        )
        return _problems(answers)

    def _learn(self, environ: dict[str, str]) -> Path:
        """Export, fit, certify and judge; return the candidate."""
        tables, fitted = self._directory / "exported", self._directory / "fitted"
        certified, candidate = self._directory / "certified", self._directory / "candidate"
        window = ("--report-window-days", _REPORT_WINDOW_DAYS)
        champion = ("--champion", self._bundles)
        self._train("export", "--store", environ["PAIRGUARD_STORE"], "--out", tables)
        self._train("check", "--tables", tables)
        self._train("fit", "--tables", tables, "--out", fitted, *window)
        self._train("certify", "--tables", tables, "--bundle", fitted, "--out", certified,
                    "--max-minor-adult-miss-rate", _MISS_RATE)  # fmt: skip
        self._train("report", "--tables", tables, "--bundle", certified, *champion, *window,
                    "--out", self._directory / "report.html",
                    "--with-bundle", candidate)  # fmt: skip
        self._train("evaluate", "--tables", tables, "--bundle", candidate, *champion, *window,
                    "--out", self._metrics)  # fmt: skip
        self._train("drift", "--tables", tables, "--bundle", self._bundles)
        return candidate

    def _publish_under_load(
        self, backend: ChatBackend, fresh: Platform, candidate: Path
    ) -> list[Answer]:
        """Publish while calls go on, until the new version answers; return their answers."""
        done = threading.Event()
        during: list[Answer] = []

        def load() -> None:
            while not done.is_set():
                during.extend(backend.propose(fresh.proposals, chats=False, until=done.is_set))

        traffic = threading.Thread(target=load, name="load")
        traffic.start()
        try:
            time.sleep(1.0)
            self._publish(candidate, "--evaluation", self._metrics)
            new = (self._bundles / "current").readlink().name
            end = time.monotonic() + _RELOAD_SECONDS
            while backend.last_version != new and time.monotonic() < end:
                time.sleep(0.1)
            time.sleep(1.0)
        finally:
            done.set()
            traffic.join()
        return during

    def _tell(
        self,
        fresh: Platform,
        before: Sequence[Answer],
        during: Sequence[Answer],
        after: Sequence[Answer],
    ) -> None:
        versions = Counter(each.versions[0] for each in during)
        seconds = np.array([each.seconds for each in during])
        self._say(
            f"published under load: {len(during)} calls by two callers, "
            f"{sum(bool(each.failure) for each in during)} failed, by bundle {dict(versions)}; "
            f"p50 {np.quantile(seconds, 0.5) * 1e3:.1f} ms, "
            f"p99 {np.quantile(seconds, 0.99) * 1e3:.1f} ms"
        )
        people = len({side.reference.participant_id for each in fresh.proposals
                      for side in (each.a, each.b)})  # fmt: skip
        self._say(
            f"SIMULATED, seed {self._seed}: the same {len(before)} pairs of {people} people whom "
            "neither bundle had seen, 95 % intervals by redrawing people"
        )
        print(improvement_text(improvement(fresh.proposals, before, after, seed=self._seed)))

    def _publish(self, bundle: Path, *more: object) -> None:
        """Publish past the gates that a simulation of this size may fail, and say why."""
        gates = _GATES_AROUND if more else (*_GATES_AROUND, "evaluation")
        around = [each for gate in gates for each in ("--without-gate", gate)]
        why = "a loop on a simulated platform, pressed into minutes"
        self._train("publish", bundle, "--to", self._bundles, *more, *around, "--why", why)

    def _simulated(self, name: str, people: int, pairs: int, number: int) -> Platform:
        return simulated_platform(
            self._directory / f"simulated-{name}",
            participants_count=people,
            pairs=pairs,
            seed=self._seed + number,
            name=name,
            now=self._now,
            labelled_share=_LABELLED_SHARE,
        )

    def _train(self, *arguments: object) -> None:
        """Run a command as a data scientist does, and show what it says."""
        command = [str(each) for each in arguments]
        self._say(f"pairguard-train {' '.join(command)}")
        subprocess.run(
            [sys.executable, "-m", "pairguard_training", *command], check=True, cwd=self._directory
        )

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._start:7.1f} s  {text}", flush=True)


def _problems(answers: Sequence[Answer]) -> list[str]:
    failures = Counter(each.failure for each in answers if each.failure)
    return [f"{count} of {len(answers)} calls failed: {text}" for text, count in failures.items()]


def _learning_policy() -> str:
    """Return the policy of a platform that pairs many and so learns; no recommendation."""
    return lenient_policy(
        unknown_may_meet='"ADULTS_AND_UNKNOWN"',
        allow_without_harm_model="true",
        reroute_minor_adult="0.3",
        recent_partner_minutes="0.0",
        max_exposure_per_day="10.0",
    )


if __name__ == "__main__":
    sys.exit(main())
