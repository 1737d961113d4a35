"""Whether a certificate counts is found for each answer, by the model and by the clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pairguard.bundle.documents import canonical_json
from pairguard.bundle.loading import Bundle, load_bundle
from pairguard.bundle.manifest import CERTIFICATE, HARM_MODEL, REPORT
from pairguard.bundle.rewriting import rewrite_bundle
from pairguard.policy.certificate import ALL
from pairguard.policy.promises import PromiseKind
from pairguard.policy.regions import Policy
from pairguard.server.generation import Generation, GenerationSlot, compose_generation
from pairguard.server.settings import Settings
from pairguard.server.shadow_loading import load_challenger
from tests.domain import DAY, NOW, default_policy_document
from tests.unit.bundle.example import example, example_without_models
from tests.unit.policy.certificates import asking, certificate_document, promise_entry, stratum

POLICY = Policy.from_mapping(asking())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("plain") / "bundle"
    example().write(directory)
    return directory


def bundle_with(plain: Path, directory: Path, **changes: Any) -> Bundle:
    """Return the bundle with a certificate of its own model, with some changes."""
    own = {"model_hash": load_bundle(plain).manifest.model_hash}
    entries = [promise_entry(kind, stratum(ALL, 0.07)) for kind in PromiseKind]
    content = canonical_json(certificate_document(*entries, **(own | changes)))
    rewrite_bundle(plain, directory / "certified", {CERTIFICATE: content})
    return load_bundle(directory / "certified")


def threshold(generation: Generation) -> float:
    return generation.judge.policy.for_participant("GB").reroute_minor_adult


def test_the_model_hash_is_of_what_makes_scores_alone(plain: Path, tmp_path: Path) -> None:
    own = load_bundle(plain).manifest
    rewrite_bundle(plain, tmp_path / "again", {CERTIFICATE: b"{}", REPORT: b"<html>"}, notes=["x"])
    again = load_bundle(tmp_path / "again").manifest

    assert again.files != own.files
    assert again.model_hash == own.model_hash
    for name in own.files.keys() - {CERTIFICATE, REPORT}:
        changed = own.files[name]
        other = {**own.files, name: changed[::-1]}
        assert type(own)(**_fields(own) | {"files": other}).model_hash != own.model_hash
    without = {name: value for name, value in own.files.items() if name != HARM_MODEL}
    assert type(own)(**_fields(own) | {"files": without}).model_hash != own.model_hash


def _fields(manifest: Any) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in type(manifest).__slots__}


def test_a_certificate_counts_while_it_holds_and_not_a_moment_longer(
    plain: Path, tmp_path: Path
) -> None:
    generation = compose_generation(bundle_with(plain, tmp_path), POLICY)
    until = generation.certificate.expire_time
    assert until is not None

    for now, expected in (
        (generation.certified_from - 1, 0.05),
        (generation.certified_from, 0.07),
        (NOW, 0.07),
        (until - 0.001, 0.07),
        (until, 0.05),
        (until + 400 * DAY, 0.05),
        (float("nan"), 0.05),
    ):
        serving = generation.at(now)
        assert threshold(serving) == expected
        assert bool(serving.judge.policy.for_participant("GB").unkept) == (expected == 0.05)
        assert serving.bundle_version == generation.bundle_version
        assert serving.policy_version == generation.policy_version
        assert serving.judge.model is generation.judge.model


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"certified": False}, "carries no certificate"),
        ({"model_hash": "cd" * 32}, "of another model"),
        ({"promises": []}, "malformed"),
        ({"format_version": 9}, "malformed"),
    ],
)
def test_a_certificate_that_says_nothing_of_the_model_leaves_the_own_numbers(
    plain: Path, tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    generation = compose_generation(bundle_with(plain, tmp_path, **changes), POLICY)

    assert threshold(generation.at(NOW)) == 0.05
    assert problem in generation.certificate.problem
    assert len(generation.certificate.unkept) == 6  # three kinds, by default and in KR
    said = "\n".join(generation.certificate.sentences())
    assert "CERTIFICATE_NOT_USABLE" in said
    assert "NOT KEPT" in said


def test_a_policy_without_promises_asks_nothing_of_a_certificate(
    plain: Path, tmp_path: Path
) -> None:
    policy = Policy.from_mapping(default_policy_document())
    generation = compose_generation(bundle_with(plain, tmp_path, promises=[]), policy)

    assert generation.at(NOW) is generation
    assert not generation.certificate.sentences()
    assert generation.judge.policy is policy


def test_people_are_told_where_losing_the_certificate_would_be_laxer(
    plain: Path, tmp_path: Path
) -> None:
    entry = promise_entry(PromiseKind.MIXED_PAIRS_ALLOWED, stratum(ALL, 0.01))
    generation = compose_generation(bundle_with(plain, tmp_path, promises=[entry]), POLICY)

    said = "\n".join(generation.certificate.sentences())
    assert "kept, the number is 0.01" in said
    assert "without certificate 0.05 would count, which is laxer" in said


def test_the_expiry_is_noticed_while_serving_and_told_once(plain: Path, tmp_path: Path) -> None:
    generation = compose_generation(bundle_with(plain, tmp_path), POLICY)
    until = generation.certificate.expire_time
    assert until is not None
    now, told = [NOW], list[Generation]()
    slot = GenerationSlot(lambda: now[0], on_unkept=told.append)
    slot.put(generation)

    slot.current.judge.policy.for_participant("GB")
    kr_unkept = slot.unkept_promises()
    assert threshold(slot.current) == 0.07
    told.clear()
    now[0] = until
    assert [threshold(slot.current) for _ in range(3)] == [0.05] * 3
    assert slot.unkept_promises() == 6 > kr_unkept == 3
    assert len(told) == 1


def test_a_challenger_has_the_numbers_of_its_own_certificate(plain: Path, tmp_path: Path) -> None:
    """Beside a certified bundle a policy is tried as it stands, not as that one was certified."""
    live = compose_generation(bundle_with(plain, tmp_path), POLICY)
    other = tmp_path / "other"
    example_without_models().write(other)
    settings = Settings(shadow_bundle_path=other)

    challenger = load_challenger(settings, live)

    assert challenger is not None
    assert threshold(live) == 0.07
    own_number = compose_generation(load_bundle(other), POLICY)
    assert threshold(challenger) == threshold(own_number) != threshold(live)
    assert challenger.certificate.unkept
