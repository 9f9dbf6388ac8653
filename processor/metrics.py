"""The processor's own metrics."""

from collections.abc import Callable, Iterable

from opentelemetry.metrics import CallbackOptions, Counter, Meter, Observation

from processor.outcome import Fate
from shared import limits
from shared.jobstore.consistency import Kind
from shared.jobstore.operations import Run
from shared.telemetry.job_ends import JobEnds
from shared.telemetry.metrics import JOB_SECONDS

_RATIOS = (0.1, 0.25, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 10)
"""Buckets around 1, the same on both sides: 0.5 and 2 are off by a factor of two."""
_NOBODY_MINDS_MS = 1_000


class ProcessorMetrics:
    """Counts what becomes of jobs: each end is counted once, by the processor that wrote it."""

    STEPS = ("expired", "cancelled", "trimmed", "tombstone", "forgotten", "stuck")

    STRAY_OUTCOMES = ("deleted", "refused", "stuck")

    REASONS = ("permanent", "failures", "crashes", "expired", "damaged")
    """Why jobs fail for good: as in their dead letters."""

    def __init__(self, meter: Meter, *, deadline_seconds: int = limits.DEADLINE_SECONDS) -> None:
        self._meter = meter
        self._ends = JobEnds(meter, deadline_seconds=deadline_seconds)
        self._completed = _counter(meter, "download_jobs_completed", "Jobs that ended with an archive")
        what = "Jobs that ended with an error, by the reason in their dead letter"
        self._failed = _counter(meter, "download_jobs_failed", what, "reason", self.REASONS)
        what = "Bytes of the archives of completed jobs"
        self._archived = _counter(meter, "download_archive", what, unit="By")
        self._cancelled = _counter(meter, "download_jobs_cancelled", "Jobs that were given up")
        self._foreign = _counter(meter, "download_foreign_entries", "Entries of the command stream that named no job")
        self._reclaimed = _counter(meter, "download_reclaimed", "Runs taken over after their lease had run out")
        self._duration = meter.create_histogram(
            "download_job_duration",
            unit="s",
            description="From the first start of a job to its end",
            explicit_bucket_boundaries_advisory=JOB_SECONDS,
        )
        self._queue_wait = meter.create_histogram(
            "download_job_queue_wait",
            unit="s",
            description="From the creation of a job to its first start",
            explicit_bucket_boundaries_advisory=JOB_SECONDS,
        )
        self._estimate_error = meter.create_histogram(
            "download_estimate_error_ratio",
            description="What a completed job took from its creation, divided by what it was promised",
            explicit_bucket_boundaries_advisory=_RATIOS,
        )
        what = "Jobs in hand when a drain began, by what became of them"
        self._drained = _counter(meter, "download_drained_jobs", what, "outcome", Fate)
        what = "Bytes of archives that earlier runs had uploaded, and that were not uploaded again"
        self._resumed = _counter(meter, "download_resumed", what, unit="By")
        self._make_maintenance(meter)

    def _make_maintenance(self, meter: Meter) -> None:
        what = "Uploads of killed processors that were aborted"
        self._orphans = _counter(meter, "download_orphaned_uploads_aborted", what)
        what = "Steps of jobs towards oblivion, by what was done"
        self._steps = _counter(meter, "download_janitor_steps", what, "step", self.STEPS)
        what = "Archives that no job knew of, by what was done with them"
        self._strays = _counter(meter, "download_orphaned_archives", what, "outcome", self.STRAY_OUTCOMES)
        what = "What did not fit together in the job store, by kind"
        self._repairs = _counter(meter, "download_repairs", what, "kind", Kind)
        what = "Consumers of processors that were gone"
        self._dropped_consumers = _counter(meter, "download_consumers_removed", what)

    def count_start(self, run: Run) -> None:
        """Count the start of a run."""
        record = run.record
        if run.is_takeover:
            self._reclaimed.add(1)
        if record.epoch == 1 and record.started_at_ms is not None:
            self._queue_wait.record((record.started_at_ms - record.created_at_ms) / 1000)

    def count_resumed(self, count_bytes: int) -> None:
        """Count bytes that a run found uploaded already."""
        self._resumed.add(count_bytes)

    def count_completion(self, run: Run, ended_at_ms: int, *, archive_bytes: int) -> None:
        """Count a job that has its archive."""
        self._completed.add(1)
        self._archived.add(archive_bytes)
        self._record_end(run, ended_at_ms)
        standing = run.record.standing
        if standing is not None and standing.promised_ms is not None:
            # Below a second nobody minds, as in the script that learns from it (terminal.lua).
            took_ms = max(_NOBODY_MINDS_MS, ended_at_ms - run.record.created_at_ms)
            self._estimate_error.record(took_ms / max(_NOBODY_MINDS_MS, standing.promised_ms))

    def count_failure(self, run: Run, ended_at_ms: int, *, reason: str) -> None:
        """Count a job that failed for good; `reason` is one of REASONS."""
        self._failed.add(1, {"reason": reason})
        self._record_end(run, ended_at_ms)

    def count_burial(self, accepted_at_ms: int, ended_at_ms: int) -> None:
        """Count a job that was given up because its processors died each time."""
        self._reclaimed.add(1)
        self._failed.add(1, {"reason": "crashes"})
        self._ends.count(accepted_at_ms, ended_at_ms)

    def count_cancellation(self, accepted_at_ms: int, ended_at_ms: int) -> None:
        """Count a job that ended because somebody asked for it."""
        self._cancelled.add(1)
        self._ends.count(accepted_at_ms, ended_at_ms)

    def count_foreign_entry(self) -> None:
        """Count an entry of the command stream that named no job."""
        self._foreign.add(1)

    def count_damage(self, accepted_at_ms: int, ended_at_ms: int) -> None:
        """Count a job whose record or log could not be read."""
        self._failed.add(1, {"reason": "damaged"})
        self._ends.count(accepted_at_ms, ended_at_ms)

    def count_step(self, step: str) -> None:
        """Count what the janitor did with a job: one of STEPS; `expired` has failed it, `cancelled` has given it up."""
        self._steps.add(1, {"step": step})
        if step == "expired":
            self._failed.add(1, {"reason": "expired"})
            self._ends.count_late()
        if step == "cancelled":
            self._cancelled.add(1)
            self._ends.count_late()

    def count_drained(self, fate: Fate) -> None:
        """Count what became of a run while the processor drained."""
        self._drained.add(1, {"outcome": fate.value})

    def observe(self, *, jobs_in_hand: Callable[[], int], drain_seconds: Callable[[], float]) -> None:
        """Show what this processor has in hand, and for how long it has been draining (seconds; 0: it is not)."""

        def gauge(look: Callable[[], float]) -> Callable[[CallbackOptions], Iterable[Observation]]:
            return lambda _: [Observation(look())]

        self._meter.create_observable_gauge(
            "download_jobs_in_hand", [gauge(jobs_in_hand)], description="Jobs that this processor works on"
        )
        self._meter.create_observable_gauge(
            "download_drain_duration", [gauge(drain_seconds)], unit="s", description="How long this processor drains"
        )

    def count_orphans(self, uploads: int) -> None:
        """Count uploads that were found and aborted."""
        self._orphans.add(uploads)

    def count_repair(self, kind: str) -> None:
        """Count what did not fit together: repaired, or of the one kind that cannot be."""
        self._repairs.add(1, {"kind": kind})

    def count_dropped_consumers(self, consumers: int) -> None:
        """Count consumers that were removed."""
        self._dropped_consumers.add(consumers)

    def count_strays(self, outcome: str, archives: int) -> None:
        """Count archives that no job knew of; `outcome` is one of STRAY_OUTCOMES."""
        self._strays.add(archives, {"outcome": outcome})

    def _record_end(self, run: Run, ended_at_ms: int) -> None:
        self._ends.count(run.record.accepted_at_ms, ended_at_ms)
        started_at_ms = run.record.started_at_ms or ended_at_ms
        self._duration.record(max(0, ended_at_ms - started_at_ms) / 1000)


def _counter(
    meter: Meter, name: str, description: str, label: str = "", values: Iterable[str] = (), *, unit: str = ""
) -> Counter:
    """Make a counter that is there from the start: one that appears with its first event hides that from rate()."""
    counter = meter.create_counter(name, unit=unit, description=description)
    if not label:
        counter.add(0)
    for value in values:
        counter.add(0, {label: str(value)})
    return counter
