"""One job as text for a terminal, and as one line of JSON: its record, where it stands, what happened to it. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from processor.commands.history import Event, error_words, history, read
from processor.commands.letter_pages import printable
from processor.commands.wording import columns, count, listed, moment, size, spoken, wrapped
from shared import limits
from shared.jobs import BundleSummary, JobRecord, JobState
from shared.jobstore.queue import PARKED, READY, Hold

_HEAD_CHARS = 12
_SECRET = frozenset({"token"})
"""Who has it may write in the name of the run."""


class JobSight(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a job at `at_ms` (milliseconds since 1970 on Redis' clock).

    `fields` are the record's as they lie in Redis, none when there is no record. `record` is None when they cannot be
    read, and `trouble` says why. `hold`: where its entry stands, None when it has none. `workers` were heard of lately.
    """

    job_id: str
    partition: int
    at_ms: int
    fields: Mapping[str, bytes]
    record: JobRecord | None = None
    trouble: str = ""
    hold: Hold | None = None
    events: Sequence[Event] = ()
    has_all_events: bool = True
    workers: int = 0

    @property
    def is_unfinished(self) -> bool:
        """Tell whether its entry must stand in the command stream."""
        return self.record is not None and not self.record.state.is_terminal


# ── text ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def job_page(sight: JobSight, *, width: int) -> list[str]:
    """Write all that is known of a job as lines: facts first, then its history."""
    facts = list(_facts(sight) if sight.record else _raw_facts(sight))
    indent = " " * _HEAD_CHARS
    lines = [
        line
        for name, text in facts
        for line in wrapped(printable(text), width=width, first=f"{name:<{_HEAD_CHARS}}", indent=indent)
    ]
    told = history(sight.events, is_whole=sight.has_all_events)
    rows = [(happened.event_id, _clock(happened.at)) for happened in told]
    heads = columns(rows) if rows else []
    indent_chars = max(map(len, heads), default=0) + 2
    lines += ["", "HISTORY" if told else "There is no event log."]
    for head, happened in zip(heads, told, strict=True):
        first, rest = f"{head:<{indent_chars}}", " " * indent_chars
        lines += wrapped(printable(happened.words), width=width, first=printable(first), indent=rest)
    return lines


def _clock(at: str) -> str:
    return at[:19].replace("T", " ")


def _facts(sight: JobSight) -> Iterator[tuple[str, str]]:
    record = sight.record
    assert record is not None
    yield "job", f"{record.job_id} (partition {sight.partition})"
    yield "owner", record.owner
    yield "state", _state(sight, record)
    if sight.is_unfinished or sight.hold:
        yield "entry", _entry(sight, record)
    if sight.is_unfinished:
        workers = f"{count(sight.workers, 'processor')} at work in its partition"
        yield "workers", workers if sight.workers else "no processor was heard of in its partition: see backlog"
    if sight.trouble:
        yield "trouble", sight.trouble
    yield "attempts", f"{record.attempt} ({record.failures} failed, {record.crashes} crashed)"
    yield "files", f"{len(record.file_ids):,}: {listed(record.file_ids, limits.FILE_IDS_LISTED)}"
    yield (
        "options",
        f"archive name {record.options.archive_name or 'not given'}, on_missing {record.options.on_missing}",
    )
    yield "progress", f"{record.progress.progress * 100:.0f} % {record.progress.message or ''}".rstrip()
    yield from _times(sight, record)
    if record.error:
        yield "error", error_words({"code": record.error.code, "message": record.error.message})
    if record.bundle or record.object_key:
        yield "archive", _archive(record.object_key, record.bundle)
    if record.dead_id:
        yield "letter", f"{record.dead_id}: see dead-letters show {record.job_id}"
    if record.traceparent:
        yield "trace", record.traceparent


