"""When a changed bundle or policy is taken, and that one that cannot be used changes nothing."""

from __future__ import annotations

import gc
import io
import json
import os
import shutil
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from pairguard.bundle.defaults import default_policy_text
from pairguard.bundle.loading import load_bundle
from pairguard.bundle.publication import publish
from pairguard.bundle.signature import make_keys, sign_bundle
from pairguard.errors import BundleRefused, ConfigurationRefused
from pairguard.server import generation_following, generation_loading
from pairguard.server.canonical_log import CanonicalLog
from pairguard.server.generation import Generation, GenerationSlot, read_policy
from pairguard.server.generation_following import GenerationFollowing
from pairguard.server.generation_loading import GenerationLoading
from pairguard.server.generation_sources import Sources
from pairguard.server.metrics import Metrics
from tests.domain import NOW
from tests.unit.bundle.example import example, example_without_models

REGIONS = """
[regions.GB]
adult_age = 18

[regions.US]
adult_age = 21
"""


def policy_text(version: str, rest: str = "") -> str:
    lines = default_policy_text().splitlines()
    changed = [f'version = "{version}"' if each.startswith("version") else each for each in lines]
    return "\n".join(changed) + "\n" + rest


class Following:
    """What serves, in a directory of its own."""

    def __init__(self, directory: Path, *, with_keys: bool = False) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.policy = directory / "policy.toml"
        self.private, self.public = directory / "private.pem", directory / "public.pem"
        self.policy.write_text(policy_text("first"))
        if with_keys:
            make_keys(self.private, self.public)
        self.slot = GenerationSlot()
        self.metrics = Metrics(CollectorRegistry())
        self.written = io.StringIO()
        log = CanonicalLog(self.written, one_ok_call_in=1, on_lost_line=lambda: None)
        self.following = GenerationFollowing(
            Sources(self.root, self.policy, self.public if with_keys else None),
            GenerationLoading(self.slot, self.metrics, log, clock=lambda: NOW),
            check_seconds=0.05,
        )

    def bundle(self, name: str, *, created: str = "2026-01-31T12:00:00Z") -> Path:
        target = self.directory / name
        example_without_models().write(target, created=created)
        return target

    def settle(self) -> None:
        """Look as often as it takes until what stands still is taken."""
        for _ in range(2):
            self.following.look()

    def value(self, name: str, **labels: str) -> float:
        value = self.metrics.registry.get_sample_value(name, labels)
        return -1.0 if value is None else value

    def reloads(self, result: str) -> float:
        return self.value("pairguard_generation_reloads_total", result=result)

    def is_stale(self) -> bool:
        return self.value("pairguard_generation_stale") == 1.0

    @property
    def versions(self) -> tuple[str, str]:
        current = self.slot.current
        return current.bundle_version, current.policy_version

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.getvalue().splitlines()]


@pytest.fixture
def serving(tmp_path: Path) -> Following:
    serving = Following(tmp_path)
    publish(serving.root, serving.bundle("one"))
    serving.following.load()
    return serving


def test_a_published_bundle_is_taken_once_it_stood_still(serving: Following) -> None:
    before = serving.slot.current
    version = publish(serving.root, serving.bundle("two", created="2026-02-01T00:00:00Z"))

    serving.following.look()
    assert serving.slot.current is before
    serving.following.look()

    assert serving.versions == (version, "first")
    assert serving.reloads("used") == 1
    assert serving.value("pairguard_bundle_info", version=version) == 1.0
    assert serving.value("pairguard_bundle_info", version=before.bundle_version) == -1.0
    assert serving.value("pairguard_generation_load_time_seconds") == NOW
    (line,) = serving.log()
    assert (line["message"], line["result"]) == ("reload", "used")
    assert (line["bundle_version"], line["policy_version"]) == (version, "first")


def test_nothing_is_loaded_while_nothing_changes(
    serving: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation_loading, "load_bundle", None)
    monkeypatch.setattr(generation_following, "read_policy", None)

    for _ in range(5):
        serving.following.look()

    assert serving.log() == []


@pytest.mark.parametrize("way", ["renamed", "in place"])
def test_a_policy_is_taken_however_it_is_replaced(serving: Following, way: str) -> None:
    judge = serving.slot.current.judge
    if way == "renamed":
        (serving.directory / "new.toml").write_text(policy_text("second"))
        (serving.directory / "new.toml").replace(serving.policy)
    else:
        serving.policy.write_text(policy_text("second"))

    serving.settle()

    assert serving.versions[1] == "second"
    # The bundle is the same, and what it knows of those who are asked for stays.
    assert serving.slot.current.judge.model is judge.model


def test_a_policy_of_the_same_name_is_another_one_if_it_says_something_else(
    serving: Following,
) -> None:
    before = serving.slot.current
    serving.policy.write_text(policy_text("first", REGIONS))

    serving.settle()

    assert serving.slot.current is not before
    assert set(serving.slot.current.judge.policy.regions) >= {"GB", "US"}


