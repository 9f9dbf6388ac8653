"""What callers may send besides a body, each declared once. Pure."""

from gateway.contract.call import Parameter, Schema
from shared import limits
from shared.event_id import PATTERN as EVENT_ID_PATTERN
from shared.jobs import JobState

JOB_ID = Parameter("job_id", "path", "The job's id, as it was answered.", {"type": "string", "format": "uuid"})

IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "header",
    "Makes a repetition safe: a fresh UUID for each job ([more](#repeating-a-post)).",
    {
        "type": "string",
        # Bare, or in the quotes of a structured field's string (RFC 9651 §3.3.3).
        "pattern": r'^([!#-~][!-~]{0,254}|"([!#-\[\]-~]|\\["\\]){1,255}")$',
        "examples": ["8e03978e-40d5-43dd-bc93-6894a57f9324"],
    },
)
IF_MATCH = Parameter("If-Match", "header", "Entity tags, one of which must be the archive's.", {"type": "string"})
IF_NONE_MATCH = Parameter("If-None-Match", "header", "The `ETag` of the answer before.", {"type": "string"})
IF_RANGE = Parameter("If-Range", "header", "The `ETag` of which a range is wanted; else all of it.", {"type": "string"})
LAST_EVENT_ID = Parameter(
    "Last-Event-ID", "header", "The id after which to go on; counts before `last_event_id`.", {"type": "string"}
)
PREFER = Parameter(
    "Prefer", "header", f"`wait=20` waits for news, at most {limits.MAX_LONG_POLL_SECONDS} seconds.", {"type": "string"}
)
VECTOR = Parameter(
    "Last-Event-ID",
    "header",
    "The id of the last frame, which is the vector of all cursors; counts before `last_event_id`.",
    {"type": "string", "examples": ["1-5.0-1.-.x"]},
)
RANGE = Parameter("Range", "header", "`bytes=0-99`: one range; what is none of these is ignored.", {"type": "string"})
TRACEPARENT = Parameter(
    "traceparent",
    "header",
    "W3C Trace Context: the job's trace goes on from it ([more](#traces)).",
    {"type": "string", "examples": ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]},
)

AFTER = Parameter(
    "after", "query", "Events behind this id.", {"type": "string", "pattern": EVENT_ID_PATTERN, "default": "0-0"}
)
CURSOR = Parameter("cursor", "query", "`next_cursor` of the page before, as it is.", {"type": "string"})
EVENTS_LIMIT = Parameter(
    "limit",
    "query",
    "How many events at most.",
    {
        "type": "integer",
        "minimum": 1,
        "maximum": limits.MAX_EVENTS_PER_PAGE,
        "default": limits.DEFAULT_EVENTS_PER_PAGE,
    },
)
FILES_CURSOR = Parameter(
    "cursor", "query", "`next_cursor` of the page before, as it is.", {"type": "string", "pattern": "^[0-9]{1,16}$"}
)
FILES_LIMIT = Parameter(
    "limit",
    "query",
    "How many files at most.",
    {"type": "integer", "minimum": 1, "maximum": limits.MAX_FILES_PER_PAGE, "default": limits.DEFAULT_FILES_PER_PAGE},
)
FILES_QUERY = Parameter(
    "query",
    "query",
    "Only files with this in their name, whatever its case, or in their id.",
    {"type": "string", "maxLength": limits.MAX_FILE_QUERY_CHARS},
)
_JOBS: Schema = {
    "type": "array",
    "items": {"type": "string"},  # of what is no id, too, it is told that there is no such job
    "minItems": 1,
    "maxItems": limits.MAX_JOBS_PER_STREAM,
    "uniqueItems": True,
}
JOBS_TO_FOLLOW = Parameter(
    "job",
    "query",
    f"The jobs, 1 to {limits.MAX_JOBS_PER_STREAM} of them: repeat it for several.",
    _JOBS,
    is_required=True,
)
JOBS_TO_SHOW = Parameter(
    "job",
    "query",
    f"These jobs alone, up to {limits.MAX_JOBS_PER_STREAM}: repeat it for several, and send nothing else with it.",
    _JOBS,
)
JOBS_LIMIT = Parameter(
    "limit",
    "query",
    "How many jobs at most.",
    {"type": "integer", "minimum": 1, "maximum": limits.MAX_JOBS_PER_PAGE, "default": limits.DEFAULT_JOBS_PER_PAGE},
)
LAST_EVENT_ID_IN_QUERY = Parameter(
    "last_event_id", "query", "The id after which to go on, for readers that send no headers.", {"type": "string"}
)
VECTOR_IN_QUERY = Parameter(
    "last_event_id", "query", "The vector after which to go on, for readers that send no headers.", {"type": "string"}
)
STATUS = Parameter(
    "status",
    "query",
    "Only jobs in these states; repeat it for several.",
    {"type": "array", "items": {"enum": [state.value for state in JobState]}},
)
TICKET = Parameter(
    "ticket", "query", "In place of the header: see [Tickets](#tickets).", {"type": "string", "pattern": "^wt1_"}
)
"""Declared in the document as a way to say who calls (a security scheme), and not as a parameter."""
