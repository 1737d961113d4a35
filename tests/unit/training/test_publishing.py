"""Publishing and going back, as commands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pairguard.bundle.documents import canonical_json
from pairguard.bundle.loading import load_bundle
from pairguard.bundle.publication import current_version
from pairguard.bundle.publication_history import read_history
from pairguard_training.__main__ import EXIT_REFUSED, main
from tests.unit.bundle.example import example_without_models


class Releases:
    """A root, and bundles with evaluations that are as good as a test wants."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.root = directory / "root"
        self._capsys = capsys

    def bundle(self, name: str) -> Path:
        target = self.directory / name
        if not target.exists():
            reference = canonical_json({"signals": {}, "of": name})
            example_without_models().with_files(reference__json=reference).write(target)
        return target

    def version(self, name: str) -> str:
        return load_bundle(self.bundle(name)).version

    def evaluation(self, name: str, **changes: Any) -> str:
        interval = {"value": 0.0, "low": -0.01, "high": 0.01}
        champion = current_version(self.root)
        mixed = {"difference_at_1": interval, "difference_at_5": interval}
        document = {
            "bundle_version": self.version(name),
            "champion_version": champion,
            "simulated": False,
            "data_until": datetime.now(UTC).isoformat(),
            "gates": {
                "mixed_pairs": None if champion is None else mixed,
                "calibration_slope": {"value": 1.0, "low": 0.95, "high": 1.05},
                "slices": {"worst_ratio": 1.2, "chance_ratio": 1.3},
            },
        } | changes
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps(document))
        return str(path)

    def publish(self, name: str, *more: str, evaluation: str | None = None) -> tuple[int, str]:
        given = self.evaluation(name) if evaluation is None else evaluation
        return self.run(
            *("publish", str(self.bundle(name)), "--to", str(self.root)),
            *(("--evaluation", given) if given else ()),
            *more,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        code = main([*arguments])
        shown = self._capsys.readouterr()
        assert "Traceback" not in shown.err
        return code, shown.out + shown.err


@pytest.fixture
def releases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Releases:
    return Releases(tmp_path, capsys)


def test_one_bundle_after_the_other_passes_its_gates_and_back_again(releases: Releases) -> None:
    assert releases.publish("one")[0] == 0
    assert releases.publish("two")[0] == 0
    assert current_version(releases.root) == releases.version("two")

    code, said = releases.run("rollback", "--root", str(releases.root), "--why", "it was worse")

    assert code == 0
    assert releases.version("one") in said
    assert current_version(releases.root) == releases.version("one")
    history = read_history(releases.root)
    assert [each.kind for each in history] == ["published", "published", "rolled_back"]
    assert all(gate["passed"] for gate in history[1].grounds["gates"])
    assert history[1].grounds["without_gates"] == []
    assert len(history[1].grounds["evaluation_sha256"]) == 64
    assert history[1].grounds["limits"]["calibration.min_slope"] == 0.9
    code, said = releases.run("publications", "--root", str(releases.root))
    assert code == 0
    for words in ("rolled_back", "why: it was worse", f"current: {releases.version('one')}"):
        assert words in said


def test_every_gate_that_is_not_passed_is_listed_and_nothing_is_switched(
    releases: Releases,
) -> None:
    releases.publish("one")
    code, said = releases.publish("two", "--require-certificate", evaluation="")

    assert code == EXIT_REFUSED
    assert "GATES_NOT_PASSED" in said
    for gate in ("real_data", "certificate", "evaluation", "mixed_pairs", "calibration", "slices"):
        assert f"  - {gate}: " in said
    assert current_version(releases.root) == releases.version("one")
    assert len(read_history(releases.root)) == 1
    assert not (releases.root / releases.version("two")).exists()


def test_a_gate_is_gone_round_by_name_and_with_a_reason_that_is_kept(releases: Releases) -> None:
    evaluation = releases.evaluation("one", simulated=True)
    around = ["--without-gate", "real_data", "--without-gate", "slices"]
    code, said = releases.publish("one", *around, evaluation=evaluation)
    assert code == EXIT_REFUSED
    assert "--why" in said
    code, said = releases.publish("one", "--why", "just so", evaluation=evaluation)
    assert code == EXIT_REFUSED

    code, said = releases.publish("one", *around, "--why", " a drill ", evaluation=evaluation)

    assert code == 0
    assert "real_data: NOT PASSED, gone round" in said
    assert "--without-gate slices was not needed" in said
    (line,) = read_history(releases.root)
    assert line.grounds["without_gates"] == ["real_data"]
    assert line.grounds["why"] == "a drill"
    code, said = releases.run("publications", "--root", str(releases.root))
    assert "without real_data" in said


def test_one_gate_gone_round_opens_no_other(releases: Releases) -> None:
    evaluation = releases.evaluation("one", simulated=True, bundle_version="other")
    code, said = releases.publish(
        "one", "--without-gate", "real_data", "--why", "a drill", evaluation=evaluation
    )
    assert code == EXIT_REFUSED
    assert "  - evaluation: " in said
    assert "  - real_data: " not in said
    assert current_version(releases.root) is None


def test_an_evaluation_of_before_another_publication_is_refused(releases: Releases) -> None:
    releases.publish("one")
    stale = releases.evaluation("two")
    releases.publish("three")

    code, said = releases.publish("two", evaluation=stale)

    assert code == EXIT_REFUSED
    assert f"{releases.version('three')} serves" in said


def test_what_serves_already_is_published_without_gates_and_without_a_line(
    releases: Releases,
) -> None:
    releases.publish("one")
    code, said = releases.publish("one", evaluation="")
    assert code == 0
    assert "already" in said
    assert len(read_history(releases.root)) == 1


def test_limits_come_from_a_reviewed_file(releases: Releases, tmp_path: Path) -> None:
    (tmp_path / "gates.toml").write_text("[slices]\nmax_times_chance = 0.5\n")
    code, said = releases.publish("one", "--gates", str(tmp_path / "gates.toml"))
    assert code == EXIT_REFUSED
    assert "calibration.min_slope: is missing" in said
    assert "slices.max_times_chance: must be" in said


def test_going_back_names_what_there_is(releases: Releases) -> None:
    code, said = releases.run("rollback", "--root", str(releases.root))
    assert code == EXIT_REFUSED
    assert "holds no version" in said
    releases.publish("one")
    releases.publish("two")
    for arguments in (("--to", "2020-01-01-000000000000"), ("--to", "")):
        code, said = releases.run("rollback", "--root", str(releases.root), *arguments)
        assert code == EXIT_REFUSED
        assert releases.version("one") in said
    code, _ = releases.run(
        "rollback", "--root", str(releases.root), "--to", releases.version("one")
    )
    assert code == 0
    code, said = releases.run(
        "rollback", "--root", str(releases.root), "--to", releases.version("one")
    )
    assert (code, "already" in said) == (0, True)


def test_a_bundle_is_signed_and_published_by_its_signature(releases: Releases) -> None:
    private, public = (str(releases.directory / name) for name in ("key.pem", "key.pub"))
    assert releases.run("signing-key", "--private", private, "--public", public)[0] == 0
    code, said = releases.publish("one", "--public-key", public)
    assert code == EXIT_REFUSED
    assert "BUNDLE_UNSIGNED" in said

    version = releases.version("one")
    code, said = releases.run("sign", str(releases.bundle("one")), "--key", private)
    assert code == 0
    assert version in said
    assert releases.publish("one", "--public-key", public)[0] == 0
    assert current_version(releases.root) == version
