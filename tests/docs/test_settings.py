"""What docs/settings.md says of callers is what the server takes and asks for."""

from __future__ import annotations

import re
from pathlib import Path

from pairguard.server.authorization import SCOPES
from pairguard.server.callers import Scope, parse_callers

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")


def test_the_file_of_callers_that_is_shown_is_one() -> None:
    (document,) = re.findall(r"```toml\n(\[\[callers\]\].*?)```", PAGE, flags=re.DOTALL)

    callers = parse_callers(document)

    assert callers.names == {"matchmaker", "event-queue"}
    # Nobody can have copied it and be called by a token that everybody knows.
    assert [each for each in ("", "test", "token", "secret") if callers.with_token(each)] == []


def test_each_call_stands_beside_its_scope() -> None:
    rows = dict(re.findall(r"^\| (\w+) \| (`\w+`.*) \|$", PAGE, re.MULTILINE))
    written = {
        call: scope
        for scope in Scope
        for call in re.findall(r"`([A-Z][a-z]\w+)`", rows[scope.value])
    }

    assert written == {method.partition("/")[2]: scope for method, scope in SCOPES.items()}
