"""What issuers attest: mdocs, SD-JWT credentials, OpenID claims."""

from datetime import date
from typing import Any

import pytest

from pairguard.client import (
    AgeEvidence,
    Binding,
    CheckMethod,
    CheckResult,
    VerificationMethod,
    age_check,
    self_declared,
    verified_age,
)
from pairguard.client.evidence import from_mdoc, from_openid_claims, from_sd_jwt_pid
from tests.unit.client.arrival import OBSERVED, assert_arrives

LICENCE = ("org.iso.18013.5.1.mDL", "org.iso.18013.5.1")
PROOF_OF_AGE = ("eu.europa.ec.av.1", "eu.europa.ec.av.1")
PERSON = ("eu.europa.ec.eudi.pid.1", "eu.europa.ec.eudi.pid.1")


def checked(years: int, result: CheckResult, **changes: Any) -> AgeEvidence:
    """Return the check that a credential amounts to."""
    details: dict[str, Any] = {
        "method": CheckMethod.DIGITAL_WALLET,
        "observed_time": OBSERVED,
        "provider": "issuer",
        "binding": Binding.DEVICE,
    }
    return age_check(threshold_years=years, result=result, **(details | changes))


def disclosed(**changes: Any) -> AgeEvidence:
    """Return the age that a credential disclosed."""
    details: dict[str, Any] = {
        "method": VerificationMethod.DIGITAL_WALLET,
        "observed_time": OBSERVED,
        "provider": "issuer",
        "binding": Binding.DEVICE,
    }
    return verified_age(**(details | changes))


def over(years: int) -> AgeEvidence:
    """Return a passed check."""
    return checked(years, CheckResult.OVER)


def under(years: int) -> AgeEvidence:
    """Return a check that was not passed."""
    return checked(years, CheckResult.UNDER)


def mdoc(kind: tuple[str, str], elements: dict[str, object]) -> dict[str, object]:
    """Return a document as a device response holds it."""
    items = [
        {
            "digestID": number,
            "random": b"\x00" * 16,
            "elementIdentifier": name,
            "elementValue": value,
        }
        for number, (name, value) in enumerate(elements.items())
    ]
    return {"docType": kind[0], "issuerSigned": {"nameSpaces": {kind[1]: items}}}


CASES: list[tuple[dict[str, object], list[AgeEvidence]]] = [
    ({"age_over_18": True}, [over(18)]),
    ({"age_over_18": False}, [under(18)]),
    ({"age_over_16": True, "age_over_18": False}, [over(16), under(18)]),
    # What is missing is not false, and of several the tightest counts.
    ({"age_over_13": True, "age_over_16": True}, [over(16)]),
    (
        {
            "age_over_13": True,
            "age_over_16": True,
            "age_over_21": False,
            "age_over_25": False,
        },
        [over(16), under(21)],
    ),
    ({"age_over_18": True, "age_over_21": None}, [over(18)]),
    ({"age_over_00": True}, [over(0)]),
    ({"age_in_years": 34}, [disclosed(age_years=34)]),
    ({"age_in_years": 17, "age_over_16": True}, [disclosed(age_years=17)]),
    ({"age_birth_year": 1992}, [disclosed(birth_year=1992)]),
    ({"age_birth_year": 1992, "age_in_years": 34}, [disclosed(age_years=34)]),
    # From before the last birthday.
    ({"age_birth_year": 2008, "age_in_years": 16}, [disclosed(age_years=16)]),
    # The year leaves 17 and 18 open.
    (
        {"age_birth_year": 2008, "age_over_16": True, "age_over_18": False},
        [disclosed(birth_year=2008), under(18)],
    ),
    ({"age_birth_year": 2008, "age_over_18": True}, [disclosed(birth_year=2008)]),
    ({}, []),
    ({"age_in_years": None, "age_over_18": None}, []),
    ({"given_name": "Elena", "portrait": b"\xff\xd8"}, []),
]


@pytest.mark.parametrize(("elements", "expected"), CASES)
@pytest.mark.parametrize("kind", [LICENCE, PROOF_OF_AGE, PERSON])
def test_a_missing_threshold_is_not_a_false_one(
    kind: tuple[str, str], elements: dict[str, object], expected: list[AgeEvidence]
) -> None:
    by_items = from_mdoc(mdoc(kind, elements), observed_time=OBSERVED, provider="issuer")
    by_name = from_mdoc(
        {"docType": kind[0], "nameSpaces": {kind[1]: elements}},
        observed_time=OBSERVED,
        provider="issuer",
    )

    assert by_items == by_name == tuple(expected)
    assert_arrives(by_items)