def _state(sight: JobSight, record: JobRecord) -> str:
    left_ms = record.due_at_ms - sight.at_ms
    words: str = record.state
    if record.state is JobState.PROCESSING:
        words += f": attempt {record.attempt} on {record.processor or 'an unknown processor'}; " + (
            f"its lease runs out in {spoken(left_ms)} unless renewed"
            if left_ms > 0
            else f"its lease ran out {spoken(-left_ms)} ago, and the next processor takes it over"
        )
    elif record.state is JobState.RETRYING:
        words += ": the next attempt is due " + (
            f"in {spoken(left_ms)}" if left_ms > 0 else f"since {spoken(-left_ms)}"
        )
    elif record.state is JobState.QUEUED:
        waited_ms = sight.at_ms - record.updated_at_ms
        words += f": has waited for {spoken(waited_ms)}, ends as EXPIRED in {spoken(limits.MAX_WAITING_MS - waited_ms)}"
    if "cancel_requested" in sight.fields:
        words += "; it was asked to end"
    return words + ("; deleted by its caller" if record.deleted_at_ms else "")


def _entry(sight: JobSight, record: JobRecord) -> str:
    if sight.hold is None:
        return f"{record.entry} is not in the command stream: no processor will find this job. See doctor --repair."
    if record.state.is_terminal:
        return f"{record.entry} still stands in the command stream, though the job has ended. See doctor --repair."
    holders = {None: "not read by any processor yet", PARKED: "parked until it is due", READY: "ready to be taken up"}
    holder = sight.hold.holder
    heard_of = spoken(sight.hold.idle_ms)
    return f"{record.entry}, {holders.get(holder) or f'in the hands of {holder}, renewed {heard_of} ago'}"


def _times(sight: JobSight, record: JobRecord) -> Iterator[tuple[str, str]]:
    for name, at_ms in (
        ("created", record.created_at_ms),
        ("updated", record.updated_at_ms),
        ("started", record.started_at_ms),
        ("finished", record.finished_at_ms),
        ("expires", record.expires_at_ms),
        ("deleted", record.deleted_at_ms),
    ):
        if at_ms:
            apart = sight.at_ms - at_ms
            yield name, f"{moment(at_ms)} UTC, {f'{spoken(apart)} ago' if apart >= 0 else f'in {spoken(-apart)}'}"


def _archive(object_key: str | None, bundle: BundleSummary | None) -> str:
    parts = [object_key or "deleted"]
    if bundle:
        parts += [count(bundle.files, "file"), size(bundle.archive_bytes), f"CRC-32 {bundle.archive_crc32}"]
        parts += [f"{bundle.skipped_files:,} skipped"] if bundle.skipped_files else []
    return ", ".join(parts)


def _raw_facts(sight: JobSight) -> Iterator[tuple[str, str]]:
    yield "job", f"{sight.job_id} (partition {sight.partition})"
    yield "trouble", sight.trouble
    for name, raw in sight.fields.items():
        if name not in _SECRET:
            # One space behind a name that is longer than its column.
            yield f"{printable(name)[:40]} ", raw.decode(errors="replace")[: limits.MAX_ERROR_CHARS]


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def job_json(sight: JobSight) -> str:
    """Write all that is known of a job as one line of JSON. Times are milliseconds since 1970."""
    record = msgspec.to_builtins(sight.record) if sight.record else None
    shown = {
        "job_id": sight.job_id,
        "partition": sight.partition,
        "at_ms": sight.at_ms,
        "trouble": sight.trouble or None,
        "record": record and {name: value for name, value in record.items() if name not in _SECRET},
        "unreadable_record": None if sight.record else _raw(sight.fields),
        "cancel_requested": "cancel_requested" in sight.fields,
        "entry": sight.hold and sight.hold._asdict(),
        "processors_alive": sight.workers,
        "events": [_event(event) for event in sight.events],
        "has_all_events": sight.has_all_events,
    }
    # By json and not by msgspec, because it escapes what is not ASCII: a terminal may be what reads it.
    return json.dumps(shown)


def _raw(fields: Mapping[str, bytes]) -> dict[str, str]:
    return {name: raw.decode(errors="replace") for name, raw in fields.items() if name not in _SECRET}


def _event(event: Event) -> dict[str, Any]:
    event_id, encoded = event
    return {"id": str(event_id), "message": read(encoded) or encoded.decode(errors="replace")}
