"""How many people stand behind ids that were told together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pairguard.history.people import distinct_people

told = st.lists(st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=3), max_size=8)


@given(ids_of_each=told)
def test_who_shares_any_id_with_another_is_the_same_person(ids_of_each: list[list[str]]) -> None:
    # One after another, in the plainest way.
    people: list[set[str]] = []
    for ids in ids_of_each:
        same = [person for person in people if not person.isdisjoint(ids)]
        people = [person for person in people if person not in same]
        people.append(set(ids).union(*same))
    assert distinct_people(ids_of_each) == len(people)
