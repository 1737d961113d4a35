"""What the README tells people to do works as it is written."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.server.running_server import serving
from tests.unit.bundle.example import example_without_models

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "deploy").glob("*.md")),
]
DEFAULT_ADDRESS = "127.0.0.1:50051"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("readme") / "bundle"
    # The models of the full example are random, and the README promises nothing of random ones.
    example_without_models().write(directory)
    return directory


def test_the_client_example_runs_and_is_answered_by_the_service(
    bundle: Path, tmp_path: Path
) -> None:
    code, _ = blocks("python")
    assert DEFAULT_ADDRESS in code
    with serving(bundle, tmp_path, clock=time.time) as running:
        # The time of a first call on a busy machine is not what is tested here.
        address = str(running.application.address)
        options = f'pairguard.client.ClientOptions("{address}", timeout_seconds=20)'
        code = "import pairguard.client\n" + code.replace(f'"{DEFAULT_ADDRESS}"', options)
        result = run([sys.executable, "-c", code])
    assert result.returncode == 0, result.stderr
    assert "SERVICE" in result.stdout
    assert "AGE_UNKNOWN" in result.stdout


def test_the_client_example_answers_a_reroute_of_its_own_without_a_service() -> None:
    code, _ = blocks("python")
    result = run([sys.executable, "-c", code.replace(DEFAULT_ADDRESS, "127.0.0.1:1")])
    assert result.returncode == 0, result.stderr
    assert "CLIENT" in result.stdout


def test_the_recording_example_runs_and_is_counted_once(bundle: Path, tmp_path: Path) -> None:
    _, code = blocks("python")
    assert DEFAULT_ADDRESS in code
    with serving(bundle, tmp_path, clock=time.time) as running:
        code = code.replace(DEFAULT_ADDRESS, str(running.application.address))
        result = run([sys.executable, "-c", code])
        assert result.returncode == 0, result.stderr
        counted = {
            event: running.metric("pairguard_events_total", event=event, status="recorded")
            for event in ("chat_started", "report")
        }
        bypasses = running.metric(
            "pairguard_chats_started_total", reconciliation="WITHOUT_DECISION"
        )
    assert "RECORDED" in result.stdout
    assert "REFUSED" not in result.stdout
    assert counted == {"chat_started": 1.0, "report": 1.0}
    assert bypasses == 1.0


def test_the_recording_example_says_what_was_not_recorded_without_a_service() -> None:
    _, code = blocks("python")
    limited = code.replace(
        f'Client("{DEFAULT_ADDRESS}")',
        'Client(ClientOptions("127.0.0.1:1", record_timeout_seconds=0.2))',
    ).replace("import ChatStarted, Client,", "import ChatStarted, Client, ClientOptions,")
    result = run([sys.executable, "-c", limited])
    assert result.returncode != 0
    assert "NotRecorded" in result.stderr


def test_the_call_to_paste_runs_and_is_answered_as_the_readme_says(
    bundle: Path, tmp_path: Path
) -> None:
    (command,) = [
        line
        for block in blocks("sh")
        for line in block.splitlines()
        if line.startswith(".venv/bin/python")
    ]
    arguments = command.split()[1:]
    with serving(bundle, tmp_path, clock=time.time) as running:
        address = str(running.application.address)
        result = run([sys.executable, *[address if a == DEFAULT_ADDRESS else a for a in arguments]])
    assert result.returncode == 0, result.stderr
    for promised in ("DECISION_REROUTE", "AGE_UNKNOWN", '"documentFree": true'):
        assert promised in result.stdout


def test_every_make_target_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        name
        for document in DOCUMENTS
        for name in re.findall(r"(?:`|^)make ([a-z-]+)", document.read_text("utf-8"), re.MULTILINE)
    }
    assert {"run", "test", "help"} <= named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_inside_the_repository_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", document.read_text("utf-8"))
    broken = [
        link
        for link in links
        if not link.startswith("http") and not (document.parent / link).exists()
    ]
    assert broken == []
