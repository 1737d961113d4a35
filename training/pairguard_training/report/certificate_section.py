"""The certificate in plain words, whatever strata it has; none is no promise.

Owns how a certificate is read for people: by the names of its fields, with what is missing called
not told. It must not know how one is made, nor decide by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pairguard_training.report.blocks import Row, items, notice, paragraph, section, table
from pairguard_training.report.markup import Child, Markup, element
from pairguard_training.report.words import percent

_NOT_TOLD: Final = "not told"
_PROMISES: Final[Mapping[str, str]] = {
    "mixed_pairs_allowed": "mixed pairs allowed",
    "minors_admitted": "minors admitted to the adults' pool",
    "adults_admitted": "adults admitted to the minors' pool",
}
_STRATA: Final[Mapping[str, str]] = {
    "all": "everybody",
    "elsewhere": "every other region",
    "across": "pairs across strata",
}
_HEADS: Final = (
    "Stratum", "Promise", "Confidence", "Threshold", "People or pairs judged (n)",
    "Errors allowed for (k)", "Expires",
)  # fmt: skip
_WORDS: Final = {
    "stratum": ("stratum", "name", "region"),
    "kind": ("kind", "promise"),
    "alpha": ("alpha", "max_rate", "max_minor_adult_miss_rate"),
    "confidence": ("confidence",),
    "delta": ("delta",),
    "threshold": ("threshold",),
    "n": ("n",),
    "k": ("k",),
    "expire_time": ("expire_time", "expires"),
}
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)", re.ASCII)
_MOST_ROWS = 200


def certificate_section(certificate: Mapping[str, Any]) -> Markup:
    """Return what a bundle promises, or that it promises nothing."""
    if certificate.get("certified") is not True:
        reason = certificate.get("reason")
        return section(
            "promise",
            "What is promised",
            notice(
                paragraph(element("strong", "No certificate: no promise.")),
                paragraph(str(reason)) if reason else None,
                paragraph(
                    "The thresholds of the policy are numbers that somebody chose. What this page "
                    "measured on people kept aside is an estimate with its interval, and not a "
                    "bound that anybody vouches for."
                ),
            ),
        )
    rows = list(_rows(certificate))
    statements = [str(text) for text in _list(certificate.get("statements"))]
    return section(
        "promise",
        "What is promised",
        notice(
            paragraph(element("strong", "This bundle carries a certificate.")),
            paragraph(
                "Each line says: of those whom the stratum names, at most the promised share gets "
                "through, in the long run, where the threshold is used as it stands. The "
                "confidence says how often such a line is true over many certificates made in the "
                "same way; it is not certainty about this one."
            ),
            promise=True,
        ),
        items(statements) if statements else None,
        table(
            "The certificate, stratum by stratum",
            _HEADS,
            rows[:_MOST_ROWS],
            figures=(3, 4, 5),
        )
        if rows
        else paragraph("The certificate names no strata: nothing in it can be used."),
        paragraph(
            "It bounds one attempt under the way in which people were drawn. It bounds neither a "
            "determined attacker, who tries more often, nor all the meetings of one child.",
        ),
        _fine_print(certificate),
    )


def _rows(certificate: Mapping[str, Any]) -> Iterator[Row]:
    for told, stratum in _strata(certificate):
        kind = _first("kind", stratum, told)
        alpha = _first("alpha", stratum, told, certificate)
        share = percent(alpha) if _is_number(alpha) else _NOT_TOLD
        name = str(_or_not_told(_first("stratum", stratum)))
        cells: list[Child] = [
            f"{_PROMISES.get(str(kind), str(kind)) + ': ' if kind else ''}at most {share}",
            _confidence(stratum, told, certificate),
            _threshold(stratum),
            _written(_first("n", stratum)),
            _written(_first("k", stratum)),
            _day(_first("expire_time", stratum, told, certificate)),
        ]
        yield Row(_STRATA.get(name, name), cells)


def _strata(certificate: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Yield every stratum with the promise that it belongs to, however the document nests them."""
    promises = [each for each in _list(certificate.get("promises")) if isinstance(each, Mapping)]
    for told in [*promises, certificate]:
        strata = told.get("strata")
        if isinstance(strata, Mapping):
            named = [
                {"stratum": name, **each}
                for name, each in strata.items()
                if isinstance(each, Mapping)
            ]
        else:
            named = [dict(each) for each in _list(strata) if isinstance(each, Mapping)]
        for each in named:
            yield told, each


def _confidence(*tables: Mapping[str, Any]) -> str:
    confidence, delta = _first("confidence", *tables), _first("delta", *tables)
    if _is_number(confidence):
        return percent(confidence)
    return percent(1.0 - delta) if _is_number(delta) else _NOT_TOLD


def _threshold(stratum: Mapping[str, Any]) -> str:
    if "threshold" in stratum and stratum["threshold"] is None:
        return "none found"
    return _written(_first("threshold", stratum))


def _day(value: Any) -> str:
    """Return the day of a time; the time itself stands in the fine print."""
    text = str(_or_not_told(value))
    return text[:10] if _TIME.fullmatch(text) else text


def _fine_print(certificate: Mapping[str, Any]) -> Markup | None:
    """Return every plain field of the document that the table does not show."""
    shown = {"certified", "strata", "promises", "statements"}
    rows = [
        Row(str(name), [str(value)])
        for name, value in sorted(certificate.items())
        if name not in shown and isinstance(value, str | int | float)
    ]
    if not rows:
        return None
    return table("What the certificate says of itself", ("Field", "Value"), rows)


def _first(word: str, *tables: Mapping[str, Any]) -> Any:
    for mapping in tables:
        for name in _WORDS[word]:
            value = mapping.get(name)
            if value is not None and not isinstance(value, Mapping | list):
                return value
    return None


def _written(value: Any) -> str:
    if not _is_number(value):
        return str(_or_not_told(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _or_not_told(value: Any) -> Any:
    return _NOT_TOLD if value is None else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
