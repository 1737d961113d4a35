"""How the refit of one provider's facial estimates went.

Owns the figures and their sentence. It must not know how anything was fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pairguard_training.face_density import FaceSmoothing
from pairguard_training.face_kindness import SeenMinors
from pairguard_training.rate_report import rounded


@dataclass(frozen=True, slots=True)
class FaceErrors:
    """The errors of a model at the true ages of some people, in years.

    Attributes:
        bias: Mean of estimate minus true age.
        spread: Standard deviation of it.
    """

    bias: float
    spread: float


@dataclass(frozen=True, slots=True)
class FaceBand:
    """People of a range of ages.

    Attributes:
        people: How many.
        seen: Their errors as observed, attacks among them.
        preset: What the preset says of honest ones.
        fitted: What the fitted model says of them.
        gain_nats: Mean gain in the log density of their estimates, by models without them.
    """

    people: int
    seen: FaceErrors
    preset: FaceErrors
    fitted: FaceErrors
    gain_nats: float

    def to_mapping(self) -> dict[str, Any]:
        """Return the figures for a manifest."""
        errors = {"seen": self.seen, "preset": self.preset, "fitted": self.fitted}
        figures: dict[str, Any] = {
            f"{name}_{what}": rounded(value)
            for name, error in errors.items()
            for what, value in (("bias_years", error.bias), ("spread_years", error.spread))
        }
        return figures | {"people": self.people, "gain_nats": rounded(self.gain_nats)}


@dataclass(frozen=True, slots=True)
class FaceReport:
    """How the refit of one provider went; scores are of people not used for what is scored.

    Attributes:
        provider: In lower case; "": the estimates do not tell.
        preset: Preset in force before.
        people: Verified people with an estimate.
        taken: Whether the fitted model replaces the preset.
        reason: Why not, or by how much it is better, as a sentence.
        smoothing: What was chosen; None: nothing was fitted.
        preset_log_likelihood: Mean log density of an estimate given the true age, per year.
        fitted_log_likelihood: The same of the fitted model.
        preset_age_score: Mean log probability of the true age given the estimate.
        fitted_age_score: The same of the fitted model.
        gain_nats: Mean of both gains.
        gain_error_nats: Its standard error.
        bands: By range of true ages.
        minors: How verified minors were estimated, against the preset; None: not looked at.
    """

    provider: str
    preset: str
    people: int
    taken: bool
    reason: str
    smoothing: FaceSmoothing | None = None
    preset_log_likelihood: float = float("nan")
    fitted_log_likelihood: float = float("nan")
    preset_age_score: float = float("nan")
    fitted_age_score: float = float("nan")
    gain_nats: float = float("nan")
    gain_error_nats: float = float("nan")
    bands: Mapping[str, FaceBand] = field(default_factory=dict)
    minors: SeenMinors | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Return the figures for a manifest; null: cannot be told."""
        told: dict[str, Any] = {
            "preset": self.preset,
            "people": self.people,
            "taken": self.taken,
            "reason": self.reason,
        }
        if self.minors is not None:
            told["minors"] = {
                "people": self.minors.people,
                "estimated_as_adults": self.minors.over,
                "expected_under_preset": rounded(self.minors.expected),
                "chance_under_preset": rounded(self.minors.chance),
            }
        if self.smoothing is None:
            return told
        return told | {
            "smoothing": asdict(self.smoothing),
            "preset_log_likelihood": rounded(self.preset_log_likelihood),
            "fitted_log_likelihood": rounded(self.fitted_log_likelihood),
            "preset_age_score": rounded(self.preset_age_score),
            "fitted_age_score": rounded(self.fitted_age_score),
            "bands": {name: band.to_mapping() for name, band in self.bands.items()},
        }

    def warnings(self) -> list[str]:
        """Return what somebody should know before they serve this, in sentences."""
        name = self.provider or "(no name)"
        found = []
        minors = self.minors
        if minors is not None and minors.too_kind:
            served = (
                "The fitted model is served, drawn towards that preset where people are few: use "
                "the independent preset until more are verified"
                if self.taken
                else "It still counts, for want of people to fit another: use the independent one"
            )
            found.append(
                f"Faces of {name}: the preset {self.preset!r} is KINDER than verified people show: "
                f"{minors.over} of {minors.people} minors were estimated as adults, "
                f"{minors.expected:.1f} would be by the preset (chance {minors.chance:.2g}). "
                f"{served}."
            )
        if self.taken and not self.provider:
            found.append(
                f"Faces of {name}: errors were learned from estimates that name no provider, and "
                "count for all that name none. Should their vendor change, nothing would tell: "
                "send its name."
            )
        return found

    def sentence(self) -> str:
        """Return preset and fitted beside each other, and from whom."""
        name = self.provider or "(no name)"
        kept = "fitted" if self.taken else f"preset {self.preset!r} kept"
        bands = "; ".join(
            f"at {name} bias {band.preset.bias:+.1f} -> {band.fitted.bias:+.1f}, spread "
            f"{band.preset.spread:.1f} -> {band.fitted.spread:.1f} ({band.people} people)"
            for name, band in self.bands.items()
        )
        return f"faces of {name}: {kept}; {self.people} people; {self.reason}" + (
            f"; {bands}" if bands else ""
        )
