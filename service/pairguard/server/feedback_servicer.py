"""``FeedbackService``: no call of it is built yet.

Owns the refusals, so that a caller learns it from a status and not from silence.
"""

from __future__ import annotations

import grpc

from pairguard.server.errors import CallNotBuilt
from pairguard.v1 import feedback_service_pb2 as messages
from pairguard.v1.feedback_service_pb2_grpc import FeedbackServiceServicer


class FeedbackServicer(FeedbackServiceServicer):
    """Refuses reports and erasures."""

    def RecordEvents(
        self, request: messages.RecordEventsRequest, context: grpc.ServicerContext
    ) -> messages.RecordEventsResponse:
        """Refuse: not built yet."""
        raise CallNotBuilt

    def EraseParticipant(
        self, request: messages.EraseParticipantRequest, context: grpc.ServicerContext
    ) -> messages.EraseParticipantResponse:
        """Refuse: not built yet."""
        raise CallNotBuilt
