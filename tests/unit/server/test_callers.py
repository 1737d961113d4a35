"""The document of callers: what it may say, and who is found by what."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from math import inf

import pytest

from pairguard.errors import ConfigurationRefused
from pairguard.server.authorization import SCOPES
from pairguard.server.callers import MAX_ENTRIES, Callers, Scope, parse_callers
from pairguard.v1 import age_assurance_service_pb2, feedback_service_pb2, pair_risk_service_pb2

TOKEN = "S3CRET-0123456789"  # noqa: S105 - of no server
DIGEST = sha256(TOKEN.encode()).hexdigest()
RIGHT = {"name": '"chat"', "sha256": f'"{DIGEST}"', "scopes": '["score"]'}


def table(**lines: str | None) -> str:
    """Return a right table but for these lines; None: the line is left out."""
    merged = {name: value for name, value in (RIGHT | lines).items() if value is not None}
    return "[[callers]]\n" + "\n".join(f"{name} = {value}" for name, value in merged.items()) + "\n"


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationRefused) as caught:
        parse_callers(text)
    assert "S3CRET" not in str(caught.value)
    return caught.value.problems


def test_every_call_of_the_contract_needs_a_scope() -> None:
    methods = {
        f"{service.full_name}/{method.name}"
        for module in (age_assurance_service_pb2, feedback_service_pb2, pair_risk_service_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }

    assert set(SCOPES) == methods


def test_a_caller_is_found_by_its_token() -> None:
    callers = parse_callers(table(scopes='["score", "erase"]'))

    caller = callers.with_token(TOKEN)
    assert caller is not None
    assert (caller.name, set(caller.scopes)) == ("chat", {Scope.SCORE, Scope.ERASE})
    assert caller.expire_time == inf
    for wrong in ("", TOKEN[:-1], TOKEN + " ", TOKEN.lower(), DIGEST, "\udcff"):
        assert callers.with_token(wrong) is None
    assert not callers.use_certificates
    assert callers.with_certificate([TOKEN.encode(), b"chat"]) is None


def test_a_caller_is_found_by_a_name_of_its_certificate() -> None:
    callers = parse_callers(
        table(sha256=None, certificate='"chat.internal"')
        + table(name='"feed"', sha256=None, certificate='"feed.internal"')
    )

    assert callers.use_certificates
    found = callers.with_certificate([b"other", b"chat.internal"])
    assert found is not None
    assert found.name == "chat"
    for names in ([], [b"CHAT.INTERNAL"], [b"chat.internal.evil"], [b"\xff"]):
        assert callers.with_certificate(names) is None
    # One that could be either is neither.
    assert callers.with_certificate([b"feed.internal", b"chat.internal"]) is None


def test_one_caller_may_have_several_tokens() -> None:
    other = sha256(b"other").hexdigest()
    callers = parse_callers(table() + table(sha256=f'"{other}"', scopes='["admin"]'))

    assert callers.names == {"chat"}
    first, second = callers.with_token(TOKEN), callers.with_token("other")
    assert first is not None
    assert second is not None
    assert [*first.scopes, *second.scopes] == [Scope.SCORE, Scope.ADMIN]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-03-01", datetime(2027, 3, 1, tzinfo=UTC)),
        ("2027-03-01T02:00:00+02:00", datetime(2027, 3, 1, tzinfo=UTC)),
        ("2027-03-01T00:00:00Z", datetime(2027, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_caller_expires_at_a_moment(text: str, moment: datetime) -> None:
    caller = parse_callers(table(expire=text)).with_token(TOKEN)

    assert caller is not None
    assert caller.expire_time == moment.timestamp()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (table(name=None), "name: must be 1-64 letters"),
        (table(name='"a b"'), "name: must be 1-64 letters"),
        (table(name='""'), "name: must be 1-64 letters"),
        (table(name="7"), "name: must be 1-64 letters"),
        (table(name='"' + "n" * 65 + '"'), "name: must be 1-64 letters"),
        (table(sha256=None), "must have either sha256 or certificate"),
        (table(certificate='"c"'), "must have either sha256 or certificate"),
        (table(sha256='"S3CRET"'), "sha256: must be 64"),
        (table(sha256=f'"{DIGEST.upper()}"'), "sha256: must be 64"),
        (table(sha256="1"), "sha256: must be 64"),
        (table(sha256=None, certificate='""'), "certificate: must be a text"),
        (table(sha256=None, certificate="[1]"), "certificate: must be a text"),
        (table(scopes=None), "scopes: must be a list of score, full_view"),
        (table(scopes="[]"), "scopes: must be a list"),
        (table(scopes='"score"'), "scopes: must be a list"),
        (table(scopes='["score", "S3CRET"]'), "scopes: must be a list"),
        (table(scopes="[1]"), "scopes: must be a list"),
        (table(expire='"2027-03-01"'), "expire: must be a date"),
        (table(expire="2027-03-01T00:00:00"), "expire: must be a date"),
        (table(expire="1"), "expire: must be a date"),
        (table(max_calls_per_second="0"), "max_calls_per_second: must be from 0.01 to 1000000"),
        (table(max_calls_per_second="inf"), "max_calls_per_second: must be from"),
        (table(max_calls_per_second="true"), "max_calls_per_second: must be from"),
        (table(max_concurrent_calls="0"), "max_concurrent_calls: must be a whole number"),
        (table(max_concurrent_calls="1.5"), "max_concurrent_calls: must be a whole number"),
        (table(max_concurrent_calls='"9"'), "max_concurrent_calls: must be a whole number"),
        (
            table(expires="2027-03-01"),
            "may have only the lines certificate, expire, max_calls",
        ),
    ],
)
def test_a_wrong_table_is_named_by_its_place(text: str, problem: str) -> None:
    other = table(sha256=f'"{sha256(b"other").hexdigest()}"')
    found = problems(other + text)

    assert len(found) == 1
    assert found[0].startswith(f"callers, table 2: {problem}")


def test_a_token_in_the_document_is_refused_and_not_repeated() -> None:
    found = problems(table(sha256=None, token=f'"{TOKEN}"'))

    assert (
        "callers, table 1: a token does not belong here, only its sha256; make a new one" in found
    )


def test_all_problems_are_named_at_once() -> None:
    assert len(problems("S3CRET = 1\n" + table(name='"a b"') + table(scopes="[]"))) == 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", f"must have 1 to {MAX_ENTRIES} [[callers]] tables"),
        (table() * (MAX_ENTRIES + 1), f"must have 1 to {MAX_ENTRIES} [[callers]] tables"),
        ("callers = 1", "callers: must be written as [[callers]] tables"),
        ("callers = ['S3CRET']", "callers: must be written as [[callers]] tables"),
        (f'[callers]\nname = "a"\ntoken = "{TOKEN}"', "callers: must be written as"),
        (table() + table(name='"other"'), "callers, table 2: sha256: stands in another table too"),
        (
            table(sha256=None, certificate='"c"') * 2,
            "callers, table 2: certificate: stands in another table too",
        ),
        ("name = S3CRET", "is not TOML (at line 1, column 8)"),
        ('"S3CRET" = {"S3CRET" = 1, "S3CRET" = 2}', "is not TOML"),
    ],
)
def test_a_document_that_is_none_is_refused(text: str, problem: str) -> None:
    assert problems(text)[0].startswith(problem)


def test_nobody_is_found_among_nobody() -> None:
    assert Callers({}, {}).with_token("") is None