@pytest.mark.parametrize("value", ["2008-03-16", date(2008, 3, 16)])
def test_a_birth_date_in_a_licence_becomes_an_age(value: object) -> None:
    elements = {"birth_date": value, "age_over_18": False, "age_in_years": 16}

    items = from_mdoc(mdoc(LICENCE, elements), observed_time=OBSERVED, provider="issuer")

    assert items == (disclosed(age_years=17),)
    assert_arrives(items)
    assert "03-16" not in repr(items)


def test_a_document_without_its_namespace_discloses_nothing() -> None:
    payload = {"docType": LICENCE[0], "issuerSigned": {"nameSpaces": {"other": []}}}

    assert from_mdoc(payload, observed_time=OBSERVED) == ()


def test_two_checks_of_one_credential_have_ids_of_their_own() -> None:
    payload = mdoc(PROOF_OF_AGE, {"age_over_16": True, "age_over_18": False})

    items = from_mdoc(payload, observed_time=OBSERVED, evidence_id="e-1")

    assert [item.evidence_id for item in items] == ["e-1", "e-1/2"]
    assert_arrives(items)


IN = r"issuerSigned.nameSpaces.org.iso.18013.5.1"


@pytest.mark.parametrize(
    ("elements", "path"),
    [
        ({"age_over_18": "true"}, f"{IN}.age_over_18"),
        ({"age_over_18": 1}, f"{IN}.age_over_18"),
        ({"age_over_8": True}, f"{IN}.age_over_8"),
        ({"age_over_018": True}, f"{IN}.age_over_018"),
        ({"age_over_NN": True}, f"{IN}.age_over_NN"),
        ({"age_over_16": False, "age_over_18": True}, f"{IN}.age_over_16"),
        ({"age_in_years": 16, "age_over_18": True}, f"{IN}.age_over_18"),
        ({"age_in_years": 18, "age_over_18": False}, f"{IN}.age_over_18"),
        ({"age_in_years": -1}, f"{IN}.age_in_years"),
        ({"age_in_years": 121}, f"{IN}.age_in_years"),
        ({"age_in_years": "17"}, f"{IN}.age_in_years"),
        ({"age_in_years": 17.5}, f"{IN}.age_in_years"),
        ({"age_birth_year": 1899}, f"{IN}.age_birth_year"),
        ({"age_birth_year": 2027}, f"{IN}.age_birth_year"),
        ({"birth_date": "2008-03-16", "age_over_18": True}, f"{IN}.age_over_18"),
        ({"birth_date": "2008-03-16", "age_in_years": 18}, f"{IN}.age_in_years"),
        # An adult's age beside what is told of a minor.
        ({"age_in_years": 34, "age_birth_year": 2012}, f"{IN}.age_in_years"),
        ({"age_in_years": 14, "age_birth_year": 1992}, f"{IN}.age_in_years"),
        ({"age_birth_year": 1992, "age_over_18": False}, f"{IN}.age_over_18"),
        ({"age_birth_year": 2012, "age_over_18": True}, f"{IN}.age_over_18"),
        ({"birth_date": "1992-03-16", "age_over_18": False}, f"{IN}.age_over_18"),
        ({"birth_date": "1992-03-16", "age_in_years": 14}, f"{IN}.age_in_years"),
        ({"birth_date": "1992-03-16", "age_birth_year": 2012}, f"{IN}.age_birth_year"),
        ({"birth_date": "2008-03-15", "age_in_years": 16}, f"{IN}.age_in_years"),
        (
            {"birth_date": "2007-03-16", "age_in_years": 17, "age_over_18": True},
            f"{IN}.age_over_18",
        ),
        ({"birth_date": "2008"}, f"{IN}.birth_date"),
        ({"birth_date": 2008}, f"{IN}.birth_date"),
    ],
)
def test_an_element_of_another_form_is_refused(elements: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_mdoc(mdoc(LICENCE, elements), observed_time=OBSERVED)


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({}, "docType"),
        ({"docType": "org.iso.18013.5.1"}, "docType"),
        ({"docType": LICENCE[0]}, "nameSpaces"),
        ({"docType": LICENCE[0], "issuerSigned": {}}, "issuerSigned.nameSpaces"),
        ({"docType": LICENCE[0], "nameSpaces": {LICENCE[1]: "x"}}, f"nameSpaces.{LICENCE[1]}"),
        (
            {"docType": LICENCE[0], "nameSpaces": {LICENCE[1]: [{"elementValue": True}]}},
            rf"nameSpaces.{LICENCE[1]}\[0\].elementIdentifier",
        ),
        (
            {
                "docType": LICENCE[0],
                "nameSpaces": {
                    LICENCE[1]: [
                        {"elementIdentifier": "age_over_18", "elementValue": False},
                        {"elementIdentifier": "age_over_18", "elementValue": True},
                    ]
                },
            },
            rf"nameSpaces.{LICENCE[1]}\[1\].elementIdentifier",
        ),
    ],
)
def test_a_document_of_another_form_is_refused(payload: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_mdoc(payload, observed_time=OBSERVED)


@pytest.mark.parametrize(
    "elements",
    [
        {"birth_date": "2008-03-15", "age_over_18": False},
        {"birth_date": "2008-03-15", "age_in_years": 17},
    ],
)
def test_the_last_birthday_may_have_been_since_the_issue(elements: dict[str, object]) -> None:
    items = from_mdoc(mdoc(LICENCE, elements), observed_time=OBSERVED, provider="issuer")

    assert items == (disclosed(age_years=18),)


@pytest.mark.parametrize(
    "elements",
    [
        {"birth_date": "1992-03-16", "age_over_18": False},
        {"age_birth_year": 2012, "age_in_years": 34},
    ],
)
def test_a_birth_is_compared_with_ages_only_where_the_time_is_known(
    elements: dict[str, object],
) -> None:
    with pytest.raises(ValueError, match=r"^observed_time: "):
        from_mdoc(mdoc(LICENCE, elements), observed_time=None)


def test_a_year_of_birth_must_agree_with_the_birth_date() -> None:
    payload = mdoc(LICENCE, {"birth_date": "2008-03-16", "age_birth_year": 2007})

    with pytest.raises(ValueError, match=r"age_birth_year: contradicts"):
        from_mdoc(payload, observed_time=None)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"age_equal_or_over": {"18": True}}, [over(18)]),
        ({"age_equal_or_over": {"16": True, "18": False}}, [over(16), under(18)]),
        ({"age_equal_or_over": {"18": True, "21": None}}, [over(18)]),
        ({"age_equal_or_over": {"16": True}, "age_over_18": False}, [over(16), under(18)]),
        ({"age_in_years": 34}, [disclosed(age_years=34)]),
        ({"age_birth_year": 1992}, [disclosed(birth_year=1992)]),
        ({"birthdate": "2008-03-16"}, [disclosed(age_years=17)]),
        ({"birthdate": "2008"}, [disclosed(birth_year=2008)]),
        ({"birthdate": "0000-03-16"}, []),
        ({"birthdate": "0000", "age_in_years": 30}, [disclosed(age_years=30)]),
        ({"vct": "urn:eudi:pid:1", "family_name": "Example"}, []),
    ],
)
def test_claims_of_a_credential_are_attested(
    claims: dict[str, object], expected: list[AgeEvidence]
) -> None:
    items = from_sd_jwt_pid(claims, observed_time=OBSERVED, provider="issuer")

    assert items == tuple(expected)
    assert_arrives(items)


