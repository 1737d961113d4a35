from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pairguard.bundle.loading import Bundle, load_bundle
from pairguard_training.champion import meet_champion
from pairguard_training.fitting import Fit
from pairguard_training.splitting import Part, split_tables
from pairguard_training.tables.reading import Tables


@pytest.fixture(scope="module")
def candidate(small_bundle: Path) -> Bundle:
    return load_bundle(small_bundle)


def fitted_with(bundle: Bundle, seed: int | None, *, data_hash: str | None = None) -> Bundle:
    manifest = replace(
        bundle.manifest,
        seeds={} if seed is None else {"fit": seed},
        data_hash=data_hash or bundle.manifest.data_hash,
    )
    return replace(bundle, manifest=manifest, version="the-champion")


def test_with_the_same_split_nobody_is_left_out(
    small_fit: tuple[Tables, Fit], candidate: Bundle
) -> None:
    tables, _ = small_fit
    split = split_tables(tables, seed=1)
    champion, kept = meet_champion(candidate, candidate, tables, split, unseen=False)
    assert kept.parts == split.parts
    assert champion.notes == ()
    assert champion.same_scores


def test_whom_a_champion_of_another_seed_learned_from_is_not_judged(
    small_fit: tuple[Tables, Fit], candidate: Bundle
) -> None:
    tables, _ = small_fit
    split, other = split_tables(tables, seed=1), split_tables(tables, seed=2)
    champion, kept = meet_champion(
        candidate, fitted_with(candidate, 2), tables, split, unseen=False
    )
    judged = {person for person, part in kept.parts.items() if part is Part.TEST}
    held_out = {person for person, part in split.parts.items() if part is Part.TEST}
    assert judged == {person for person in held_out if other.parts[person] is Part.TEST}
    assert 0 < len(judged) < len(held_out)
    (note,) = champion.notes
    assert f"{len(held_out) - len(judged)} of the people" in note


def test_of_other_tables_it_is_said_that_the_split_is_inferred(
    small_fit: tuple[Tables, Fit], candidate: Bundle
) -> None:
    tables, _ = small_fit
    split = split_tables(tables, seed=1)
    foreign = fitted_with(candidate, 1, data_hash="0" * 64)
    champion, kept = meet_champion(candidate, foreign, tables, split, unseen=False)
    assert kept.parts == split.parts
    assert any("inferred" in note for note in champion.notes)
    champion, kept = meet_champion(candidate, foreign, tables, split, unseen=True)
    assert any("not checked" in note for note in champion.notes)


def test_without_a_seed_it_is_said_that_nobody_knows(
    small_fit: tuple[Tables, Fit], candidate: Bundle
) -> None:
    tables, _ = small_fit
    split = split_tables(tables, seed=1)
    champion, _ = meet_champion(
        candidate, fitted_with(candidate, None), tables, split, unseen=False
    )
    assert any("unknown" in note for note in champion.notes)


def test_what_unseen_says_is_not_believed_of_a_champion_of_these_tables(
    small_fit: tuple[Tables, Fit], candidate: Bundle
) -> None:
    tables, _ = small_fit
    split, other = split_tables(tables, seed=1), split_tables(tables, seed=2)
    _, kept = meet_champion(candidate, fitted_with(candidate, 2), tables, split, unseen=True)
    judged = {p for p, part in kept.parts.items() if part in {Part.TEST, Part.CALIBRATION}}
    assert judged
    assert all(other.parts[person] is Part.TEST for person in judged)


def test_another_file_that_scores_makes_other_scores(
    small_fit: tuple[Tables, Fit], candidate: Bundle
) -> None:
    tables, _ = small_fit
    split = split_tables(tables, seed=1)

    def same_with(name: str) -> bool:
        files = {**candidate.manifest.files, name: "0" * 64}
        other = replace(candidate, manifest=replace(candidate.manifest, files=files))
        return meet_champion(candidate, other, tables, split, unseen=False)[0].same_scores

    assert same_with("certificate.json")
    assert same_with("report.html")
    assert not same_with("age_tables.json")
    assert not same_with("harm_model.txt")
