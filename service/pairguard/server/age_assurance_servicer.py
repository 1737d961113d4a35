"""``AgeAssuranceService``: each call from message to message.

Owns which part serves which call. It must not do any of the work.
"""

from __future__ import annotations

from collections.abc import Callable

import grpc

from pairguard.server.assessing import AgeAssessing
from pairguard.server.errors import FullViewNotAllowed
from pairguard.server.evidence_recording import EvidenceRecording
from pairguard.server.request_conversion import read_assess_age
from pairguard.server.response_conversion import assess_age_response
from pairguard.v1 import age_assurance_service_pb2 as messages
from pairguard.v1.age_assurance_service_pb2_grpc import AgeAssuranceServiceServicer


class AgeAssuranceServicer(AgeAssuranceServiceServicer):
    """Serves single participants.

    Args:
        assessing: What assesses them.
        recording: What keeps evidence.
        clock: Seconds since 1970.
        full_view_allowed: Whether callers may see what is believed about an age.
    """

    def __init__(
        self,
        assessing: AgeAssessing,
        recording: EvidenceRecording,
        *,
        clock: Callable[[], float],
        full_view_allowed: bool,
    ) -> None:
        self._assessing = assessing
        self._recording = recording
        self._clock = clock
        self._full_view_allowed = full_view_allowed

    def AssessAge(
        self, request: messages.AssessAgeRequest, context: grpc.ServicerContext
    ) -> messages.AssessAgeResponse:
        """Assess the age of one participant."""
        if not self._full_view_allowed:
            raise FullViewNotAllowed
        call = read_assess_age(request, self._clock())
        return assess_age_response(
            self._assessing.assess(call.participant, full_view=call.full_view)
        )

    def RecordAgeEvidence(
        self, request: messages.RecordAgeEvidenceRequest, context: grpc.ServicerContext
    ) -> messages.RecordAgeEvidenceResponse:
        """Keep evidence."""
        return self._recording.record(request)
