"""The figures that the server keeps of itself.

Owns names, units, labels and buckets; ``docs/metrics.md`` explains each to people. Label values
come from closed sets: enums, the methods of the contract, status codes, a version. It must not
know where things happen: whoever sees one calls a method here.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from pairguard.age.evidence import EVIDENCE_KINDS
from pairguard.age.kernel import COMPILED
from pairguard.policy.pair_columns import PairColumns
from pairguard.risk.model import ParticipantAssessment
from pairguard.risk.participant import Participant
from pairguard.server.call_figures import CallFigures
from pairguard.server.drift_figures import DriftFigures
from pairguard.server.drift_view import DriftView
from pairguard.server.generation_metrics import GenerationMetrics
from pairguard.server.journal_metrics import JournalMetrics
from pairguard.server.shadow_metrics import ShadowMetrics


class Metrics:
    """All metrics of one server, in one registry.

    Args:
        registry: Where they are kept; one server, one registry.
    """

    _told_versions: tuple[str | None, str | None] = (None, None)

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._calls = CallFigures()
        registry.register(self._calls)
        self.observe_rpc = self._calls.observe_rpc
        self.observe_pair = self._calls.observe_pair
        evidence = Counter(
            "pairguard_evidence_items",
            "Items of age evidence in requests.",
            ["kind"],
            registry=registry,
        )
        self._evidence = {kind: evidence.labels(kind) for kind in EVIDENCE_KINDS}
        self._unknown_signals = Counter(
            "pairguard_unknown_signals",
            "Names, categories and interests in requests that the catalogue does not have.",
            registry=registry,
        )
        self._degradations = Counter(
            "pairguard_degradations",
            "Answers that had to do without something.",
            ["kind"],
            registry=registry,
        )
        self._holds = Counter(
            "pairguard_holds_written",
            "Holds put on participants, durable before the answer.",
            ["reason"],
            registry=registry,
        )
        self._store_errors = Counter(
            "pairguard_store_errors",
            "Operations that the store could not do.",
            ["operation"],
            registry=registry,
        )
        self._bundle_info = Gauge(
            "pairguard_bundle_info",
            "1 for the version of the bundle that serves.",
            ["version"],
            registry=registry,
        )
        self._policy_info = Gauge(
            "pairguard_policy_info",
            "1 for the version of the policy that serves.",
            ["version"],
            registry=registry,
        )
        self._bundle_load_seconds = Gauge(
            "pairguard_bundle_load_seconds",
            "Time that loading and verifying the bundle took.",
            registry=registry,
        )
        Gauge(
            "pairguard_age_kernel_compiled",
            "1 where ages are fused by the compiled kernel, 0 where by numpy.",
            registry=registry,
        ).set(float(COMPILED))
        self.generation = GenerationMetrics(registry)
        self._log_errors = Counter(
            "pairguard_log_write_errors",
            "Log lines that could not be written.",
            registry=registry,
        )
        self._events = Counter(
            "pairguard_events",
            "Events that were sent, by what happened and what became of them.",
            ("event", "status"),
            registry=registry,
        )
        self._recorded_evidence = Counter(
            "pairguard_age_evidence_recorded",
            "Items of age evidence that were sent to be kept, by kind and what became of them.",
            ("kind", "status"),
            registry=registry,
        )
        self._chats = Counter(
            "pairguard_chats_started",
            "Chats that started, by how they agree with a decision.",
            ("reconciliation",),
            registry=registry,
        )
        self._unsafe_chats = Counter(
            "pairguard_unsafe_chats",
            "Open chats that new evidence made unsafe.",
            registry=registry,
        )
        self._released_holds = Counter(
            "pairguard_holds_released",
            "Holds that an age check ended, by reason.",
            ("reason",),
            registry=registry,
        )
        self._erasures = Counter(
            "pairguard_erasures",
            "Participants that were to be erased, by what became of it.",
            ("status",),
            registry=registry,
        )
        self._repeats = Counter(
            "pairguard_repeated_requests",
            "Requests that were sent again and got their earlier answer.",
            registry=registry,
        )
        journal = JournalMetrics(registry)
        self.count_lost_decision = journal.count_lost_decision
        self.count_journal_sync_error = journal.count_journal_sync_error
        self.watch_import = journal.watch_import
        self.observe_import = journal.observe_import
        self.observe_purge = journal.observe_purge
        self._authorizations = Counter(
            "pairguard_authorizations",
            "Calls by caller and whether it was let through; only where callers are told apart.",
            ("caller", "outcome"),
            registry=registry,
        )
        self._reloads = Counter(
            "pairguard_access_reloads",
            "Times that changed files of TLS or of the callers were read, by what became of it.",
            ("files", "status"),
            registry=registry,
        )
        self._certificate_expire_time = Gauge(
            "pairguard_certificate_expire_time_seconds",
            "Until when the server's certificate is valid, seconds since 1970; 0 without TLS.",
            registry=registry,
        )
        self._access_stale = Gauge(
            "pairguard_access_files_stale",
            "1 while changed files cannot be used and what they said before counts, else 0.",
            ("files",),
            registry=registry,
        )
        self._rankings = Counter(
            "pairguard_rankings",
            "Rankings of candidates, by whether anybody was offered.",
            ("outcome",),
            registry=registry,
        )
        self._ranked = Counter(
            "pairguard_ranked_candidates",
            "Candidates of rankings, by the decision on the pair; INVALID: not judged.",
            ("decision", "leading_reason"),
            registry=registry,
        )
        self._batch_pairs = Counter(
            "pairguard_batch_pairs",
            "Pairs that were judged in batches, which is advice and no decision.",
            ("decision", "leading_reason"),
            registry=registry,
        )
        self._pool_disagreements = Counter(
            "pairguard_pool_disagreements",
            "Batches that LightGBM ended because the trees of their pool had other bits.",
            registry=registry,
        )
        self.shadow = ShadowMetrics(registry)
        """Those of a challenger."""
        self._drift = DriftFigures()
        registry.register(self._drift)
        ProcessCollector(registry=registry)
        # Looking a child up by its labels costs more than counting with it.
        self._authorization_children: dict[tuple[str, str], Counter] = {}

    def observe_ranking(self, columns: PairColumns, *, offered: int, invalid: int) -> None:
        """Count a ranking and its candidates."""
        self._rankings.labels("offered" if offered else "nobody").inc()
        for decision, reason, count in columns.counts:
            self._ranked.labels(decision.name, reason.value).inc(count)
        if invalid:
            self._ranked.labels("INVALID", "").inc(invalid)

    def observe_batch(self, parts: Iterable[PairColumns]) -> None:
        """Count pairs of a batch."""
        for part in parts:
            for decision, reason, count in part.counts:
                self._batch_pairs.labels(decision.name, reason.value).inc(count)

    def count_pool_disagreement(self) -> None:
        """Count a pool whose trees were not those of LightGBM."""
        self._pool_disagreements.inc()

    def count_evidence(self, participants: Iterable[Participant]) -> None:
        """Count the items that were sent of participants by their fields in the contract."""
        kinds = [item.kind for each in participants for item in each.age_evidence]
        if not kinds:  # as of strangers; making a counter of nothing costs more than looking
            return
        for kind, count in Counts(kinds).items():
            self._evidence[kind].inc(count)

    def count_unknown_signals(self, assessed: Iterable[ParticipantAssessment]) -> None:
        """Count names that were sent of participants and ignored."""
        unknown = sum([len(each.unknown_names) for each in assessed])
        if unknown:
            self._unknown_signals.inc(unknown)

    def count_degradations(self, kinds: Iterable[str]) -> None:
        """Count what one answer had to do without."""
        for kind in kinds:
            self._degradations.labels(kind).inc()

    def count_hold(self, reason: str) -> None:
        """Count a hold that is durable now."""
        self._holds.labels(reason).inc()

    def count_events(self, event: str, status: str, count: int) -> None:
        """Count events by the name of their field: recorded, duplicate or refused."""
        self._events.labels(event, status).inc(count)

    def count_recorded_evidence(self, kind: str, status: str) -> None:
        """Count an item of evidence that was sent to be kept."""
        self._recorded_evidence.labels(kind, status).inc()

    def count_chat(self, reconciliation: str) -> None:
        """Count a chat that started, once it is known how it agrees with a decision."""
        self._chats.labels(reconciliation).inc()

    def count_unsafe_chat(self) -> None:
        """Count an open chat that new evidence made unsafe."""
        self._unsafe_chats.inc()

    def count_released_hold(self, reason: str) -> None:
        """Count a participant whose hold an age check ended."""
        self._released_holds.labels(reason).inc()

    def count_erasure(self, status: str) -> None:
        """Count an erasure by what became of it."""
        self._erasures.labels(status).inc()

    def count_repeat(self) -> None:
        """Count a request that got its earlier answer."""
        self._repeats.inc()

    def watch_drift(self, view: Callable[[], DriftView]) -> None:
        """Ask for drift whenever somebody looks at the figures."""
        self._drift.watch(view)

    def count_authorization(self, caller: str, outcome: str) -> None:
        """Count a call by the name of its caller, "" where it is not known."""
        child = self._authorization_children.get((caller, outcome))
        if child is None:
            child = self._authorizations.labels(caller, outcome)
            self._authorization_children[caller, outcome] = child
        child.inc()

    def observe_reload(self, files: str, *, used: bool) -> None:
        """Count that changed files were read: "tls" or "tokens"."""
        self._reloads.labels(files, "used" if used else "refused").inc()
        self._access_stale.labels(files).set(0.0 if used else 1.0)

    def tell_certificate_expire_time(self, expire_time: float) -> None:
        """Tell until when the certificate in use is valid, seconds since 1970."""
        self._certificate_expire_time.set(expire_time)

    def count_store_error(self, operation: str) -> None:
        """Count what the store could not do."""
        self._store_errors.labels(operation).inc()

    def count_log_error(self) -> None:
        """Count a log line that was lost."""
        self._log_errors.inc()

    def tell_generation(
        self, bundle_version: str, policy_version: str, bundle_load_seconds: float
    ) -> None:
        """Name what serves now, and nothing else."""
        for info, version, before in (
            (self._bundle_info, bundle_version, self._told_versions[0]),
            (self._policy_info, policy_version, self._told_versions[1]),
        ):
            # The new one first: who looks in between finds two and never none.
            info.labels(version).set(1)
            if before not in {None, version}:
                info.remove(before)
        self._told_versions = (bundle_version, policy_version)
        self._bundle_load_seconds.set(bundle_load_seconds)
