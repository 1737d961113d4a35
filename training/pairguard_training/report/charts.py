"""Pictures as inline SVG: a curve with its interval, points against the diagonal, small bars.

Owns how figures become places on a page. It must not know where the figures come from. Every
picture has a title and a description for who cannot see it; nothing is told by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pairguard_training.metrics import ReliabilityBin
from pairguard_training.report.markup import Child, Markup, element, joined
from pairguard_training.trade_off import TradeOffPoint

WIDTH, HEIGHT = 640.0, 420.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 84.0, 34.0, 42.0, 68.0
_RIGHT_END, _LOW_END = WIDTH - _RIGHT, HEIGHT - _BOTTOM
_TENTHS = tuple(step / 5.0 for step in range(6))
_DECADES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_FLOOR = 1e-4
_BAR = 150.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point of the trade-off lies in its picture, with the ends of both intervals."""

    x: float
    y: float
    x_low: float
    x_high: float
    y_low: float
    y_high: float


def trade_off_place(point: TradeOffPoint) -> Place:
    """Return where a point of the curve lies."""
    stopped, allowed = point.good_stopped, point.positives_allowed
    return Place(
        x=_linear_x(stopped.value),
        y=_linear_y(allowed.value),
        x_low=_linear_x(_or(stopped.low, stopped.value)),
        x_high=_linear_x(_or(stopped.high, stopped.value)),
        y_low=_linear_y(_or(allowed.low, allowed.value)),
        y_high=_linear_y(_or(allowed.high, allowed.value)),
    )


def trade_off_chart(points: Sequence[TradeOffPoint], chosen: int, *, described_by: str) -> Markup:
    """Draw good pairs stopped against mixed pairs allowed, with the chosen threshold marked.

    The marker's parts have the ids ``marker-point``, ``marker-stopped`` and ``marker-allowed``.
    """
    # Rising thresholds stop fewer and fewer: drawn from left to right.
    places = [trade_off_place(point) for point in reversed(points)]
    upper = [(place.x, place.y_high) for place in places]
    lower = [(place.x, place.y_low) for place in reversed(places)]
    at = trade_off_place(points[chosen])
    return _picture(
        "trade-off",
        "What a threshold costs",
        described_by,
        _axes(
            _TENTHS,
            _linear_x,
            _linear_y,
            labels=("good pairs stopped", "mixed pairs allowed"),
        ),
        element("polygon", points=_points([*upper, *lower]), class_="band"),
        element("polyline", points=_points([(p.x, p.y) for p in places]), class_="curve"),
        _line(at.x_low, at.y, at.x_high, at.y, "marker", anchor="marker-stopped"),
        _line(at.x, at.y_low, at.x, at.y_high, "marker", anchor="marker-allowed"),
        element("circle", cx=_at(at.x), cy=_at(at.y), r=6, class_="marker", id="marker-point"),
    )


def reliability_chart(bins: Sequence[ReliabilityBin], name: str, description: str) -> Markup:
    """Draw what happened against what was predicted, both on a scale of powers of ten."""
    marks: list[Child] = []
    for bin_ in bins:
        x = _log_x(bin_.predicted)
        if math.isfinite(bin_.observed_low):
            low, high = _log_y(bin_.observed_low), _log_y(bin_.observed_high)
            marks.append(_line(x, low, x, high, "whisker"))
            marks.append(_line(x - 4, high, x + 4, high, "whisker"))
            if bin_.observed_low > _FLOOR:
                marks.append(_line(x - 4, low, x + 4, low, "whisker"))
        if bin_.observed > 0.0:
            mark = element("circle", cx=_at(x), cy=_at(_log_y(bin_.observed)), r=5, class_="point")
        else:
            # Nothing was seen: an open mark at the foot, since a scale of powers knows no zero.
            mark = element("circle", cx=_at(x), cy=_at(_LOW_END), r=5, class_="point none")
        marks.append(mark)
    return _picture(
        name,
        "Predicted and observed",
        description,
        _axes(
            _DECADES,
            _log_x,
            _log_y,
            labels=("predicted probability", "share that came true"),
        ),
        _line(_LEFT, _LOW_END, _RIGHT_END, _TOP, "diagonal"),
        *marks,
    )


def share_bar(value: float, low: float, high: float, *, scale: float) -> Markup:
    """Draw a share and its interval as a small bar beside its figures, which say the same."""
    if not all(map(math.isfinite, (value, low, high))):
        return Markup("")

    def x(share: float) -> float:
        return 2.0 + (_BAR - 14.0) * min(max(share / scale, 0.0), 1.0)

    # An interval that goes on beyond the scale ends in an arrow.
    beyond = _points([(_BAR - 12.0, 2.0), (_BAR - 2.0, 8.0), (_BAR - 12.0, 14.0)])
    return element(
        "svg",
        _line(2, 8, _BAR - 12, 8, "rail"),
        _line(x(low), 8, x(high), 8, "bar"),
        element("polygon", points=beyond, class_="beyond") if high > scale else None,
        element("rect", x=_at(x(value) - 2), y=2, width=4, height=12, class_="tick"),
        viewBox=f"0 0 {_BAR:g} 16",
        width=int(_BAR),
        height=16,
        aria_hidden="true",
        class_="small",
    )


def _picture(name: str, title: str, description: str, *parts: Child) -> Markup:
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-description"),
        *parts,
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-description",
        class_="chart",
    )


def _axes(
    ticks: Sequence[float],
    x: Callable[[float], float],
    y: Callable[[float], float],
    *,
    labels: tuple[str, str],
) -> Markup:
    parts: list[Child] = []
    for tick in ticks:
        parts += [
            _line(x(tick), _TOP, x(tick), _LOW_END, "grid"),
            _line(_LEFT, y(tick), _RIGHT_END, y(tick), "grid"),
            element("text", _tick(tick), x=_at(x(tick)), y=_at(_LOW_END + 22), class_="tick-x"),
            element("text", _tick(tick), x=_at(_LEFT - 8), y=_at(y(tick) + 5), class_="tick-y"),
        ]
    parts += [
        element("text", f"{labels[0]} →", x=_at(_RIGHT_END), y=_at(HEIGHT - 12), class_="axis end"),
        element("text", f"↑ {labels[1]}", x=4, y=22, class_="axis"),
    ]
    return joined(parts)


def _tick(share: float) -> str:
    return f"{100.0 * share:g}\u00a0%"


def _line(
    x1: float, y1: float, x2: float, y2: float, class_: str, *, anchor: str | None = None
) -> Markup:
    ends = {"x1": _at(x1), "y1": _at(y1), "x2": _at(x2), "y2": _at(y2)}
    return element("line", class_=class_, id=anchor, **ends)


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{_at(x)},{_at(y)}" for x, y in places)


def _at(value: float) -> str:
    return f"{value:.1f}"


def _linear_x(share: float) -> float:
    return _LEFT + (_RIGHT_END - _LEFT) * share


def _linear_y(share: float) -> float:
    return _LOW_END - (_LOW_END - _TOP) * share


def _log_x(share: float) -> float:
    return _linear_x(_log(share))


def _log_y(share: float) -> float:
    return _linear_y(_log(share))


def _log(share: float) -> float:
    """Return where a share lies between the floor, 0, and one, 1, by powers of ten."""
    return 1.0 - math.log10(min(max(share, _FLOOR), 1.0)) / math.log10(_FLOOR)


def _or(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise
