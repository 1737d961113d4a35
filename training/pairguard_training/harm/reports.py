"""Which reports speak of harm: in time, by somebody who was there, upheld where reviewed.

Owns what one report and the verdicts about it are worth. It must not know which pairs may teach
(``harm_labels``) nor what is learned.

A report is set aside, and says neither harm nor none, where the one who made it or the one whom it
is about can be seen to spoil it:

- it names somebody as reporter or reported who was not in the pair: a crowd that never met the
  reported can be as large as it likes;
- nobody reviewed it, and its reporter reports nearly everybody: five people or more, half of all
  whom they met, no review has upheld as many of their reports as it has cleared, and neither a
  review nor anybody else who was there says the same of the reported;
- nobody reviewed it, and reviews have cleared the reported twice or more and upheld nothing;
- a review looked at it and could not tell.

One more names the wrong person, where the pair came to harm all the same: nobody reviewed it, it
answers a report about its reporter, and reviews have found fault with the reporter alone.

Whatever was upheld counts in full, whoever reported it. A report that comes after the window says
nothing either: harm that could not be known of a young pair, and no harm at all only if a review
cleared it.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pairguard_training.tables.relations import CLOCK_TOLERANCE_SECONDS
from pairguard_training.tables.schema import REPORT_CATEGORIES

NO_HARM_CATEGORIES = frozenset({"SPAM", "UNDERAGE"})
"""A nuisance, and a statement about an age; every other category, also an untold one, is harm."""
FEWEST_REPORTED = 5
"""Different people whom somebody must have reported before anything is made of how many."""
REPORTED_SHARE = 0.5
"""Share of the people met from which on a reporter reports nearly everybody."""
FEWEST_CLEARED = 2

_CLOCK_TOLERANCE = pl.duration(seconds=CLOCK_TOLERANCE_SECONDS)
_HARM = tuple(name for name in REPORT_CATEGORIES if name not in NO_HARM_CATEGORIES)
_VERDICTS = ("UPHELD", "CLEARED", "INCONCLUSIVE")


@dataclass(frozen=True, slots=True)
class ReportCounts:
    """What became of the reports of harm.

    Attributes:
        in_time: Received within the window.
        late: Received after it: they make no pair harmed, else old pairs would come to more harm
            than young ones, and none harmless.
        upheld: Of those in time, upheld by a review.
        dismissed: Of those in time, cleared by a review.
        strangers: Set aside: the reporter or the reported was not in the pair.
        prolific: Set aside: not reviewed, of somebody who reports nearly everybody.
        early: Set aside: received before the pair was proposed, so that it cannot be about it.
        cleared_before: Set aside: not reviewed, about somebody whom reviews only ever cleared.
        inconclusive: Set aside: reviewed, and it could not be told.
        answering: Of a harmed pair, but not by the one whom it names: not reviewed, made by
            somebody found at fault about who had reported them and never was.
    """

    in_time: int
    late: int
    upheld: int
    dismissed: int
    strangers: int
    prolific: int
    early: int
    cleared_before: int
    inconclusive: int
    answering: int

    @property
    def set_aside(self) -> int:
        """Reports that say neither harm nor none."""
        return self.strangers + self.prolific + self.early + self.cleared_before + self.inconclusive


def judged_reports(pairs: pl.DataFrame, outcomes: pl.DataFrame, window: pl.Expr) -> pl.DataFrame:
    """Return every report of harm with what it is worth, and reviews that cleared nobody.

    Args:
        pairs: ``pair_id``, ``proposed_time``, ``participant_a`` and ``participant_b`` of the pairs
            that met.
        outcomes: The table.
        window: How long after the proposal a report may be received.

    Returns:
        ``pair_id``, ``reporter_id``, ``reported_id`` (null: not told), ``standing``: ``late``,
        ``late_cleared``, ``early``, ``upheld``, ``dismissed``, ``stranger``, ``inconclusive``,
        ``prolific``, ``cleared_before``, ``answering`` or ``unreviewed``. ``unreported`` is no
        report, but that a review looked at somebody of the pair and did not clear it.
    """
    known = outcomes.join(pairs, on="pair_id", how="inner", maintain_order="left")
    reports = known.filter(
        pl.col("kind") == "report", pl.col("category").fill_null("UNSPECIFIED").is_in(_HARM)
    ).with_columns(
        received=pl.coalesce("received_time", "observed_time", "proposed_time"),
        about=pl.coalesce("reported_id", pl.lit("")),
    )
    reports = _with_verdicts(reports, known)
    sides = pl.concat_list("participant_a", "participant_b")
    reporter, reported = pl.col("reporter_id"), pl.col("reported_id")
    reports = reports.with_columns(
        stranger=(~reporter.is_in(sides) | ~reported.is_in(sides)).fill_null(value=False)
        | (reporter == reported).fill_null(value=False),
        # Whoever told of it: a review has found that somebody of the pair did it.
        at_fault=(pl.col("stands") & reported.is_in(sides)).fill_null(value=False),
    )
    prolific = reporter.is_in(_prolific(pairs, reports).implode()).fill_null(value=False)
    cleared = reported.is_in(_only_cleared(reports).implode()).fill_null(value=False)
    judged = reports.with_columns(
        standing=pl.when(pl.col("received") > pl.col("proposed_time") + window)
        .then(pl.when(~pl.col("stands")).then(pl.lit("late_cleared")).otherwise(pl.lit("late")))
        .when(pl.col("at_fault"))
        .then(pl.lit("upheld"))
        .when(pl.col("received") < pl.col("proposed_time") - _CLOCK_TOLERANCE)
        .then(pl.lit("early"))
        .when(pl.col("stranger"))
        .then(pl.lit("stranger"))
        .when(pl.col("stands"))
        .then(pl.lit("upheld"))
        .when(~pl.col("stands"))
        .then(pl.lit("dismissed"))
        .when(pl.col("undecided"))
        .then(pl.lit("inconclusive"))
        .when(cleared)
        .then(pl.lit("cleared_before"))
        .when(prolific)
        .then(pl.lit("prolific"))
        .otherwise(pl.lit("unreviewed"))
    )
    judged = _without_blame_of_answers(_with_borne_out(judged)).select(
        "pair_id", "reporter_id", "reported_id", "standing"
    )
    return pl.concat([judged, _unreported(known)])


def report_counts(judged: pl.DataFrame) -> ReportCounts:
    """Count what ``judged_reports`` returned."""
    standing = judged["standing"]

    def of(name: str) -> int:
        return int((standing == name).sum())

    late = of("late") + of("late_cleared")
    return ReportCounts(
        in_time=judged.height - late - of("unreported"),
        late=late,
        upheld=of("upheld"),
        dismissed=of("dismissed"),
        strangers=of("stranger"),
        prolific=of("prolific"),
        early=of("early"),
        cleared_before=of("cleared_before"),
        inconclusive=of("inconclusive"),
        answering=of("answering"),
    )


def _verdicts(known: pl.DataFrame) -> pl.DataFrame:
    """Return the verdicts on harm: ``about`` whom, "" for both, ``verdict``, ``judged`` when."""
    return known.filter(
        pl.col("kind") == "review_verdict",
        pl.col("verdict").is_in(_VERDICTS),
        ~pl.col("category").is_in(list(NO_HARM_CATEGORIES)).fill_null(value=False),
    ).select(
        "pair_id",
        # A verdict that names nobody is about both.
        pl.coalesce("reported_id", pl.lit("")).alias("about"),
        "verdict",
        judged=pl.coalesce("received_time", "observed_time"),
        # At one moment the one that cleared counts.
        rank=pl.col("verdict").replace_strict(
            {"INCONCLUSIVE": 0, "UPHELD": 1, "CLEARED": 2}, return_dtype=pl.Int8
        ),
    )


def _unreported(known: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each person of a pair whom a review looked at and did not clear.

    Beside a report it changes nothing that the report does not say. Without one nobody may call the
    pair harmless, and none of what it is worth is known: its review came when it came.
    """
    return (
        _verdicts(known)
        .sort("judged", "rank", nulls_last=False)
        .group_by("pair_id", "about", maintain_order=True)
        .agg(
            (pl.col("verdict") == "CLEARED").any().alias("cleared"),
            pl.col("verdict").filter(pl.col("verdict") != "INCONCLUSIVE").last().alias("last"),
        )
        .filter(~pl.col("cleared") | (pl.col("last") == "UPHELD"))
        .select(
            "pair_id",
            reporter_id=pl.lit(None, pl.String),
            reported_id=pl.when(pl.col("about") != "").then("about"),
            standing=pl.lit("unreported"),
        )
    )


