"""Choosing how the harm model is trained, by Optuna and in a stated budget.

Owns the search. What is searched is judged on people left out, fold by fold, of the training part
alone: nobody of the calibration part or of the test part is looked at. Optuna is imported late, as
only this needs it. It must not know how trees are trained (``teaching``).

By a number of trials the same data and seed choose the same; by seconds they do not, because no two
runs are equally fast.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pairguard.errors import ConfigurationRefused
from pairguard.risk.catalogue import SignalCatalogue
from pairguard_training.boosting import Compute
from pairguard_training.harm.crossing import TAUGHT, left_out_scores
from pairguard_training.harm.pairs import MetPairs
from pairguard_training.harm.settings import FEWEST_LEAVES, MOST_LEAVES, HarmSettings
from pairguard_training.harm.teaching import TreeTrainer
from pairguard_training.manifest_figures import figure
from pairguard_training.progress import progress

EXTRA = "tuning"
FEWEST_LEFT_OUT = 50
"""Harmed pairs of people left out, below which settings are not told apart."""


@dataclass(frozen=True, slots=True)
class TuningBudget:
    """How long to search: by one of the two.

    Attributes:
        trials: Number of settings to try; None: as many as there is time for.
        seconds: Time after which no further one is begun; None: no limit.
    """

    trials: int | None = None
    seconds: float | None = None

    def __str__(self) -> str:
        """Return it as the command line has it."""
        return f"{self.trials}" if self.seconds is None else f"{self.seconds:g}s"


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was chosen.

    Attributes:
        settings: To train with.
        figures: For the manifest.
        sentence: For people.
    """

    settings: HarmSettings
    figures: dict[str, Any]
    sentence: str


def require_optuna() -> Any:
    """Return the module ``optuna``.

    Raises:
        ConfigurationRefused: It is not installed.
    """
    try:
        return importlib.import_module("optuna")
    except ImportError as error:
        problem = (
            f"--tune needs Optuna, which is not installed: pip install 'pairguard[{EXTRA}]', or "
            "leave --tune out"
        )
        raise ConfigurationRefused([problem]) from error


def tune_harm(
    catalogue: SignalCatalogue,
    pairs: MetPairs,
    *,
    start: HarmSettings,
    budget: TuningBudget,
    compute: Compute,
) -> Tuned | str:
    """Search for settings that lose less on people left out; say why where that cannot be told.

    Args:
        catalogue: What the signals are.
        pairs: Pairs of the training part alone.
        start: What is tried first, and stays unless something is better.
        budget: How long.
        compute: Threads and seed.
    """
    optuna = require_optuna()
    first = _loss(catalogue, pairs, start, compute)
    if first is None:
        return (
            f"fewer than {FEWEST_LEFT_OUT} harmed pairs of people left out, which cannot tell "
            "settings apart"
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=compute.seed))

    def objective(trial: Any) -> float:
        loss = _loss(catalogue, pairs, _suggested(trial, start), compute)
        return math.inf if loss is None else loss

    with progress(budget.trials or int(budget.seconds or 0), "tuning the harm model") as advance:
        study.optimize(
            objective,
            n_trials=budget.trials,
            timeout=budget.seconds,
            callbacks=[_advancing(advance, budget)],
        )
    best = study.best_trial
    better = best.value < first
    settings = _suggested(optuna.trial.FixedTrial(best.params), start) if better else start
    loss = best.value if better else first
    figures = {
        "budget": str(budget),
        "trials": len(study.trials),
        "log_loss_before": figure(first),
        "log_loss": figure(loss),
        "settings": settings.to_mapping(),
    }
    sentence = (
        f"tuned in {len(study.trials)} trials on people of the training part: log loss "
        f"{first:.6f} -> {loss:.6f}; the best of many is luck in part"
    )
    return Tuned(settings, figures, sentence)


def _loss(
    catalogue: SignalCatalogue, pairs: MetPairs, settings: HarmSettings, compute: Compute
) -> float | None:
    """Return the log loss on people left out; None: too few of them came to harm."""
    if not pairs.positives:
        return None
    trainer = TreeTrainer(catalogue, settings, compute)
    found = left_out_scores(trainer, pairs, kinds=(TAUGHT,))
    if int(pairs.harmed[found.places].sum()) < FEWEST_LEFT_OUT:
        return None
    return found.losses(pairs)[TAUGHT]


def _suggested(trial: Any, start: HarmSettings) -> HarmSettings:
    return replace(
        start,
        precision_of_mean=trial.suggest_float("precision_of_mean", 0.5, 100.0, log=True),
        precision_of_difference=trial.suggest_float(
            "precision_of_difference", 0.5, 200.0, log=True
        ),
        taught_learning_rate=trial.suggest_float("taught_learning_rate", 0.05, 0.3, log=True),
        taught_leaves=trial.suggest_int("taught_leaves", FEWEST_LEAVES, MOST_LEAVES),
        taught_feature_fraction=trial.suggest_float("taught_feature_fraction", 0.3, 1.0),
    )


def _advancing(advance: Callable[[int], None], budget: TuningBudget) -> Callable[[Any, Any], None]:
    last = time.monotonic()

    def after_trial(_study: Any, _trial: Any) -> None:
        nonlocal last
        if budget.trials is not None:
            advance(1)
            return
        now = time.monotonic()
        advance(int(now - last))
        last += int(now - last)

    return after_trial
