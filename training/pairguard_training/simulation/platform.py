"""One run of the simulation: a seed in, five tables and the oracle's out.

Owns the order in which parts are drawn and the streams of randomness, one for each part, so that
a change in one part leaves the others' draws alone. The same arguments give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pairguard_training.simulation import platform_tables
from pairguard_training.simulation.audits import draw_audits
from pairguard_training.simulation.behaviour import draw_behaviour
from pairguard_training.simulation.cells import calendar_year
from pairguard_training.simulation.checks import draw_checks
from pairguard_training.simulation.declaration import draw_declarations
from pairguard_training.simulation.encounters import draw_encounters
from pairguard_training.simulation.error_groups import draw_error_groups
from pairguard_training.simulation.evidence_table import evidence_frame
from pairguard_training.simulation.face import draw_faces
from pairguard_training.simulation.face_errors import PLATFORM, FaceErrors, face_errors
from pairguard_training.simulation.harm import draw_outcomes
from pairguard_training.simulation.oracle import Observed, believe, true_classes
from pairguard_training.simulation.oracle_tables import oracle_frames
from pairguard_training.simulation.platform_range import draw_platform_ranges
from pairguard_training.simulation.population import draw_population
from pairguard_training.tables.writing import write_frame, write_tables
from pairguard_training.truth import ORACLE_FOLDER

Progress = Callable[[str, float], None]

_STREAMS = (
    "population", "declarations", "ranges", "faces", "checks", "audits", "behaviour",
    "encounters", "outcomes", "error_groups", "past_meetings",
)  # fmt: skip
_MOST_SESSIONS = 6.0


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """What a run of the simulation made; every figure is of the simulation.

    Attributes:
        participants: Participant ids.
        snapshots: Sessions.
        pairs: Proposed pairs.
        allowed_pairs: Pairs that the simulated old rule allowed.
        meetings: Chats that started.
        labelled_participants: Participants with an age label.
        minor_share: Share of participants under 18 on day 0.
        harmful_share: Share of participants with harmful intent.
        mixed_share: Share of mixed pairs among the proposed.
        mixed_allowed_share: Share of mixed pairs among the allowed.
        harm_share: Share of meetings with harm.
        label_share: Share of meetings whose harm is reported, upheld where reviewed.
    """

    participants: int
    snapshots: int
    pairs: int
    allowed_pairs: int
    meetings: int
    labelled_participants: int
    minor_share: float
    harmful_share: float
    mixed_share: float
    mixed_allowed_share: float
    harm_share: float
    label_share: float


def simulate(
    directory: Path,
    *,
    participants: int,
    pairs: int,
    seed: int,
    days: int = 60,
    faces: str = PLATFORM,
    verified: int | None = None,
    progress: Progress | None = None,
) -> SimulationSummary:
    """Simulate a platform and write its tables to ``directory`` and the oracle's below ``oracle/``.

    Args:
        directory: Where to write; created when it does not exist.
        participants: Number of participant ids, at least 1.
        pairs: Number of proposed pairs, 0 or more.
        seed: Seed of every draw.
        days: Length of the simulated time, at least 1.
        faces: How far face estimates err, one of ``face_errors.FACE_ERRORS``.
        verified: Expected number of participants with an age label, at most ``participants``;
            None: about one in five.
        progress: Called with a stage and the share of it that is done.

    Raises:
        ValueError: When a number is out of range, or the errors of faces are unknown.
    """
    for name, value, least in (
        ("participants", participants, 1),
        ("pairs", pairs, 0),
        ("days", days, 1),
    ):
        if value < least:
            raise ValueError(f"{name} is {value}; it should be at least {least}")
    if verified is not None and not 1 <= verified <= participants:
        raise ValueError(f"verified is {verified}; it should be from 1 to {participants}")
    errors = face_errors(faces)
    report = progress or _silent
    streams = dict(
        zip(
            _STREAMS,
            map(np.random.default_rng, np.random.SeedSequence(seed).spawn(len(_STREAMS))),
            strict=True,
        )
    )
    report("people", 0.0)
    observed = _observe(
        participants,
        pairs,
        days=days,
        errors=errors,
        verified=verified,
        streams=streams,
        report=report,
    )
    meetings = draw_encounters(observed, pairs=pairs, rng=streams["encounters"])
    truth = true_classes(observed.population)
    happened = draw_outcomes(observed.population, meetings, truth, streams["outcomes"])
    beliefs = believe(observed, progress=report)
    report("tables", 0.0)
    evidence = evidence_frame(observed)
    write_tables(
        directory,
        {
            "snapshots": platform_tables.snapshot_frame(observed),
            "age_evidence": evidence,
            "pairs": platform_tables.pair_frame(meetings),
            "outcomes": platform_tables.outcome_frame(observed, meetings, happened, days=days),
            "age_labels": platform_tables.label_frame(observed, evidence),
        },
    )
    report("tables", 0.8)
    oracle = oracle_frames(observed, beliefs, meetings, happened)
    for name, frame in oracle.items():
        write_frame(directory / ORACLE_FOLDER / f"{name}.parquet", frame)
    report("tables", 1.0)
    mixed = oracle["pairs"]["mixed"].to_numpy()
    allowed = meetings.decision == 0
    met = meetings.started
    # A report that was reviewed counts only when it was upheld.
    labelled = (happened.reported & (~happened.reviewed | (happened.verdict == 0))).sum(axis=1) > 0
    people = oracle["participants"]
    return SimulationSummary(
        participants=participants,
        snapshots=len(observed.population.owner),
        pairs=len(meetings.first),
        allowed_pairs=int(allowed.sum()),
        meetings=int(met.sum()),
        labelled_participants=int(observed.audits.held.sum()),
        minor_share=_share(people["true_age_years_on_day_0"].to_numpy() < 18.0),
        harmful_share=_share(people["intent"].is_in(["PREDATORY", "POSING"]).to_numpy()),
        mixed_share=_share(mixed),
        mixed_allowed_share=_share(mixed[allowed]),
        harm_share=_share(happened.harmed[met].sum(axis=1) > 0),
        label_share=_share(labelled[met]),
    )


def _observe(
    participants: int,
    pairs: int,
    *,
    days: int,
    errors: FaceErrors,
    verified: int | None,
    streams: dict[str, np.random.Generator],
    report: Progress,
) -> Observed:
    """Draw everything that is observable of participants."""
    sessions = min(max(pairs / participants - 1.0, 0.0), _MOST_SESSIONS)
    population = draw_population(
        participants, session_rate=sessions, days=days, rng=streams["population"]
    )
    report("people", 0.3)
    year = calendar_year(population.signup_days)
    declarations = draw_declarations(population, year, streams["declarations"])
    ranges = draw_platform_ranges(population, declarations, streams["ranges"])
    groups = draw_error_groups(population, streams["error_groups"])
    faces = draw_faces(population, groups, errors=errors, days=days, rng=streams["faces"])
    checks = draw_checks(population, days=days, rng=streams["checks"])
    audits = draw_audits(
        population, declarations, days=days, rng=streams["audits"], verified=verified
    )
    report("people", 0.6)
    behaviour = draw_behaviour(population, streams["behaviour"], streams["past_meetings"])
    report("people", 1.0)
    return Observed(
        population, year, declarations, ranges, faces, checks, audits, behaviour, groups
    )


def _share(mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    return float(mask.mean()) if len(mask) else 0.0


def _silent(_stage: str, _share: float) -> None:
    """Report nothing."""