def _with_verdicts(reports: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Add ``stands``, whether reviews upheld it, null: none could tell; ``undecided``, ``cleared``.

    ``undecided``: whether somebody reviewed it and nobody could tell.

    A verdict judges reports that were there when it was given. Of two the later counts, as after an
    appeal; a verdict on a nuisance or on an age says nothing of harm.
    """
    verdicts = _verdicts(known)
    numbered = reports.with_row_index("report")
    matched = numbered.select("report", "pair_id", "about", "received").join(
        verdicts, on="pair_id", how="inner", suffix="_judged"
    )
    matched = matched.filter(
        (pl.col("about_judged") == pl.col("about")) | (pl.col("about_judged") == ""),
        (pl.col("judged") >= pl.col("received")).fill_null(value=True),
    ).with_columns(own=pl.col("about_judged") == pl.col("about"))
    # What is said of this person comes before what is said of both.
    decisive = pl.col("verdict").filter(pl.col("verdict") != "INCONCLUSIVE")
    found = (
        matched.sort("report", "own", "judged", "rank", nulls_last=False)
        .group_by("report", maintain_order=True)
        .agg(
            stands=decisive.last() == "UPHELD",
            undecided=decisive.len() == 0,
            cleared=(pl.col("verdict") == "CLEARED").any(),
        )
    )
    return (
        numbered.join(found, on="report", how="left", maintain_order="left")
        .with_columns(pl.col("undecided", "cleared").fill_null(value=False))
        .drop("report")
    )


def _with_borne_out(judged: pl.DataFrame) -> pl.DataFrame:
    """Let reports of those who report everybody count that others bear out.

    Somebody who is sought out by those who do harm reports nearly all of them. It takes a review,
    or somebody else who was there, does not report everybody, and was not reported as well: else
    two who harmed the same person would bear out what each says of it.
    """
    mutual = judged.select("pair_id", reporter_id="reported_id", reported_id="reporter_id").unique()
    witnesses = judged.filter(
        (pl.col("standing") == "unreviewed") & pl.col("reporter_id").is_not_null()
    ).join(mutual, on=["pair_id", "reporter_id", "reported_id"], how="anti")
    told = [
        judged.filter(pl.col("standing") == "upheld")["reported_id"],
        witnesses["reported_id"],
    ]
    borne_out = pl.concat(told).drop_nulls().unique()
    return judged.with_columns(
        standing=pl.when(
            pl.col("standing") == "prolific", pl.col("reported_id").is_in(borne_out.implode())
        )
        .then(pl.lit("unreviewed"))
        .otherwise("standing")
    )


def _without_blame_of_answers(judged: pl.DataFrame) -> pl.DataFrame:
    """Mark reports that blame somebody for having reported.

    Where nobody reviewed either, nothing tells who answers whom: the first to report may be the one
    who did harm. So it takes that reviews found fault with the one who answers, and never with the
    other; and the pair came to harm all the same, by what the other told.
    """
    at_fault = judged.filter("at_fault")["reported_id"].unique().implode()
    answered = (
        judged.filter(pl.col("standing").is_in(["upheld", "unreviewed"]))
        .group_by("pair_id", reporter_id="reported_id", reported_id="reporter_id")
        .agg(first=pl.col("received").min())
    )
    answers = (
        (pl.col("standing") == "unreviewed")
        & (pl.col("received") > pl.col("first"))
        & pl.col("reporter_id").is_in(at_fault)
        & ~pl.col("reported_id").is_in(at_fault)
    ).fill_null(value=False)
    return judged.join(
        answered, on=["pair_id", "reporter_id", "reported_id"], how="left", maintain_order="left"
    ).with_columns(standing=pl.when(answers).then(pl.lit("answering")).otherwise("standing"))


def _prolific(pairs: pl.DataFrame, reports: pl.DataFrame) -> pl.Series:
    """Return the ids of those who report nearly everybody, and are not borne out by reviews."""
    met = pl.concat(
        [
            pairs.select(reporter_id="participant_a", other="participant_b"),
            pairs.select(reporter_id="participant_b", other="participant_a"),
        ]
    )
    met = met.group_by("reporter_id").agg(met=pl.col("other").n_unique())
    upheld = pl.col("stands").fill_null(value=False).sum()
    made = (
        reports.filter(~pl.col("stranger"), pl.col("reporter_id").is_not_null())
        .group_by("reporter_id")
        .agg(
            people=pl.col("reported_id").n_unique(),
            upheld=upheld,
            dismissed=(~pl.col("stands").fill_null(value=True)).sum(),
        )
        .join(met, on="reporter_id", how="left")
    )
    return made.filter(
        pl.col("people") >= FEWEST_REPORTED,
        pl.col("people") >= REPORTED_SHARE * pl.col("met"),
        # Two who are upheld of three reviewed: somebody who is sought out by those who do harm.
        (pl.col("upheld") == 0) | (pl.col("upheld") < pl.col("dismissed")),
    )["reporter_id"]


def _only_cleared(reports: pl.DataFrame) -> pl.Series:
    """Return the ids of those whom reviews cleared again and again, and never found at fault.

    Counted are people who reported, so that one accomplice is one however often; and those whose
    reports nobody has reviewed yet must not be more than those whose were cleared.
    """
    about = reports.filter(~pl.col("stranger"), pl.col("reported_id").is_not_null())
    found = about.group_by("reported_id").agg(
        upheld=pl.col("stands").fill_null(value=False).sum(),
        cleared=pl.col("reporter_id").filter(pl.col("cleared")).n_unique(),
        unreviewed=pl.col("reporter_id").filter(pl.col("stands").is_null()).n_unique(),
    )
    return found.filter(
        pl.col("upheld") == 0,
        pl.col("cleared") >= FEWEST_CLEARED,
        pl.col("unreviewed") <= pl.col("cleared"),
    )["reported_id"]
