"""Bundle and policy change under load: no call fails, and no answer mixes what judged."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from pairguard.bundle.publication import current_version, publish, roll_back
from tests.e2e.changing_platform import Platform, under_load
from tests.e2e.server_process import ServerProcess, started
from tests.e2e.workers import figure
from tests.waiting import until

FLIPS = 8


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


def test_bundle_and_policy_change_together_and_no_call_fails(platform: Platform) -> None:
    """What is replaced within one look is taken as one: nobody is judged by a mixture."""
    published = {(platform.versions[0], "policy-0")}
    with started(platform.directory, platform.environment()) as server:
        with under_load(server) as callers:
            for flip in range(1, FLIPS + 1):
                target = (platform.versions[flip % 2], f"policy-{flip}")
                published.add(target)
                publish(platform.root, platform.bundles[flip % 2])
                platform.write_policy(target[1], in_place=flip % 3 == 0)
                assert until(partial(callers.saw, target)), server.logged[-3:]
        assert figure(server, 'pairguard_generation_reloads_total{result="used"}') == FLIPS
        assert figure(server, "pairguard_generation_stale") == 0.0
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0

    assert callers.failed == []
    assert set(callers.answered) == published
    assert len(callers.answered) > 100


def test_a_bad_bundle_is_refused_while_serving_and_the_one_before_is_gone_back_to(
    platform: Platform,
) -> None:
    good = (platform.versions[0], "policy-0")
    with (
        started(platform.directory, platform.environment()) as server,
        under_load(server) as callers,
    ):
        second = publish(platform.root, platform.bundles[1])
        assert until(lambda: callers.seen((second, "policy-0"), after=0))
        broken = platform.root / "broken"
        shutil.copytree(platform.bundles[0], broken)
        (broken / "harm_model.txt").write_bytes(b"tree\n")
        (platform.root / "turned").symlink_to("broken")
        (platform.root / "turned").replace(platform.root / "current")
        assert until(lambda: figure(server, "pairguard_generation_stale") == 1.0)
        before = len(callers.answered)
        assert until(lambda: len(callers.answered) > before + 20)
        assert set(callers.answered[before:]) == {(second, "policy-0")}

        version, _ = roll_back(platform.root, to=platform.versions[0])
        assert version == current_version(platform.root)
        assert until(lambda: callers.seen(good, after=before))
        assert until(lambda: figure(server, "pairguard_generation_stale") == 0.0)

    assert callers.failed == []
    assert set(callers.answered) == {good, (second, "policy-0")}
    assert any('"BUNDLE_HASH_MISMATCH"' in line for line in server.logged)


def test_a_signal_has_both_looked_at_at_once(platform: Platform) -> None:
    settings = platform.environment(reload_check_seconds="3600")
    with started(platform.directory, settings) as server:
        with under_load(server) as callers:
            platform.write_policy("policy-1")
            server.signal(signal.SIGHUP)
            assert until(lambda: callers.seen((platform.versions[0], "policy-1"), after=0))
            platform.write_policy("policy-2", in_place=True)
            publish(platform.root, platform.bundles[1])
            server.signal(signal.SIGHUP)
            assert until(lambda: callers.seen((platform.versions[1], "policy-2"), after=0))
            platform.policy.write_text("adult_age = ", encoding="utf-8")
            server.signal(signal.SIGHUP)
            assert until(lambda: figure(server, "pairguard_generation_stale") == 1.0), (
                server.logged[-3:]
            )
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0

    assert callers.failed == []
    # Whether half of the change was seen before the signal came is not promised.
    assert {policy for _, policy in callers.answered} <= {"policy-0", "policy-1", "policy-2"}


def test_a_signal_to_a_supervisor_has_every_worker_look(platform: Platform) -> None:
    settings = platform.environment(reload_check_seconds="3600", worker_processes="2")
    with started(platform.directory, settings) as server:
        assert server.address
        assert until(lambda: figure(server, "pairguard_workers_serving") == 2.0)
        with under_load(server) as callers:
            platform.write_policy("policy-1")
            publish(platform.root, platform.bundles[1])
            server.signal(signal.SIGHUP)
            for worker in "01":
                for info, version in (
                    ("bundle", platform.versions[1]),
                    ("policy", "policy-1"),
                ):
                    name = f'pairguard_{info}_info{{version="{version}",worker="{worker}"}}'
                    assert until(partial(is_told, server, name)), name
        server.signal(signal.SIGTERM)
        assert server.exit_code() == 0

    assert callers.failed == []
    assert set(callers.answered) <= {
        (platform.versions[0], "policy-0"),
        (platform.versions[1], "policy-1"),
    }


def is_told(server: ServerProcess, name: str) -> bool:
    return figure(server, name) == 1.0


def test_a_terminal_that_is_closed_ends_the_server_and_a_signal_alone_does_not(
    platform: Platform,
) -> None:
    master, slave = os.openpty()
    take_terminal_and_serve = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "os.execv(sys.executable, [sys.executable, '-m', 'pairguard.server'])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", take_terminal_and_serve],
        cwd=platform.directory,
        env=platform.environment(reload_check_seconds="3600"),
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    server = ServerProcess(process)
    try:
        assert server.address
        server.signal(signal.SIGHUP)
        reloads = 'pairguard_generation_reloads_total{result="unchanged"}'
        assert until(lambda: figure(server, reloads) == 1.0)
        assert process.poll() is None
        os.close(slave)
        os.close(master)
        assert server.exit_code() == 0
        assert server.said[-1] == "stopped"
    finally:
        process.kill()
        server.exit_code()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()
