"""What a challenger would have decided was never decided: it is counted, and stands in no table."""

from __future__ import annotations

from pairguard.store.ports import KeptRecord, RecordKind
from pairguard.v1.journal_pb2 import DecisionRecord, ShadowDecision, ShadowDecisions
from pairguard_training.exporting.decision_rows import decision_draft
from pairguard_training.exporting.tally import Reason, Thing


def test_a_challenger_s_decisions_are_no_pairs() -> None:
    shadow = ShadowDecisions(bundle_version="b", policy_version="p", decisions=[ShadowDecision()])
    message = DecisionRecord(record_version=1, decision_id="d", shadow=shadow)
    message.decision_time.seconds = 1_700_000_000
    record = KeptRecord("1", RecordKind.DECISION, "d", message.SerializeToString())

    draft = decision_draft(record)

    assert draft.tally.left_out_of(Thing.DECISIONS) == draft.tally.read[Thing.DECISIONS] == 1
    assert list(draft.tally.left_out) == [f"{Thing.DECISIONS}: {Reason.SHADOW}"]
