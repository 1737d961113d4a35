"""The harm model, judged fold by fold on people it has not seen, then trained on all of them.

Owns the choice between trees that are taught and trees that are not, the number of rounds, and the
calibration. It must not know how either is trained (``teaching``) nor where the pairs come from.

Both people of a pair are known to a model that saw either of them with somebody else. So a fold is
of people: the pairs among them are scored by a model of the pairs among the others. With few
harmed pairs nothing is thrown away for a calibration part: every fold calibrates, and all teach.
Calibrated are only pairs of strangers to the age side, whose ages look as unsure as anybody's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairguard.bundle.loading import PARITY_ROWS
from pairguard.risk.calibration import Calibration
from pairguard.risk.catalogue import SignalCatalogue
from pairguard.risk.harm import HarmModel
from pairguard.risk.trees import TreeModel
from pairguard_training.boosting import Compute, model_text
from pairguard_training.calibration_fit import fit_calibration, kind_of
from pairguard_training.harm.pairs import AnyLabelled, Labelled, MetPairs
from pairguard_training.harm.settings import MOST_TREES, HarmSettings
from pairguard_training.harm.teaching import Trained, TreeTrainer
from pairguard_training.harm_fit import FEWEST_POSITIVES, HarmFit
from pairguard_training.manifest_figures import figure
from pairguard_training.splitting import hash_fraction

Array = NDArray[np.float64]

FOLDS = 3
STOPS = (50, 100, MOST_TREES)
"""Rounds of untaught trees that are looked at."""
FEWEST_TO_CHOOSE = 100
"""Harmed pairs left out, below which their loss does not choose: trees are taught, which is better
with few on every simulated platform tried."""
DEVIATIONS_TO_CHOOSE = 2.0
"""Standard deviations by which the others have to win."""
TAUGHT, UNTAUGHT = "taught", "trees"

_CHUNK = 1 << 14


@dataclass(frozen=True, slots=True)
class CrossedFit:
    """A harm model and how it came about.

    Attributes:
        fit: The model, calibrated.
        figures: For the manifest.
        sentences: For people.
    """

    fit: HarmFit
    figures: Mapping[str, Any]
    sentences: tuple[str, ...]


@dataclass(slots=True)
class LeftOut:
    """Scores of pairs by models that saw neither person, each kind of trees by its name.

    Attributes:
        places: Of the scored pairs among all.
        scores: Raw scores in log-odds by kind, as long as ``places``.
    """

    places: list[int] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)

    def add(self, places: NDArray[np.intp], scores: Mapping[str, Array]) -> None:
        """Add a fold."""
        self.places += places.tolist()
        for name, values in scores.items():
            self.scores.setdefault(name, []).extend(values.tolist())

    def losses(self, pairs: Labelled) -> dict[str, float]:
        """Return the mean log loss of each kind, each calibrated on these very pairs."""
        each, weights = self._each(pairs)
        return {name: float((weights * loss).sum() / weights.sum()) for name, loss in each.items()}

    def surely_better(self, pairs: MetPairs) -> str:
        """Return the kind that loses least, if it surely loses less than taught trees; else these.

        Where harm is rare the mean loss of a few hundred harmed pairs hardly tells two kinds apart,
        though one finds half as much again where little may be stopped.
        """
        each, weights = self._each(pairs)
        if not each:
            return TAUGHT
        best = min(each, key=lambda name: float((weights * each[name]).sum()))
        gain = weights * (each[TAUGHT] - each[best])
        deviation = float(np.sqrt(((gain - gain.mean()) ** 2).sum()))
        return best if float(gain.sum()) > DEVIATIONS_TO_CHOOSE * deviation else TAUGHT

    def _each(self, pairs: Labelled) -> tuple[dict[str, Array], Array]:
        """Return the log loss of each pair by kind, after calibration, and the pairs' weights."""
        some = pairs.where(np.array(self.places, dtype=np.intp))
        if not 0 < some.positives < some.count:
            return {}, some.weights
        found = {}
        for name, values in self.scores.items():
            raw = np.array(values)
            chances = fit_calibration(raw, some.harmed, some.weights).probabilities(raw)
            found[name] = -np.where(some.harmed, np.log(chances), np.log1p(-chances))
        return found, some.weights


