"""The bundle that serves now, beside which a new one is judged.

Owns whom both may be judged on: nobody that either has learned from, as far as that can be known.
It must not know what is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pairguard.bundle.loading import Bundle
from pairguard.bundle.manifest import CERTIFICATE, REFERENCE, REPORT
from pairguard.risk.model import RiskModel
from pairguard_training.held_out import share_held_out
from pairguard_training.splitting import Part, Split, split_tables
from pairguard_training.tables.reading import Tables

_NO_SCORES = frozenset({CERTIFICATE, REPORT, REFERENCE})


@dataclass(frozen=True, slots=True)
class Champion:
    """The bundle to compare with.

    Attributes:
        version: Of the bundle.
        model: What it scores with.
        same_scores: Whether every file that a score depends on is the candidate's, byte for byte.
        notes: What is known, and what is not, about whom it has seen.
    """

    version: str
    model: RiskModel
    same_scores: bool
    notes: tuple[str, ...]


def meet_champion(
    candidate: Bundle, champion: Bundle, tables: Tables, split: Split, *, unseen: bool
) -> tuple[Champion, Split]:
    """Return the champion, and the split in which only those are held out whom neither has seen.

    People are divided by a hash of their ids and the seed of a fit, so that whom a bundle held out
    can be told from its seed: surely where it was fitted to these tables, and else as far as ids
    and households were the same there.

    Args:
        candidate: What is judged.
        champion: What it is compared with.
        tables: The data set.
        split: The candidate's.
        unseen: Whether the user says that neither bundle saw any of these people.
    """
    notes: list[str] = []
    same_tables = champion.manifest.data_hash == tables.data_hash
    seed = champion.manifest.seeds.get("fit")
    if unseen and not same_tables:
        notes.append("The champion saw none of these people: told by --unseen, not checked.")
    elif seed is None:
        notes.append(
            "The champion names no seed of its fit: whom it learned from is unknown, and it may "
            "have seen people that both are judged on, which favours the champion."
        )
    else:
        other = split_tables(tables, seed=seed, test_share=share_held_out(champion.manifest))
        kept, lost = _held_out_by_both(split, other, unseen=unseen)
        if lost:
            notes.append(
                f"The champion was fitted with another split (seed {seed}) and has learned from "
                f"{lost} of the people that the candidate held out: they are left out, and only "
                f"those that neither has seen are judged."
            )
        split = kept
        if not same_tables:
            notes.append(
                "The champion was fitted to other tables. Whom it held out is inferred from its "
                f"seed ({seed}) and the ids: true only if ids and households were the same there."
            )
    return (
        Champion(
            version=champion.version,
            model=champion.model,
            same_scores=_scoring_files(candidate.manifest.files)
            == _scoring_files(champion.manifest.files),
            notes=tuple(notes),
        ),
        split,
    )


def _held_out_by_both(split: Split, other: Split, *, unseen: bool) -> tuple[Split, int]:
    """Return the split without those that the other one learned from, and how many these are."""
    judged = {Part.TEST, Part.CALIBRATION} if unseen else {Part.TEST}
    lost = {
        person
        for person, part in split.parts.items()
        if part in judged and other.parts[person] is not Part.TEST
    }
    # They are judged by none; a baseline may learn from them.
    parts = {person: Part.TRAIN if person in lost else part for person, part in split.parts.items()}
    return replace(split, parts=parts), len(lost)


def _scoring_files(files: Mapping[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in files.items() if name not in _NO_SCORES}
