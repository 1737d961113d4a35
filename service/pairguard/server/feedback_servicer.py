"""``FeedbackService``: each call from message to message.

Owns which part serves which call. It must not do any of the work.
"""

from __future__ import annotations

import grpc

from pairguard.server.erasing import Erasing
from pairguard.server.event_recording import EventRecording
from pairguard.v1 import feedback_service_pb2 as messages
from pairguard.v1.feedback_service_pb2_grpc import FeedbackServiceServicer


class FeedbackServicer(FeedbackServiceServicer):
    """Serves what happened after a decision.

    Args:
        recording: What records events.
        erasing: What erases participants.
    """

    def __init__(self, recording: EventRecording, erasing: Erasing) -> None:
        self._recording = recording
        self._erasing = erasing

    def RecordEvents(
        self, request: messages.RecordEventsRequest, context: grpc.ServicerContext
    ) -> messages.RecordEventsResponse:
        """Record events."""
        return self._recording.record(request)

    def EraseParticipant(
        self, request: messages.EraseParticipantRequest, context: grpc.ServicerContext
    ) -> messages.EraseParticipantResponse:
        """Erase a participant."""
        return self._erasing.erase(request)