def fit_crossed(
    catalogue: SignalCatalogue,
    pairs: MetPairs,
    *,
    settings: HarmSettings | None = None,
    compute: Compute,
) -> CrossedFit | str:
    """Train and calibrate, or say in a sentence why there is no harm model.

    Args:
        catalogue: What the signals are.
        pairs: Pairs that met and may teach: of no person who is tested.
        settings: What tuning chose; None: as they are.
        compute: Threads and seed.
    """
    refusal = why_not(pairs, fewest_positives=FEWEST_POSITIVES)
    if refusal:
        return refusal
    trainer = TreeTrainer(catalogue, settings or HarmSettings(), compute)
    left_out = left_out_scores(trainer, pairs, kinds=_worth_trying(pairs, compute.seed))
    losses = left_out.losses(pairs)
    positives = int(pairs.harmed[left_out.places].sum()) if left_out.places else 0
    kind = left_out.surely_better(pairs) if positives >= FEWEST_TO_CHOOSE else TAUGHT
    trained = (
        trainer.taught(pairs) if kind == TAUGHT else trainer.untaught(pairs, int(kind.split()[1]))
    )
    calibration, calibrated_on, predicted = calibrated(pairs, left_out, kind)
    text = model_text(trained.booster)
    rounds = trained.booster.num_trees()
    read = pairs.reading(trained.features)
    fit = HarmFit(
        model=HarmModel(TreeModel(text), read.features, calibration),
        text=text,
        booster=trained.booster,
        rows=_spread(read),
        rounds=rounds,
        notes=calibration_notes(calibrated_on),
    )
    stood_for = float(calibrated_on.weights @ calibrated_on.harmed)
    map_kind = kind_of(calibration)
    figures: dict[str, Any] = {
        "training_pairs": pairs.count,
        "training_positives": pairs.positives,
        "calibration_pairs": calibrated_on.count,
        "calibration_positives": calibrated_on.positives,
        "calibration_positives_by_weight": figure(stood_for),
        "calibration_predicted": figure(predicted),
        "calibration": map_kind,
        "rounds": rounds,
        "trees": kind,
        "left_out_log_loss": {name: figure(loss) for name, loss in losses.items()},
    }
    told = ", ".join(f"{name} {loss:.6f}" for name, loss in losses.items()) or "not measured"
    how = "taught by the two dangers" if kind == TAUGHT else "by reports alone"
    made = (
        f"harm model: {pairs.count} pairs, {pairs.positives} harmed, {rounds} trees, {how}; log "
        f"loss on people left out: {told}"
    )
    checked = (
        f"{map_kind} calibration fitted to {calibrated_on.count} pairs of people left out: "
        f"{predicted:.2f} predicted, {stood_for:.2f} harmed, by what each pair stands for"
    )
    return CrossedFit(fit, figures, (made, checked))


def left_out_scores(trainer: TreeTrainer, pairs: MetPairs, *, kinds: tuple[str, ...]) -> LeftOut:
    """Score pairs by models of others, fold by fold.

    Args:
        trainer: How trees are made.
        pairs: All pairs.
        kinds: ``TAUGHT``, ``UNTAUGHT`` or both.
    """

    def boosters(others: MetPairs) -> Iterator[ScoringTrees]:
        if TAUGHT in kinds:
            yield ScoringTrees(TAUGHT, trainer.taught(others))
        if UNTAUGHT in kinds:
            yield from untaught_trees(trainer, others)

    return left_out(pairs, boosters, seed=trainer.compute.seed)


@dataclass(frozen=True, slots=True)
class ScoringTrees:
    """Trees that are to score rows, ``rounds`` of them; None: all."""

    kind: str
    trained: Trained
    rounds: int | None = None


def untaught_trees(trainer: TreeTrainer, others: Labelled) -> Iterator[ScoringTrees]:
    """Yield trees by labels alone, by every number of rounds that is looked at."""
    untaught = trainer.untaught(others, STOPS[-1])
    for rounds in STOPS:
        yield ScoringTrees(f"{UNTAUGHT} {rounds}", untaught, rounds)