def test_half_a_policy_is_not_taken_although_it_is_a_valid_one(serving: Following) -> None:
    """A region that is not written yet would have the lines of the others."""
    whole = policy_text("second", REGIONS)
    half = whole[: whole.index("[regions.US]")]
    seen = []

    with serving.policy.open("w") as file:
        file.write(half)
        file.flush()
        serving.following.look()
        seen.append(serving.versions[1])
        file.write(whole[len(half) :])
    for _ in range(2):
        serving.following.look()
        seen.append(serving.versions[1])

    assert seen == ["first", "first", "second"]
    assert set(serving.slot.current.judge.policy.regions) >= {"GB", "US"}


def test_what_is_written_while_it_is_read_is_not_taken(
    serving: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = read_policy

    def read_slowly(path: Path | None) -> Any:
        found = read(path)
        serving.policy.write_text(policy_text("third"))
        monkeypatch.undo()
        return found

    serving.policy.write_text(policy_text("second"))
    serving.following.look()
    monkeypatch.setattr(generation_following, "read_policy", read_slowly)
    serving.following.look()
    assert serving.versions[1] == "first"
    serving.following.look()
    assert serving.versions[1] == "third"


def test_asked_it_does_not_wait(serving: Following) -> None:
    serving.policy.write_text(policy_text("second"))
    serving.following.look(asked=True)
    assert serving.versions[1] == "second"

    before = serving.slot.current
    serving.following.look(asked=True)
    assert serving.slot.current is before
    assert serving.reloads("unchanged") == 1


def break_link(serving: Following) -> None:
    link = serving.root / "current"
    link.unlink()
    link.symlink_to("nowhere")


def remove_everything(serving: Following) -> None:
    shutil.rmtree(serving.root)


def truncate_model(serving: Following) -> None:
    path = serving.root / "current" / "signals.toml"
    os.truncate(path, path.stat().st_size // 2)


def tamper(serving: Following) -> None:
    path = serving.root / "current" / "calibration.json"
    path.write_bytes(path.read_bytes() + b" ")


def remove_manifest(serving: Following) -> None:
    (serving.root / "current" / "bundle.json").unlink()


def add_file(serving: Following) -> None:
    (serving.root / "current" / "model.pkl").write_bytes(b"")


def wrong_format(serving: Following) -> None:
    path = serving.root / "current" / "bundle.json"
    path.write_text(path.read_text().replace('"format_version": 1', '"format_version": 2'))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (break_link, "BUNDLE_MISSING"),
        (remove_everything, "BUNDLE_MISSING"),
        (truncate_model, "BUNDLE_HASH_MISMATCH"),
        (tamper, "BUNDLE_HASH_MISMATCH"),
        (remove_manifest, "BUNDLE_MISSING"),
        (add_file, "BUNDLE_FILE_UNEXPECTED"),
        (wrong_format, "BUNDLE_FORMAT_UNSUPPORTED"),
    ],
)
def test_a_bundle_that_does_not_verify_changes_nothing_and_is_tried_once(
    serving: Following, fault: Any, reason: str
) -> None:
    before = serving.slot.current
    fault(serving)

    for _ in range(5):
        serving.following.look()

    assert serving.slot.current is before
    assert serving.is_stale()
    (line,) = serving.log()
    assert (line["level"], line["result"], line["reason"]) == ("error", "bundle_refused", reason)
    assert line["bundle_version"] == before.bundle_version
    assert serving.reloads("bundle_refused") == 1

    if serving.root.exists():
        shutil.rmtree(serving.root)
    version = publish(serving.root, serving.bundle("mended", created="2026-03-01T00:00:00Z"))
    serving.settle()
    assert serving.versions[0] == version
    assert not serving.is_stale()


def test_a_bundle_is_taken_when_its_last_file_has_come(serving: Following) -> None:
    source = serving.bundle("two", created="2026-02-01T00:00:00Z")
    target = serving.root / "by hand"
    target.mkdir()
    link = serving.root / "turned"
    link.symlink_to("by hand")
    link.replace(serving.root / "current")
    before = serving.slot.current
    *first, last = sorted(source.iterdir())
    for path in first:
        shutil.copy(path, target)
        serving.following.look()
        assert serving.slot.current is before

    shutil.copy(last, target)
    serving.settle()

    assert serving.slot.current is not before
    assert not serving.is_stale()


@pytest.mark.parametrize("text", ["", "no toml =", policy_text("second").replace("adult_age", "x")])
def test_a_policy_that_does_not_validate_changes_nothing(serving: Following, text: str) -> None:
    before = serving.slot.current
    serving.policy.write_text(text)

    for _ in range(4):
        serving.following.look()

    assert serving.slot.current is before
    assert serving.is_stale()
    (line,) = serving.log()
    assert line["result"] == "policy_refused"
    assert line["problems"]

    serving.policy.write_text(policy_text("third"))
    serving.settle()
    assert serving.versions[1] == "third"
    assert not serving.is_stale()


