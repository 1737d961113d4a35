"""The composition root: the only place that knows every part.

Owns how the parts are put together. Nothing is opened, bound or started here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TextIO

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry

from pairguard.server.age_assurance_servicer import AgeAssuranceServicer
from pairguard.server.application import COMPONENTS, Application, Parts
from pairguard.server.assessing import AgeAssessing
from pairguard.server.authorization import Authorization
from pairguard.server.caller_file import callers_of
from pairguard.server.caller_limits import CallerLimits
from pairguard.server.canonical_log import CanonicalLog
from pairguard.server.current_hashing import CurrentHashing
from pairguard.server.decision_journal import DecisionJournal
from pairguard.server.decision_records import DecisionRecords, JournalFile
from pairguard.server.drift_watch import DriftWatch
from pairguard.server.erasing import Erasing
from pairguard.server.event_recording import EventRecording
from pairguard.server.evidence_recording import EvidenceRecording
from pairguard.server.feedback_servicer import FeedbackServicer
from pairguard.server.generation import Generation, GenerationSlot
from pairguard.server.generation_following import Following, GenerationFollowing
from pairguard.server.generation_loading import GenerationLoading
from pairguard.server.generation_sources import Sources
from pairguard.server.health import Health
from pairguard.server.interceptors import CallRecorder, ErrorBoundary, WrappingInterceptor
from pairguard.server.journal_import import JournalImport
from pairguard.server.journal_reading import JournalReading
from pairguard.server.kept_participants import KeptParticipants
from pairguard.server.metrics import Metrics
from pairguard.server.pair_risk_servicer import PairRiskServicer
from pairguard.server.pool_memory import PoolMemory
from pairguard.server.pool_scoring import PoolScoring
from pairguard.server.processes.link import SupervisorLink
from pairguard.server.processes.ordered_generation import OrderedGeneration
from pairguard.server.rank_candidates import RankCandidates
from pairguard.server.ranking import CandidateRanking
from pairguard.server.ranking_journal import RankingJournal
from pairguard.server.recent_decisions import RecentDecisions
from pairguard.server.repeats import Repeats
from pairguard.server.score_pair import ScorePair
from pairguard.server.score_pairs import BatchSlots, ScorePairs
from pairguard.server.scoring import PairScoring
from pairguard.server.settings import Settings
from pairguard.server.shadow import Shadow
from pairguard.server.shadow_journal import ShadowJournal
from pairguard.server.shadow_loading import load_challenger
from pairguard.server.tls import tls_of
from pairguard.server.upkeep import Upkeep
from pairguard.store.opening import open_store
from pairguard.store.ports import ParticipantStore
from pairguard.store.segments.writing import SegmentWriter
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


_CONNECTION_GRACE_MS: Final = 60_000

MAX_HEADER_BYTES: Final = 8_192
"""Names and values of the headers of a call, with 32 bytes for each of them."""


def compose(
    settings: Settings,
    *,
    log_stream: TextIO,
    clock: Callable[[], float] = time.time,
    store: ParticipantStore | None = None,
    journal_file: JournalFile | None = None,
    import_in_child: bool = True,
    supervisor: SupervisorLink | None = None,
    further_handlers: Sequence[grpc.GenericRpcHandler] = (),
) -> Application:
    """Put a server together.

    Args:
        settings: What it was told.
        log_stream: Where canonical lines go.
        clock: Seconds since 1970.
        store: What is kept; None: the one that the settings name.
        journal_file: Where decisions are recorded; None: segments in the settings' directory.
        import_in_child: Take decisions over into the store in a process of its own, which opens
            the store of the settings; otherwise in a thread.
        supervisor: Whose worker this is: other processes listen on the same port, which the
            supervisor has reserved, what one does for all one of them does, and what judges is
            changed when it says so. None: this is the only process.
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
        store = open_store(
            settings.store,
            key_path=settings.key_file,
            password_path=settings.store_password_file,
            read_timeout_seconds=settings.store_read_timeout_seconds,
        )
    generations = GenerationSlot(clock, on_unkept=lambda generation: _log_unkept(log, generation))
    metrics.generation.watch_promises(generations.unkept_promises, generations.promises_expire_time)
    recent = RecentDecisions()
    kept = KeptParticipants(store, recent)
    hashing = CurrentHashing(kept)
    segments = SegmentWriter(
        settings.journal_directory, on_sync_error=metrics.count_journal_sync_error
    )
    records = DecisionRecords(journal_file or segments, kept, hashing, metrics)
    journal_import = JournalImport(settings, store, recent, metrics, in_child=import_in_child)
    reading = JournalReading(store, metrics, flush=journal_import.flush)
    full_view = settings.full_view_allowed
    repeats = Repeats(store, kept, metrics, clock=clock)
    pool_scoring = PoolScoring(generations, kept, metrics, clock=clock)
    shadow = Shadow(
        partial(load_challenger, settings),
        ShadowJournal(journal_file or segments, metrics.shadow),
        metrics.shadow,
        on_refusal=partial(log.failure, "the challenger is refused", method=""),
        one_call_in=settings.shadow_one_call_in,
    )
    drift = DriftWatch(generations, clock=clock, pairs_per_second=settings.drift_pairs_per_second)
    metrics.watch_drift(drift.view)
    score_pair = ScorePair(
        PairScoring(
            generations,
            kept,
            store,
            metrics,
            clock=clock,
            allow_expire_seconds=settings.allow_expire_seconds,
        ),
        DecisionJournal(records, recent),
        repeats,
        metrics,
        observers=(shadow.offer, drift.offer),
        clock=clock,
        full_view_allowed=full_view,
    )
    score_pairs = ScorePairs(
        pool_scoring, BatchSlots(settings.worker_threads), metrics, clock=clock
    )
    rank_candidates = RankCandidates(
        CandidateRanking(pool_scoring, allow_expire_seconds=settings.allow_expire_seconds),
        RankingJournal(records, kept, recent),
        PoolMemory(),
        repeats,
        metrics,
        observers=(shadow, drift),
        clock=clock,
    )
    evidence_recording = EvidenceRecording(
        store,
        kept,
        hashing,
        generations,
        metrics,
        clock=clock,
        find_decisions=reading.find_decisions,
        accept_weak_durability=settings.accept_weak_durability,
    )
    event_recording = EventRecording(
        store,
        kept,
        hashing,
        generations,
        metrics,
        clock=clock,
        find_decisions=reading.find_decisions,
        accept_weak_durability=settings.accept_weak_durability,
    )
    health = Health(COMPONENTS, SERVICES)
    callers = callers_of(settings, on_reload=partial(_observe_reload, metrics, "tokens"))
    # The first is the outermost: it also measures what the others answer.
    interceptors: list[grpc.ServerInterceptor] = [
        WrappingInterceptor(CallRecorder(metrics, log).wrap),
        WrappingInterceptor(ErrorBoundary(log).wrap),
    ]
    if callers is not None:
        authorization = Authorization(callers.current, metrics, clock=clock, limits=CallerLimits())
        interceptors.append(WrappingInterceptor(authorization.wrap))
    pool = ThreadPoolExecutor(settings.worker_threads, thread_name_prefix="rpc")
    server = grpc.server(
        pool,
        interceptors=interceptors,
        options=(
            # Alone, a second server on the port must fail and not take half of the calls.
            ("grpc.so_reuseport", int(supervisor is not None)),
            # New connections come to all processes alike; old ones end so that load spreads. Calls
            # under way on them are answered.
            ("grpc.max_connection_age_ms", int(settings.connection_age_seconds * 1e3)),
            ("grpc.max_connection_age_grace_ms", _CONNECTION_GRACE_MS),
            ("grpc.max_receive_message_length", settings.max_request_bytes),
            # Between the two gRPC would refuse some calls and let others through, by chance.
            ("grpc.max_metadata_size", MAX_HEADER_BYTES),
            ("grpc.absolute_max_metadata_size", MAX_HEADER_BYTES),
        ),
        maximum_concurrent_rpcs=settings.max_concurrent_rpcs,
    )
    add_PairRiskServiceServicer_to_server(
        PairRiskServicer(
            score_pair, score_pairs, rank_candidates, reading, full_view_allowed=full_view
        ),
        server,
    )
    add_AgeAssuranceServiceServicer_to_server(
        AgeAssuranceServicer(
            AgeAssessing(generations, kept, metrics, clock=clock),
            evidence_recording,
            clock=clock,
            full_view_allowed=full_view,
        ),
        server,
    )
    add_FeedbackServiceServicer_to_server(
        FeedbackServicer(
            event_recording,
            Erasing(store, kept, metrics, clock=clock, flush=journal_import.flush),
        ),
        server,
    )
    add_HealthServicer_to_server(health.servicer, server)
    server.add_generic_rpc_handlers(further_handlers)
    if settings.reflection_on:
        described = (*SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
        reflection.enable_server_reflection((*described, reflection.SERVICE_NAME), server)
    return Application(
        Parts(
            settings=settings,
            server=server,
            pool=pool,
            shares_port=supervisor is not None,
            following=_following(
                settings, supervisor, GenerationLoading(generations, metrics, log, clock=clock)
            ),
            store=store,
            segments=segments,
            journal_import=journal_import,
            upkeep=Upkeep(
                store,
                reading,
                kept,
                metrics,
                clock=clock,
                retention=settings.retention,
                for_all=supervisor is None or supervisor.leads,
            ),
            health=health,
            metrics=metrics,
            drift=drift,
            tls=tls_of(
                settings,
                on_reload=partial(_observe_reload, metrics, "tls"),
                on_expire_time=metrics.tell_certificate_expire_time,
            ),
            callers=callers,
            shadow=shadow,
        )
    )


def _following(
    settings: Settings, supervisor: SupervisorLink | None, loading: GenerationLoading
) -> Following:
    """Return what keeps that which judges up to date."""
    keys = settings.bundle_public_key_file
    if supervisor is not None:
        return OrderedGeneration(supervisor, loading, public_key_file=keys)
    return GenerationFollowing(
        Sources(settings.bundle_path, settings.policy_file, keys),
        loading,
        check_seconds=settings.reload_check_seconds,
    )


def _log_unkept(log: CanonicalLog, generation: Generation) -> None:
    facts = generation.certificate
    log.promises_unkept(
        facts.why,
        len(facts.unkept),
        bundle_version=generation.bundle_version,
        policy_version=generation.policy_version,
    )


def _observe_reload(metrics: Metrics, files: str, used: bool) -> None:  # noqa: FBT001 - its one fact
    metrics.observe_reload(files, used=used)