@pytest.mark.parametrize(
    ("claims", "path"),
    [
        ({"age_equal_or_over": True}, "age_equal_or_over"),
        ({"age_equal_or_over": {"18": "true"}}, "age_equal_or_over.18"),
        ({"age_equal_or_over": {"eighteen": True}}, "age_equal_or_over.eighteen"),
        ({"age_equal_or_over": {"16": False, "18": True}}, "age_over_16"),
        # Told in two places, in two ways: whichever came last would win.
        ({"age_equal_or_over": {"18": False}, "age_over_18": True}, "age_over_18"),
        ({"age_equal_or_over": {"18": True}, "age_over_18": False}, "age_over_18"),
        # An ID token, in which anybody may have said anything.
        ({"aud": "client", "sub": "1", "birthdate": "1992-01-01"}, "aud"),
        ({"birthdate": "16-03-2008"}, "birthdate"),
        ({"birthdate": "0000-13-01"}, "birthdate"),
        ({"birthdate": "1899"}, "birthdate"),
        ({"birthdate": "2027"}, "birthdate"),
    ],
)
def test_a_claim_of_another_form_is_refused(claims: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_sd_jwt_pid(claims, observed_time=OBSERVED)


def declared(**changes: Any) -> AgeEvidence:
    """Return the self-declaration that an unverified claim is."""
    return self_declared(
        observed_time=OBSERVED, provider="issuer", binding=Binding.ACCOUNT, **changes
    )


def verified(claims: dict[str, object], **verification: object) -> dict[str, object]:
    """Return an element of verified claims."""
    return {"verification": {"trust_framework": "eidas", **verification}, "claims": claims}


ACCOUNT = {"binding": Binding.ACCOUNT}
DOCUMENT = {"evidence": [{"type": "document", "document_details": {"type": "idcard"}}]}


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"sub": "1"}, []),
        ({"birthdate": "2008-03-16"}, [declared(age_years=17)]),
        ({"birthdate": "2008"}, [declared(birth_year=2008)]),
        ({"birthdate": "0000-03-16"}, []),
        # Whoever says several ages is taken at each word.
        (
            {"birthdate": "1992-01-01", "age_in_years": 14, "age_birth_year": 2012},
            [declared(age_years=34), declared(age_years=14), declared(birth_year=2012)],
        ),
        # Nobody vouches for a bare threshold.
        ({"age_over_18": True, "age_equal_or_over": {"18": True}}, []),
        (
            {"verified_claims": verified({"birthdate": "2008-03-16"})},
            [disclosed(age_years=17, **ACCOUNT)],
        ),
        (
            {"verified_claims": verified({"birthdate": "2008-03-16"}, **DOCUMENT)},
            [disclosed(age_years=17, method=VerificationMethod.ID_DOCUMENT, **ACCOUNT)],
        ),
        (
            {"verified_claims": verified({"birthdate": "1992"})},
            [disclosed(birth_year=1992, **ACCOUNT)],
        ),
        (
            {"verified_claims": verified({"age_over_18": True})},
            [checked(18, CheckResult.OVER, **ACCOUNT)],
        ),
        (
            {"verified_claims": verified({"age_equal_or_over": {"16": True, "18": False}})},
            [
                checked(16, CheckResult.OVER, **ACCOUNT),
                checked(18, CheckResult.UNDER, **ACCOUNT),
            ],
        ),
        *(
            (
                {"verified_claims": verified({"birthdate": "1992"}, assurance_level=level)},
                [declared(birth_year=1992)],
            )
            for level in ("low", "very_low", "Low", "ial1")
        ),
        (
            {"verified_claims": verified({"birthdate": "1992"}, assurance_level="substantial")},
            [disclosed(birth_year=1992, **ACCOUNT)],
        ),
        # The same date again is no second fact; another one is.
        (
            {
                "birthdate": "1992-01-01",
                "verified_claims": [verified({"birthdate": "1992-01-01"})],
            },
            [disclosed(age_years=34, **ACCOUNT)],
        ),
        (
            {
                "birthdate": "2010-01-01",
                "verified_claims": [verified({"birthdate": "1992-01-01"})],
            },
            [disclosed(age_years=34, **ACCOUNT), declared(age_years=16)],
        ),
        (
            {
                "verified_claims": {
                    "verification": {"trust_framework": "our_own"},
                    "claims": {"birthdate": "1992-01-01", "age_over_18": True},
                }
            },
            [declared(age_years=34)],
        ),
    ],
)
def test_only_a_trusted_verification_makes_a_claim_more_than_a_declaration(
    claims: dict[str, object], expected: list[AgeEvidence]
) -> None:
    items = from_openid_claims(
        claims, observed_time=OBSERVED, trust_frameworks={"eidas"}, provider="issuer"
    )

    assert items == tuple(expected)
    assert_arrives(items)


