"""The composition root: the only place that knows every part.

Owns how the parts are put together. Nothing is opened, bound or started here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TextIO

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry

from pairguard.server.age_assurance_servicer import AgeAssuranceServicer
from pairguard.server.application import COMPONENTS, Application, Parts
from pairguard.server.assessing import AgeAssessing
from pairguard.server.canonical_log import CanonicalLog
from pairguard.server.feedback_servicer import FeedbackServicer
from pairguard.server.generation import GenerationSlot
from pairguard.server.health import Health
from pairguard.server.interceptors import CallRecorder, ErrorBoundary, WrappingInterceptor
from pairguard.server.metrics import Metrics
from pairguard.server.pair_risk_servicer import PairRiskServicer
from pairguard.server.scoring import PairScoring
from pairguard.server.settings import Settings
from pairguard.server.upkeep import Upkeep
from pairguard.store.ports import HoldStore
from pairguard.store.sqlite import SqliteHoldStore
from pairguard.v1 import age_assurance_service_pb2, feedback_service_pb2, pair_risk_service_pb2
from pairguard.v1.age_assurance_service_pb2_grpc import add_AgeAssuranceServiceServicer_to_server
from pairguard.v1.feedback_service_pb2_grpc import add_FeedbackServiceServicer_to_server
from pairguard.v1.pair_risk_service_pb2_grpc import add_PairRiskServiceServicer_to_server

SERVICES = tuple(
    service.full_name
    for module in (age_assurance_service_pb2, feedback_service_pb2, pair_risk_service_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
)
"""Full names of the contract's services."""


def compose(
    settings: Settings,
    *,
    log_stream: TextIO,
    clock: Callable[[], float] = time.time,
    store: HoldStore | None = None,
    further_handlers: Sequence[grpc.GenericRpcHandler] = (),
) -> Application:
    """Put a server together.

    Args:
        settings: What it was told.
        log_stream: Where canonical lines go.
        clock: Seconds since 1970.
        store: Holds; None: the SQLite file of the settings.
        further_handlers: Calls that are not pairguard's, served beside them and not recorded.
    """
    metrics = Metrics(CollectorRegistry())
    log = CanonicalLog(
        log_stream,
        one_ok_call_in=settings.log_one_ok_call_in,
        on_lost_line=metrics.count_log_error,
        clock=clock,
    )
    if store is None:
        store = SqliteHoldStore(settings.hold_store_file, key_path=settings.identity_key_file)
    generations = GenerationSlot()
    scoring = PairScoring(
        generations,
        store,
        metrics,
        clock=clock,
        allow_expire_seconds=settings.allow_expire_seconds,
    )
    assessing = AgeAssessing(generations, metrics, clock=clock)
    health = Health(COMPONENTS, SERVICES)
    server = grpc.server(
        ThreadPoolExecutor(settings.worker_threads, thread_name_prefix="rpc"),
        # The first is the outermost: it also measures what the others answer.
        interceptors=[
            WrappingInterceptor(CallRecorder(metrics, log).wrap),
            WrappingInterceptor(ErrorBoundary(log).wrap),
        ],
        options=(
            # A second server on the port must fail and not take half of the calls.
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", settings.max_request_bytes),
        ),
        maximum_concurrent_rpcs=settings.max_concurrent_rpcs,
    )
    full_view = settings.full_view_allowed
    add_PairRiskServiceServicer_to_server(
        PairRiskServicer(scoring, clock=clock, full_view_allowed=full_view), server
    )
    add_AgeAssuranceServiceServicer_to_server(
        AgeAssuranceServicer(assessing, clock=clock, full_view_allowed=full_view), server
    )
    add_FeedbackServiceServicer_to_server(FeedbackServicer(), server)
    add_HealthServicer_to_server(health.servicer, server)
    server.add_generic_rpc_handlers(further_handlers)
    if settings.reflection_on:
        described = (*SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
        reflection.enable_server_reflection((*described, reflection.SERVICE_NAME), server)
    return Application(
        Parts(
            settings=settings,
            server=server,
            generations=generations,
            store=store,
            upkeep=Upkeep(store, metrics, clock=clock),
            health=health,
            metrics=metrics,
        )
    )