def test_a_good_bundle_waits_for_a_good_policy(serving: Following) -> None:
    """The two are one: a bundle is not judged with under a policy that it was not meant for."""
    before = serving.slot.current
    serving.policy.write_text("broken")
    version = publish(serving.root, serving.bundle("two", created="2026-02-01T00:00:00Z"))
    serving.settle()
    assert serving.slot.current is before

    serving.policy.write_text(policy_text("second"))
    serving.settle()

    assert serving.versions == (version, "second")


def test_going_back_to_what_serves_ends_the_alarm_and_changes_nothing(serving: Following) -> None:
    before = serving.slot.current
    tampered = serving.root / "current" / "calibration.json"
    content = tampered.read_bytes()
    tampered.write_bytes(b"{}")
    serving.settle()
    assert serving.is_stale()

    tampered.write_bytes(content)
    serving.settle()

    assert serving.slot.current is before
    assert not serving.is_stale()
    assert serving.reloads("unchanged") == 1


def test_an_error_that_nobody_thought_of_ends_nothing(
    serving: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a text that may hold anything")

    before = serving.slot.current
    monkeypatch.setattr(generation_loading, "warm_up", fail)
    serving.policy.write_text(policy_text("second"))
    serving.settle()

    assert serving.slot.current is before
    assert serving.reloads("failed") == 1
    assert serving.is_stale()
    assert "may hold anything" not in serving.written.getvalue()
    assert "ZeroDivisionError" in serving.written.getvalue()


def test_only_a_signed_bundle_is_taken_where_a_signature_is_wanted(tmp_path: Path) -> None:
    serving = Following(tmp_path, with_keys=True)
    first = serving.bundle("one")
    publish(serving.root, first)
    with pytest.raises(BundleRefused) as caught:
        serving.following.load()
    assert caught.value.reason == "BUNDLE_UNSIGNED"

    sign_bundle(serving.root / "current", serving.private)
    serving.following.load()
    unsigned = serving.bundle("two", created="2026-02-01T00:00:00Z")
    version = publish(serving.root, unsigned)
    serving.settle()
    assert serving.log()[-1]["reason"] == "BUNDLE_UNSIGNED"
    assert serving.versions[0] != version

    sign_bundle(serving.root / "current", serving.private)
    serving.settle()
    assert serving.versions[0] == version


def test_a_key_that_is_trusted_no_more_is_told_and_another_one_is_taken(tmp_path: Path) -> None:
    serving = Following(tmp_path, with_keys=True)
    publish(serving.root, serving.bundle("one"))
    sign_bundle(serving.root / "current", serving.private)
    serving.following.load()
    make_keys(tmp_path / "other.pem", tmp_path / "other-public.pem")

    (tmp_path / "other-public.pem").replace(serving.public)
    serving.settle()
    assert serving.log()[-1]["reason"] == "BUNDLE_SIGNATURE_INVALID"
    assert serving.is_stale()

    serving.public.write_text("no key")
    serving.settle()
    assert serving.log()[-1]["reason"] == "CONFIGURATION_INVALID"
    with pytest.raises(ConfigurationRefused):
        serving.following.load()


def test_the_generation_before_is_let_go(tmp_path: Path) -> None:
    serving = Following(tmp_path)
    example().write(tmp_path / "one")
    publish(serving.root, tmp_path / "one")
    serving.following.load()
    gc.collect()
    gc.disable()  # in a server what is loaded is taken out of collection
    try:
        judge = serving.slot.current.judge
        gone: list[weakref.ref[Any]] = [weakref.ref(serving.slot.current)]
        gone += [weakref.ref(judge.model), weakref.ref(judge.model.harm)]
        # Tables keep assessments, which keep what was concluded of them; no circle may come of it.
        gone += [weakref.ref(each.forecaster) for each in judge.planner._asking.values()]
        assert judge.model.tables.fusion_cache
        del judge
        example().write(tmp_path / "two", created="2026-02-01T00:00:00Z")
        publish(serving.root, tmp_path / "two")
        serving.settle()
        assert serving.reloads("used") == 1
        assert len(gone) > 3
        assert [each() for each in gone] == [None] * len(gone)
    finally:
        gc.enable()


def test_calls_get_the_interpreter_sooner_while_a_bundle_is_loaded(
    serving: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sys.getswitchinterval()
    seen = []
    load = load_bundle

    def loading(*arguments: Any, **named: Any) -> Any:
        seen.append(sys.getswitchinterval())
        return load(*arguments, **named)

    monkeypatch.setattr(generation_loading, "load_bundle", loading)
    publish(serving.root, serving.bundle("two", created="2026-02-01T00:00:00Z"))
    serving.settle()

    assert seen[0] < before
    assert sys.getswitchinterval() == before


def test_the_thread_looks_by_itself_and_ends(serving: Following) -> None:
    told: list[Generation] = []
    serving.following.start(told.append)
    try:
        serving.policy.write_text(policy_text("second"))
        for _ in range(500):
            if told:
                break
            time.sleep(0.01)
    finally:
        serving.following.stop()
    assert [each.policy_version for each in told] == ["second"]
