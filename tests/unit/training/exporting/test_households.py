"""Who falls together because of ids that they share."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pairguard_training.exporting.conversion import LINKS
from pairguard_training.exporting.households import MOST_SHARING, Households, households

LINK = st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdefvwxyz"))


def shared(links: Sequence[tuple[str, str]]) -> Households:
    return households(pl.DataFrame(list(links), schema=dict(LINKS), orient="row"))


def clusters(links: Sequence[tuple[str, str]]) -> dict[str, str]:
    return dict(shared(links).of_ids.iter_rows())


@given(links=st.lists(LINK, max_size=12))
def test_whoever_is_linked_over_others_is_in_one_cluster(links: list[tuple[str, str]]) -> None:
    found = clusters(links)
    assert set(found) == {each for link in links for each in link}
    reached: dict[str, set[str]] = {each: {each} for each in found}
    for _ in links:
        for one, other in links:
            together = reached[one] | reached[other]
            for each in together:
                reached[each] |= together
    assert found == {each: min(reached[each]) for each in found}


def test_what_a_whole_network_shares_is_no_household() -> None:
    crowd = [(f"p{number:03}", "network") for number in range(MOST_SHARING + 1)]
    found = shared([*crowd, ("p000", "phone"), ("p001", "phone")])
    assert found.ignored == 1
    assert found.largest == 3
    assert dict(found.of_ids.iter_rows()) == {"p000": "p000", "p001": "p000", "phone": "p000"}
    assert clusters(crowd[:MOST_SHARING])["network"] == "network"
