"""The text form of a LightGBM model: its parts, and numbers in the only forms it writes.

Owns syntax alone; what the numbers mean stands in ``pairguard.risk.forest``. Everything that
LightGBM would read is checked, also what is not used here: on a malformed text it may end the
process instead of returning an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from pairguard.errors import BundleRefused

END = "end of trees"
WORD_BITS = 32
_WHOLE_NUMBERS = re.compile(r"(?:-?\d{1,10}(?: -?\d{1,10})*)?")
_NUMBER = r"-?(?:\d{1,20}(?:\.\d{1,20})?(?:e[+-]\d{1,3})?|inf)"
_NUMBERS = re.compile(rf"(?:{_NUMBER}(?: {_NUMBER})*)?")
_HEADER: Mapping[str, re.Pattern[str]] = {
    "tree": re.compile(""),
    "version": re.compile("v3|v4"),
    "num_class": re.compile(r"\d{1,4}"),
    "num_tree_per_iteration": re.compile(r"\d{1,4}"),
    "label_index": re.compile(r"\d{1,9}"),
    "max_feature_idx": re.compile(r"\d{1,9}"),
    "objective": re.compile(r"[a-z_\d]+(?: [a-z_]+(?::\d+(?:\.\d+)?)?)*"),
    "feature_names": re.compile(r"\S+(?: \S+)*"),
    "feature_infos": re.compile(r"\S+(?: \S+)*"),
    "monotone_constraints": re.compile(r"-?[01](?: -?[01])*"),
    "tree_sizes": re.compile(r"\d{1,9}(?: \d{1,9})*"),
}
TREE_KEYS = frozenset(
    (
        *("Tree", "num_leaves", "num_cat", "split_feature", "threshold", "decision_type"),
        *("left_child", "right_child", "leaf_value", "leaf_count", "internal_value"),
        *("internal_count", "cat_boundaries", "cat_threshold", "is_linear", "split_gain"),
        *("leaf_weight", "internal_weight", "shrinkage"),
    )
)


def refused(why: str) -> BundleRefused:
    """Return the error that says why a model text is refused."""
    return BundleRefused(f"not a usable tree model: {why}", reason="BUNDLE_INVALID")


def divide(text: str) -> tuple[Mapping[str, str], list[str]]:
    """Cut a model text into its header and the blocks of its trees, by the sizes it states.

    Raises:
        BundleRefused: Where it is no LightGBM text, or not a whole one.
    """
    if not text.startswith("tree\n") or "\0" in text:
        raise refused("it does not begin as a LightGBM model")
    head, found, _ = text.partition("\n\nTree=0\n")
    header = fields_of(head)
    for key, value in header.items():
        if key not in _HEADER or not _HEADER[key].fullmatch(value):
            raise refused("its header is not one of boosted trees in format v3 or v4")
    end = text.find(END)
    if not found or end < 0 or "\nend of parameters" not in text[end:]:
        raise refused("it is cut off or holds no tree")
    start = len(head) + 2
    blocks = []
    sizes = [int(size) for size in header.get("tree_sizes", "0").split(" ")]
    for index, size in enumerate(sizes):
        block = text[start : start + size]
        if not block.startswith(f"Tree={index}\n") or not block.isascii():
            raise refused(f"tree {index} is not where the header says")
        blocks.append(block)
        start += size
    if start != end or text.count("\nTree=", 0, end) != len(blocks):
        raise refused("its trees do not add up to the sizes in the header")
    return header, blocks


def fields_of(block: str) -> dict[str, str]:
    """Return the ``key=value`` lines of a block; a key that comes twice is refused."""
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        key, _, value = line.partition("=")
        if key and fields.setdefault(key, value) is not value:
            raise refused(f"{key} is given twice")
    return fields


def whole_numbers(text: str, length: int | None) -> tuple[int, ...]:
    """Read a list of 32-bit whole numbers, signed or not; ValueError where it is none.

    Args:
        text: Numbers apart by one space; "": none.
        length: How many there must be; None: any number.
    """
    _check_form(_WHOLE_NUMBERS, text)
    values = tuple(map(int, text.split(" "))) if text else ()
    if length is not None and len(values) != length:
        raise ValueError(f"{len(values)} whole numbers instead of {length}")
    if any(not -(1 << WORD_BITS - 1) <= value < 1 << WORD_BITS for value in values):
        raise ValueError("a whole number of more than 32 bits")
    return values


def numbers(text: str, length: int | None, *, infinite: bool = False) -> tuple[float, ...]:
    """Read a list of numbers as ``whole_numbers`` does, infinite ones only where allowed."""
    _check_form(_NUMBERS, text)
    values = tuple(map(float, text.split(" "))) if text else ()
    if length is not None and len(values) != length:
        raise ValueError(f"{len(values)} numbers instead of {length}")
    if not (infinite or all(map(math.isfinite, values))):
        raise ValueError("a number that is not finite")
    return values


def _check_form(form: re.Pattern[str], text: str) -> None:
    # The forms that LightGBM writes. Python reads more than these, and on some of what it reads
    # LightGBM ends the process.
    if not form.fullmatch(text):
        raise ValueError("what is not a list of numbers")
