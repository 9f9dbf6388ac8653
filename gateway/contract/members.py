"""What each member of a body means, by its name: a name means the same wherever it stands. Pure.

Where one name must say two things, the schema stands before it (`Problem.status`). What a type cannot say (a format, a
bound, a pattern) stands here too, so that the structs carry nothing that serves the document alone.
"""

from typing import Any

import msgspec

from shared import limits
from shared.event_id import PATTERN as EVENT_ID_PATTERN
from shared.jobs import JOB_ID_PATTERN


class Member(msgspec.Struct, frozen=True):
    """A sentence about a member, and what its schema says besides its type."""

    description: str
    schema: dict[str, Any] = msgspec.field(default_factory=dict)


_TIME = {"format": "date-time"}
_PATH = {"format": "uri-reference"}
_COUNT = {"minimum": 0}
_EVENT_ID = {"pattern": EVENT_ID_PATTERN}
_JOB_IDS = {"uniqueItems": True, "items": {"type": "string", "format": "uuid", "pattern": JOB_ID_PATTERN}}

MEMBERS: dict[str, Member] = {
    "api": Member("The version of the API, as it stands in every path."),
    "archive_bytes": Member("The archive's exact size.", _COUNT),
    "archive_crc32": Member("The archive's CRC-32, as 8 hexadecimal digits.", {"pattern": "^[0-9a-f]{8}$"}),
    "archive_name": Member("The name the archive is saved under; `.zip` is added when it is missing."),
    "at": Member("When it was written.", _TIME),
    "attempt": Member("Counts the runs of this job from 1; 0 before the first.", _COUNT),
    "bytes_processed": Member("Bytes of the archive that are made.", _COUNT),
    "answer_status": Member(
        "The HTTP status that the receiver answered; null when it did not.", {"minimum": 100, "maximum": 599}
    ),
    "callback_url": Member("Who is told how the job ended.", {"format": "uri"}),
    "can_retry": Member("Starting the failed job anew may help."),
    "cancel_url": Member("POST to this path to give the job up.", _PATH),
    "code": Member("Stable, for programs to decide by."),
    "created_at": Member("When the job was created.", _TIME),
    "deliveries": Member("What was told, one for each end of the job, the oldest first."),
    "deliveries_url": Member("The path of what became of its callback; null without one.", _PATH),
    "delivery_status": Member("`waiting` for its next try, `delivering`, `delivered`, or `dead`: given up."),
    "detail": Member("What happened to which thing, and what to do: a sentence for people."),
    "download_url": Member("The stable path of the archive; null until the job is completed.", _PATH),
    "duration_ms": Member("How long it took, in milliseconds.", _COUNT),
    "error": Member("Why the run or the job failed."),
    "estimated_duration": Member(
        "From the creation to the end: a range of seconds. Null: nothing is known.", {"pattern": "^[0-9]+-[0-9]+s$"}
    ),
    "events": Member("Events in their order, each with its id."),
    "events_url": Member("The path of the event log, page by page.", _PATH),
    "expires_at": Member("Until when the archive is kept.", _TIME),
    "file_id": Member("The id of a file in the catalogue."),
    "file_ids": Member("The files that caused it, where files did."),
    "file_url": Member("The path of the archive, once there is one.", _PATH),
    "files": Member("How many files are in the archive.", _COUNT),
    "files_processed": Member("Files that are done, skipped ones among them.", _COUNT),
    "finished_at": Member("When the job ended.", _TIME),
    "from": Member("The cursor after which events are missing; null when none was readable."),
    "gap": Member("Events that cannot be given any more."),
    "has_more": Member("There are more events at this moment."),
    "id": Member("The event's id: a cursor.", _EVENT_ID),
    "job_id": Member("The job.", {"format": "uuid"}),
    "job_ids": Member("The jobs that it opens.", _JOB_IDS),
    "jobs": Member("Jobs, newest first."),
    "max_attempts": Member("After so many failed runs the job fails.", {"minimum": 1}),
    "message": Member("A sentence for people."),
    "missing": Member("Those that cannot be shown, and why, in the order of the query."),
    "missed": Member("How many events are missing; null when nobody knows.", _COUNT),
    "name": Member("The file's name; null where the catalogue does not know it."),
    "next_after": Member("Send it as `after`, or as `Last-Event-ID`, to go on.", _EVENT_ID),
    "next_try_at": Member("When it is tried next; null unless it waits.", _TIME),
    "next_cursor": Member("Send it as `cursor` to go on; null at the end."),
    "on_missing": Member("Whether a missing file fails the job, or is left out and reported."),
    "phase": Member("What the run does now, when that changed: `planning`, `bundling`, `finishing`."),
    "progress": Member("How far the run is: a ratio that never goes back.", {"minimum": 0, "maximum": 1}),
    "queue_position": Member("How many jobs begin before this one, at most.", _COUNT),
    "reason": Member("Why."),
    "remaining_seconds": Member("To the end, by estimate.", _COUNT),
    "redelivered_at": Member("When somebody last wanted it told anew (`POST …/redeliver`); null: nobody has.", _TIME),
    "renamed": Member("The first 20 of the files whose names were made safe, or unique."),
    "renamed_files": Member("How many files have another name in the archive than their own.", _COUNT),
    "request_id": Member("The `X-Request-Id` of the answer; missing where no gateway answered."),
    "retry_at": Member("When the next run begins at the earliest.", _TIME),
    "retry_in_seconds": Member("How long until the next run begins, at the earliest.", _COUNT),
    "size_bytes": Member("The file's size; null where the catalogue does not say it.", _COUNT),
    "skipped": Member("The first 20 of the files that were left out."),
    "skipped_files": Member("How many files were left out.", _COUNT),
    "started_at": Member("When its first run began.", _TIME),
    "starts_in_seconds": Member("To the beginning of its run, by estimate; null once it has begun.", _COUNT),
    "status": Member("Where the job stands."),
    "status_url": Member("The path of the job.", _PATH),
    "stream_url": Member("The path of its stream.", _PATH),
    "ticket": Member("Opens the jobs to readers, as `?ticket=`; null where none was wanted."),
    "ticket_expires_at": Member("Until when the ticket is good.", _TIME),
    "timestamp": Member("When it happened, whenever it is told.", _TIME),
    "title": Member("The status in words."),
    "to": Member("The id of the last event that is missing.", _EVENT_ID),
    "total_bytes": Member("The archive's size, once it is planned.", _COUNT),
    "total_files": Member("How many files were asked for.", {"minimum": 1}),
    "tries": Member("The last 20 tries that have ended, the oldest first; also those before `redelivered_at`."),
    "type": Member("Which message this is."),
    "updated_at": Member("When the job changed last.", _TIME),
    "version": Member("The release that answers."),
    "webhook_id": Member("Its `webhook-id`: the same at each try."),
    "websocket_url": Member("The path of its stream, to be opened as a WebSocket; null where there are none.", _PATH),
    # Where a name says something of its own.
    "JobError.code": Member("Stable, for programs to decide by: see [Why a job fails](#why-a-job-fails)."),
    "Busy.reason": Member(
        "Why the stream ends: `overload`, `drain`, `redis`, `token_keys`, `limit`, `max_age`, `ticket_expired`, "
        "`unreadable`; `gateway`: the proxy says that none is there."
    ),
    "Callback.data": Member("The job as it ended."),
    "Callback.type": Member("Which end it was; more may come."),
    "EndedJob.download_url": Member(
        "The link to the archive, absolute and with a ticket where the operators have it so; null unless the job is "
        "completed.",
        _PATH,
    ),
    "EndedJob.total_files": Member("How many files were asked for; 0 where that could not be read any more.", _COUNT),
    "EndedJob.reason": Member("Why it was cancelled; null when it was not."),
    "Delivery.attempt": Member("Counts its tries since `redelivered_at`, with the one that goes on.", _COUNT),
    "Delivery.callback_url": Member("Where it goes.", {"format": "uri"}),
    "Try.at": Member("When it began.", _TIME),
    "Try.error": Member("What was wrong with it, in words; null when nothing was."),
    "File.name": Member("The file's name."),
    "FilesPage.files": Member("Files, by their ids."),
    "JobRequest.file_ids": Member(
        f"1 to {limits.MAX_FILES_PER_JOB:,} different ids, in the order in which they stand in the archive.",
        {"uniqueItems": True},
    ),
    "JobRequest.ticket": Member(
        "Whether the answer's addresses are to work without a header for a while: see [Tickets](#tickets)."
    ),
    "JobsBatch.jobs": Member("Those that can be shown, in the order of the query."),
    "MissingJob.code": Member("What `GET` of it alone is refused with."),
    "MissingJob.job_id": Member("The job, as it was asked for."),
    "Problem.status": Member("The HTTP status.", {"minimum": 400, "maximum": 599}),
    "Release.name": Member("The program."),
    "Ticket.expires_at": Member("Until when it is good.", _TIME),
    "Ticket.ticket": Member("Opens the jobs to readers, as `?ticket=`."),
    "TicketRequest.job_ids": Member("The jobs that it is to open.", _JOB_IDS),
}


def member_of(schema_name: str, name: str) -> Member:
    """Give what is said of a member of a schema. Raises KeyError for one of which nothing is said."""
    return MEMBERS.get(f"{schema_name}.{name}") or MEMBERS[name]