def left_out(
    pairs: AnyLabelled,
    boosters: Callable[[AnyLabelled], Iterable[ScoringTrees]],
    *,
    seed: int,
) -> LeftOut:
    """Score the rows of each fold by trees that ``boosters`` makes of the rows of the others."""
    folds = _folds(pairs, seed)
    first, second = folds[pairs.groups_first], folds[pairs.groups_second]
    found = LeftOut()
    for fold in range(FOLDS):
        inside = np.flatnonzero((first == fold) & (second == fold))
        others = pairs.where((first != fold) & (second != fold))
        if not inside.size or others.positives < FEWEST_POSITIVES // 2:
            continue
        if others.positives == others.count:
            continue
        judged = pairs.where(inside)
        found.add(
            inside,
            {
                trees.kind: served_scores(trees.trained, judged, rounds=trees.rounds)
                for trees in boosters(others)
            },
        )
    return found


def served_scores(trained: Trained, pairs: Labelled, *, rounds: int | None = None) -> Array:
    """Return (n,) raw scores as the harm model calls its trees when it serves."""
    trees = TreeModel(model_text(trained.booster, rounds=rounds)).with_missing_as_majority()
    pairs = pairs.reading(trained.features)
    found = np.empty(pairs.count)
    for start in range(0, pairs.count, _CHUNK):
        chunk = slice(start, start + _CHUNK)
        found[chunk] = trees.raw_scores(pairs.rows(chunk))[:, 0]
    return found


def _worth_trying(pairs: MetPairs, seed: int) -> tuple[str, ...]:
    """Return the kinds of trees between which enough harmed pairs are left out to choose."""
    folds = _folds(pairs, seed)
    together = folds[pairs.groups_first] == folds[pairs.groups_second]
    enough = int(pairs.harmed[together].sum()) >= FEWEST_TO_CHOOSE
    return (TAUGHT, UNTAUGHT) if enough else (TAUGHT,)


def calibrated(
    pairs: AnyLabelled, left_out: LeftOut, kind: str
) -> tuple[Calibration, AnyLabelled, float]:
    """Return the map, the pairs that it is fitted to, and the sum that it predicts of them."""
    places = np.array(left_out.places, dtype=np.intp)
    raw = np.array(left_out.scores.get(kind, []), dtype=np.float64)
    strange = pairs.strangers[places]
    some, raw = pairs.where(places[strange]), raw[strange]
    calibration = fit_calibration(raw, some.harmed, some.weights)
    predicted = float((some.weights * calibration.probabilities(raw)).sum()) if raw.size else 0.0
    return calibration, some, predicted


def _folds(pairs: Labelled, seed: int) -> NDArray[np.intp]:
    """Return the fold of each group by its number."""
    most = int(max(pairs.groups_first.max(), pairs.groups_second.max())) + 1
    return np.array(
        [int(FOLDS * hash_fraction(f"harm fold {group}", seed=seed)) for group in range(most)],
        dtype=np.intp,
    )


def _spread(pairs: MetPairs) -> Array:
    """Return rows spread over those that the model was trained on."""
    count = min(PARITY_ROWS, pairs.count)
    return pairs.rows(np.arange(count) * pairs.count // count)


def why_not(pairs: Labelled, *, fewest_positives: int) -> str:
    """Return in a sentence why rows can teach nothing; empty: they can."""
    if pairs.positives < fewest_positives:
        return (
            f"{pairs.positives} of {pairs.count} pairs to learn from came to harm; "
            f"{fewest_positives} are needed"
        )
    if pairs.positives == pairs.count:
        return "every pair to learn from came to harm: there is nothing to tell it from"
    return ""


def calibration_notes(calibrated_on: Labelled) -> tuple[str, ...]:
    """Return what should be known of a calibration by few."""
    if calibrated_on.positives >= FEWEST_POSITIVES:
        return ()
    note = (
        f"The harm model is calibrated on {calibrated_on.positives} harmed pairs only: its level "
        "is uncertain and its slope unchecked."
    )
    return (note,)
