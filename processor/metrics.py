"""The processor's own metrics."""

from opentelemetry.metrics import Meter

from shared.jobstore.operations import Run
from shared.telemetry.metrics import JOB_SECONDS

_RATIOS = (0.1, 0.25, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4, 10)
"""Buckets around 1, the same on both sides: 0.5 and 2 are off by a factor of two."""
_NOBODY_MINDS_MS = 1_000


class ProcessorMetrics:
    """Counts what becomes of jobs: each end is counted once, by the processor that wrote it."""

    STEPS = ("expired", "trimmed", "tombstone", "forgotten", "stuck")

    def __init__(self, meter: Meter) -> None:
        self._completed = meter.create_counter("download_jobs_completed", description="Jobs that ended with an archive")
        self._failed = meter.create_counter("download_jobs_failed", description="Jobs that ended with an error")
        self._cancelled = meter.create_counter("download_jobs_cancelled", description="Jobs that were given up")
        self._foreign = meter.create_counter(
            "download_foreign_entries", description="Entries of the command stream that named no job"
        )
        self._reclaimed = meter.create_counter(
            "download_reclaimed", description="Runs taken over after their lease had run out"
        )
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
        self._orphans = meter.create_counter(
            "download_orphaned_uploads_aborted", description="Uploads of killed processors that were aborted"
        )
        self._steps = meter.create_counter(
            "download_janitor_steps", description="Steps of jobs towards oblivion, by what was done"
        )
        for outcome in self.STEPS:
            self._steps.add(0, {"step": outcome})
        counters = (self._completed, self._failed, self._cancelled, self._foreign, self._reclaimed, self._orphans)
        for counter in counters:
            counter.add(0)  # a counter that appears only with its first event hides that event from rate()

    def count_start(self, run: Run) -> None:
        """Count the start of a run."""
        record = run.record
        if run.is_takeover:
            self._reclaimed.add(1)
        if record.epoch == 1 and record.started_at_ms is not None:
            self._queue_wait.record((record.started_at_ms - record.created_at_ms) / 1000)

    def count_completion(self, run: Run, ended_at_ms: int) -> None:
        """Count a job that has its archive."""
        self._completed.add(1)
        self._record_duration(run, ended_at_ms)
        standing = run.record.standing
        if standing is not None and standing.promised_ms is not None:
            # Below a second nobody minds, as in the script that learns from it (terminal.lua).
            took_ms = max(_NOBODY_MINDS_MS, ended_at_ms - run.record.created_at_ms)
            self._estimate_error.record(took_ms / max(_NOBODY_MINDS_MS, standing.promised_ms))

    def count_failure(self, run: Run, ended_at_ms: int) -> None:
        """Count a job that failed for good."""
        self._failed.add(1)
        self._record_duration(run, ended_at_ms)

    def count_burial(self) -> None:
        """Count a job that was given up because its processors died each time."""
        self._reclaimed.add(1)
        self._failed.add(1)

    def count_cancellation(self) -> None:
        """Count a job that ended because somebody asked for it."""
        self._cancelled.add(1)

    def count_foreign_entry(self) -> None:
        """Count an entry of the command stream that named no job."""
        self._foreign.add(1)

    def count_damage(self) -> None:
        """Count a job whose record or log could not be read."""
        self._failed.add(1)

    def count_step(self, step: str) -> None:
        """Count what the janitor did with a job: one of STEPS; `expired` is a job that failed, too."""
        self._steps.add(1, {"step": step})
        if step == "expired":
            self._failed.add(1)

    def count_orphans(self, uploads: int) -> None:
        """Count uploads that were found and aborted."""
        self._orphans.add(uploads)

    def _record_duration(self, run: Run, ended_at_ms: int) -> None:
        started_at_ms = run.record.started_at_ms or ended_at_ms
        self._duration.record(max(0, ended_at_ms - started_at_ms) / 1000)


class AdminCallbackMetrics:
    """Counts what becomes of telling the admins: of tries (told, refused, away) and of letters that they miss."""

    OUTCOMES = ("told", "refused", "away", "given_up", "trimmed", "broke")

    def __init__(self, meter: Meter) -> None:
        self._callbacks = meter.create_counter(
            "admin_callbacks", description="Dead letters that admins were told of, or not, by outcome"
        )
        for outcome in self.OUTCOMES:
            self.count(outcome, 0)

    def count(self, outcome: str, times: int = 1) -> None:
        """Count an outcome."""
        self._callbacks.add(times, {"outcome": outcome})