def test_without_trusted_frameworks_all_claims_are_declarations() -> None:
    claims = {"verified_claims": verified({"birthdate": "1992-01-01"})}

    (item,) = from_openid_claims(
        claims, observed_time=OBSERVED, trust_frameworks=(), provider="issuer"
    )

    assert item == declared(age_years=34)


@pytest.mark.parametrize(
    ("claims", "path"),
    [
        ({"birthdate": "01/01/1992"}, "birthdate"),
        ({"birthdate": 1992}, "birthdate"),
        ({"age_over_18": "true"}, "age_over_18"),
        ({"verified_claims": "x"}, "verified_claims"),
        ({"verified_claims": {}}, "verified_claims.claims"),
        ({"verified_claims": {"claims": {}}}, "verified_claims.verification"),
        (
            {"verified_claims": {"claims": {}, "verification": {}}},
            "verified_claims.verification.trust_framework",
        ),
        ({"verified_claims": [verified({}), 7]}, r"verified_claims\[1\]"),
        (
            {"verified_claims": [verified({"birthdate": "1992-13-01"})]},
            r"verified_claims\[0\].claims.birthdate",
        ),
    ],
)
def test_an_openid_claim_of_another_form_is_refused(claims: dict[str, object], path: str) -> None:
    with pytest.raises(ValueError, match=rf"^{path}: "):
        from_openid_claims(claims, observed_time=OBSERVED, trust_frameworks={"eidas"})


def test_one_framework_is_given_in_a_set() -> None:
    with pytest.raises(TypeError, match="trust_frameworks"):
        from_openid_claims({}, observed_time=OBSERVED, trust_frameworks="eidas")
