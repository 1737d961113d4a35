"""The declaration model is learned where many people show it, and kept where few do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pairguard.age.declaration import false_adult_claims
from pairguard.age.evidence import AgeEvidence, Observation, SelfDeclared, VerifiedAge
from pairguard.age.evidence import VerificationMethod as Method
from pairguard.age.parameters import AGE_GRID, Array
from pairguard.age.tables import AgeTables
from pairguard_training.declaration_fit import with_fitted_declarations
from pairguard_training.verified_evidence import VerifiedItem, others_statements
from tests.domain import NOW, TABLES, default_tables_document, merged

SECTION = TABLES.document["self_declared"]


def said(person: str, age: float, observation: Observation, weight: float = 1.0) -> VerifiedItem:
    """Return an item of somebody whose age is known exactly."""
    return VerifiedItem(
        person, AgeEvidence(observation), age, NOW, weight, whole_years=False, method=None
    )


def tables_with(changes: dict[str, Any]) -> AgeTables:
    return AgeTables.from_mapping(merged(default_tables_document(), {"self_declared": changes}))


def scaled(name: str, factor: float) -> dict[str, Any]:
    return {"values": [value * factor for value in SECTION[name]["values"]]}


def curve(tables: AgeTables, name: str) -> Array:
    section = tables.document["self_declared"][name]
    result: Array = np.interp(AGE_GRID, section["ages"], section["values"])
    return result


def simulated(
    tables: AgeTables, count: int, *, gates: tuple[float | None, ...] = (None,), seed: int = 5
) -> list[VerifiedItem]:
    """Draw what people declare as the tables say, made-up and borrowed accounts included."""
    rng = np.random.default_rng(seed)
    others = others_statements(
        tables, attack=tables.declaration_attack, attack_group="account", live=False
    )
    ages = np.where(rng.random(count) < 0.6, rng.uniform(8, 17, count), rng.uniform(19, 60, count))
    chances = {}
    for gate in gates:
        rows = np.array(
            [
                tables.declaration.likelihood(float(years), gate)
                if years >= (gate or 0)
                else 0 * AGE_GRID
                for years in range(121)
            ]
        )
        chances[gate] = np.cumsum(rows @ others, axis=0)
    items = []
    for i, age in enumerate(ages.tolist()):
        gate = gates[i % len(gates)]
        years = int((chances[gate][:, int(age)] < rng.random()).sum())
        declared = SelfDeclared(age_years=float(min(years, 120)), gate_years=gate)
        items.append(said(f"p{i}", age, declared))
    return items


def test_the_curves_of_many_people_are_recovered() -> None:
    truth = tables_with(
        {
            "adult_claim": scaled("adult_claim", 0.5),
            "older_claim": scaled("older_claim", 1.15),
            "adult_misstatement": {"value": 0.15},
        }
    )
    tables, reports = with_fitted_declarations(TABLES, simulated(truth, 12_000))
    for name in ("adult_claim", "older_claim"):
        assert curve(tables, name)[11:17] == pytest.approx(curve(truth, name)[11:17], abs=0.04)
        source = tables.document["self_declared"][name]["source"]
        assert source.startswith("fitted:")
        assert "12000" not in source  # adults teach nothing of what children say
    assert tables.document["self_declared"]["adult_misstatement"]["value"] == pytest.approx(
        0.15, abs=0.02
    )
    # Most young children use a parent's account, so that little is seen of what they say
    # themselves: the rate falls only as far as that allows.
    youngest = slice(8, 11)
    assert (curve(tables, "adult_claim")[youngest] >= curve(truth, "adult_claim")[youngest]).all()
    assert (curve(tables, "adult_claim")[youngest] < curve(TABLES, "adult_claim")[youngest]).all()
    shown = {report.name: report for report in reports}["self_declared.adult_claim at 13"]
    assert shown.preset == pytest.approx(0.36)
    assert shown.fitted == pytest.approx(curve(tables, "adult_claim")[13])


def test_behind_a_gate_at_13_who_did_not_pass_is_not_missed() -> None:
    truth = tables_with({"adult_claim": scaled("adult_claim", 0.6)})
    tables, _ = with_fitted_declarations(TABLES, simulated(truth, 12_000, gates=(13.0,)))
    fitted, true = curve(tables, "adult_claim"), curve(truth, "adult_claim")
    assert fitted[13:17] == pytest.approx(true[13:17], abs=0.05)
    # Of children under 13 three in four of those seen lie about being an adult or older; the rest
    # were turned away.
    assert fitted[9:13] == pytest.approx(true[9:13], abs=0.08)


def test_children_behind_an_adult_gate_teach_what_liars_claim_and_not_how_many_lie() -> None:
    # Every one of them says that it is an adult.
    items = [
        said(f"p{i}", 9.5 + i % 7, SelfDeclared(age_years=18.0 + i % 5, gate_years=18.0))
        for i in range(500)
    ]
    tables, reports = with_fitted_declarations(TABLES, items)
    for name in ("adult_claim", "older_claim", "adult_misstatement"):
        assert tables.document["self_declared"][name] == SECTION[name]
    changed = {report.name for report in reports if report.changed}
    assert changed == {
        "self_declared.adult_claim_decay",
        "self_declared.adult_claim_uniform_share",
    }


def test_the_spread_of_false_claims_is_recovered_and_its_source_told() -> None:
    truth = tables_with(
        {"adult_claim_decay": {"value": 0.5}, "adult_claim_uniform_share": {"value": 0.1}}
    )
    tables, _ = with_fitted_declarations(TABLES, simulated(truth, 6_000, gates=(None, 18.0)))
    section = tables.document["self_declared"]
    assert section["adult_claim_decay"]["value"] == pytest.approx(0.5, abs=0.08)
    assert section["adult_claim_uniform_share"]["value"] == pytest.approx(0.1, abs=0.06)
    assert section["adult_claim_decay"]["source"].startswith("fitted:")


def test_claims_that_few_liars_were_seen_to_make_get_no_rarer_than_they_show() -> None:
    def share_of_40(liars: int) -> float:
        items = [
            said(f"p{i}", 9.5 + i % 7, SelfDeclared(age_years=18.0 + i % 3, gate_years=18.0))
            for i in range(liars)
        ]
        section = with_fitted_declarations(TABLES, items)[0].document["self_declared"]
        claims = false_adult_claims(
            section["adult_claim_decay"]["value"], section["adult_claim_uniform_share"]["value"]
        )
        return float(claims[40:].sum())

    before = share_of_40(0)
    assert before * 0.4 < share_of_40(40) <= before
    assert share_of_40(1_000) < share_of_40(40)


def test_few_people_keep_the_preset() -> None:
    items = [said(f"p{i}", 14.5, SelfDeclared(age_years=25.0)) for i in range(19)]
    tables, reports = with_fitted_declarations(TABLES, items)
    assert tables is TABLES
    assert {report.people for report in reports} == {0, 19}


def test_some_honest_children_move_the_claims_little() -> None:
    honest = [said(f"p{i}", 8.5 + i % 8, SelfDeclared(age_years=8.0 + i % 8)) for i in range(30)]
    tables, _ = with_fitted_declarations(TABLES, honest)
    before, after = curve(TABLES, "adult_claim"), curve(tables, "adult_claim")
    # Nobody of thirty lied: the upper end of what that allows is still most of the preset.
    assert (after[8:17] <= before[8:17] + 1e-4).all()
    assert (after[8:17] > 0.6 * before[8:17]).all()


def test_children_who_all_claim_to_be_adults_are_believed_to() -> None:
    items = [said(f"p{i}", 8.5 + i % 8, SelfDeclared(age_years=18.0 + i % 4)) for i in range(200)]
    tables, _ = with_fitted_declarations(TABLES, items)
    assert (curve(tables, "adult_claim")[8:17] > curve(TABLES, "adult_claim")[8:17] + 0.05).all()


def test_people_within_a_year_of_the_line_are_left_out() -> None:
    near = [said(f"p{i}", 17.5, SelfDeclared(age_years=30.0)) for i in range(300)]
    near += [said(f"q{i}", 18.5, SelfDeclared(age_years=14.0)) for i in range(300)]
    tables, reports = with_fitted_declarations(TABLES, near)
    assert tables is TABLES
    assert {report.people for report in reports} == {0}


def test_copies_of_one_person_count_once() -> None:
    items = simulated(TABLES, 400)
    copies = [item for item in items[:50] for _ in range(20)]
    alone, repeated = (
        with_fitted_declarations(TABLES, found)[0].document["self_declared"]
        for found in (items, items + copies)
    )
    for name in ("adult_claim", "older_claim"):
        assert repeated[name]["values"] == pytest.approx(alone[name]["values"], abs=1e-3)


def test_a_label_in_whole_years_may_be_off_by_one_without_making_a_liar() -> None:
    def labelled(method: Method) -> list[VerifiedItem]:
        """Return adults of whom every tenth label is a year off."""
        return [
            VerifiedItem(
                f"p{i}",
                AgeEvidence(SelfDeclared(age_years=25.0 + (i % 10 == 0))),
                25.5,
                NOW,
                1.0,
                whole_years=True,
                method=method,
            )
            for i in range(600)
        ]

    by_reviewer, by_document = (
        {report.name: report for report in with_fitted_declarations(TABLES, labelled(method))[1]}[
            "self_declared.adult_misstatement"
        ].fitted
        for method in (Method.MODERATOR, Method.ID_DOCUMENT)
    )
    assert by_reviewer < by_document


def test_years_of_birth_count_as_the_two_ages_that_they_leave() -> None:
    # Born 2011 and asked in November 2026: 14 or 15.
    honest = [said(f"p{i}", 14.6, SelfDeclared(birth_year=2011 + i % 2)) for i in range(300)]
    lying = [said(f"p{i}", 14.6, SelfDeclared(birth_year=1990 + i % 2)) for i in range(300)]
    of_honest, of_lying = (
        curve(with_fitted_declarations(TABLES, items)[0], "adult_claim")[14]
        for items in (honest, lying)
    )
    assert of_honest < curve(TABLES, "adult_claim")[14] < of_lying


@pytest.mark.parametrize("gate", [None, 13.0, 18.0])
def test_many_declared_ages_have_the_likelihoods_of_each(gate: float | None) -> None:
    years = np.arange(125)
    found = TABLES.declaration.likelihoods(years, gate)
    for place, each in enumerate(years.tolist()):
        assert (found[place] == TABLES.declaration.likelihood(float(each), gate)).all()


def test_the_same_people_give_the_same_document_and_it_loads() -> None:
    items = simulated(TABLES, 500, gates=(None, 13.0, 18.0))
    first, second = (with_fitted_declarations(TABLES, items)[0] for _ in range(2))
    assert first.document == second.document
    assert AgeTables.from_mapping(first.document).declaration.table == pytest.approx(
        first.declaration.table
    )


def test_other_evidence_is_not_looked_at() -> None:
    verified = VerifiedAge(Method.ID_DOCUMENT, age_years=30.0)
    items = [said(f"p{i}", 14.5, verified) for i in range(200)]
    assert with_fitted_declarations(TABLES, items)[0] is TABLES
