"""The schemas of all bodies and messages, made of the structs that the gateway encodes.

So a member that is added to a struct is in the document, and a test asks for its sentence in members.py.
"""

import inspect
from typing import Any, cast

import msgspec

from gateway.contract.call import Schema
from gateway.contract.members import member_of
from gateway.representation import JobView, JobWithTicket, Snapshot
from gateway.routes.catalogue import FilesView
from gateway.routes.creation import Accepted
from gateway.routes.deliveries import DeliveriesView, RedeliveryView
from gateway.routes.events import EventsPage
from gateway.routes.jobs import CancelView
from gateway.routes.listing import BatchView, JobsView
from gateway.routes.tickets import TicketView
from gateway.streaming.vector import PATTERN as VECTOR_PATTERN
from gateway.ticket_request import TicketRequest
from shared import events
from shared.callbacks.end_message import EndMessage
from shared.event_id import PATTERN as EVENT_ID_PATTERN
from shared.jobs import JobRequest

LOG_EVENTS = (
    events.Queued, events.Started, events.Progress, events.Retrying,
    events.Completed, events.Failed, events.Cancelled,
)  # fmt: skip
"""What a job's log holds."""
MESSAGES = (*LOG_EVENTS, Snapshot, events.Busy, events.Heartbeat)
"""What a stream may bring."""


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong (RFC 9457): decide by `code`; the sentences are for people, and may change."""

    title: str
    status: int
    code: str
    detail: str
    request_id: str = ""
    file_ids: tuple[int, ...] = ()


class Release(msgspec.Struct, frozen=True):
    """Which release of what answers, and the version of the API that it speaks."""

    name: str
    version: str
    api: str


_BODIES = (
    JobRequest, Accepted, JobView, JobWithTicket, JobsView, BatchView, CancelView, EventsPage, FilesView, TicketRequest,
    TicketView, DeliveriesView, RedeliveryView, EndMessage, Problem, Release,
)  # fmt: skip
_PUBLIC_NAMES = {
    "JobView": "Job",
    "JobsView": "JobsPage",
    "BatchView": "JobsBatch",
    "FileView": "File",
    "FilesView": "FilesPage",
    "CancelView": "Cancellation",
    "DeliveriesView": "Deliveries",
    "DeliveryView": "Delivery",
    "RedeliveryView": "Redelivery",
    "TryView": "Try",
    "TicketView": "Ticket",
    "EndMessage": "Callback",
    "EndType": "CallbackType",
    "Failed": "Error",
}
"""What integrators call a struct whose own name is for us."""


def reference(struct: type[msgspec.Struct] | str) -> Schema:
    """Point to a schema, by its struct or its public name."""
    name = struct if isinstance(struct, str) else _public_name(struct)
    return {"$ref": f"#/components/schemas/{name}"}


def all_schemas() -> dict[str, Schema]:
    """Give every schema by its public name, each member with its sentence."""
    _, found = msgspec.json.schema_components((*_BODIES, *MESSAGES), ref_template="#/components/schemas/{name}")
    schemas = {_PUBLIC_NAMES.get(name, name): _described(name, schema) for name, schema in _renamed(found).items()}
    schemas["EventsPage"]["properties"]["events"]["items"] = reference("LoggedEvent")
    return schemas | {
        "Message": {"description": "A message of a stream; more types may come.", **_one_of(MESSAGES)},
        "LoggedEvent": {
            "description": "One of the messages of a job's log, from Queued to Cancelled, and its `id` with it.",
            "allOf": [
                _one_of(LOG_EVENTS),
                {
                    "type": "object",
                    "required": ["id"],
                    "properties": {"id": _with_sentence("", "id", {"type": "string"})},
                },
            ],
        },
        "JobMessage": {
            "description": "A message of a stream of many jobs, and the `job_id` of the job that it is about.",
            "allOf": [
                _one_of((*LOG_EVENTS, Snapshot)),
                {
                    "type": "object",
                    "required": ["job_id"],
                    "properties": {"job_id": {"type": "string", "description": "The job, as it was asked for."}},
                },
            ],
        },
        "MessageOfMany": {
            "description": "What a stream of many jobs brings: of a job, or of the stream itself; more types may come.",
            "oneOf": [reference("JobMessage"), reference(events.Busy), reference(events.Heartbeat)],
        },
        "Frame": _frame("Message", EVENT_ID_PATTERN, "The cursor after this message."),
        "FrameOfMany": _frame(
            "MessageOfMany", VECTOR_PATTERN, "All cursors after this message, as the query names them."
        ),
    }


def tag_of(message: type[msgspec.Struct]) -> str:
    """Give the `type` of a message."""
    return cast(str, message.__struct_config__.tag)


def _one_of(messages: tuple[type[msgspec.Struct], ...]) -> Schema:
    mapping = {tag_of(message): reference(message)["$ref"] for message in messages}
    return {
        "oneOf": [reference(message) for message in messages],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }


def _frame(message: str, id_pattern: str, id_sentence: str) -> Schema:
    """Describe one frame of a stream (WHATWG HTML §9.2.6) as its fields."""
    return {
        "description": "A frame of a stream: `retry:`? `data:` `id:`?, and `event:` before a heartbeat's data.",
        "type": "object",
        "required": ["data"],
        "properties": {
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": reference(message),
                "description": "One message, on one line.",
            },
            "id": {"type": "string", "pattern": id_pattern, "description": id_sentence},
            "event": {"const": "heartbeat", "description": "Other messages have no such line."},
            "retry": {"type": "integer", "minimum": 500, "description": "Milliseconds after which to come back."},
        },
    }


def _public_name(struct: type[msgspec.Struct]) -> str:
    return _PUBLIC_NAMES.get(struct.__name__, struct.__name__)


def _renamed(found: dict[str, Any]) -> dict[str, Any]:
    text = msgspec.json.encode(found)
    for own, public in _PUBLIC_NAMES.items():
        text = text.replace(f'/schemas/{own}"'.encode(), f'/schemas/{public}"'.encode())
    return cast(dict[str, Any], msgspec.json.decode(text))


def _described(name: str, schema: Schema) -> Schema:
    public = _PUBLIC_NAMES.get(name, name)
    described = schema | {"title": public}
    if "description" in schema:
        described["description"] = inspect.cleandoc(schema["description"])
    if "properties" in schema:
        described["properties"] = {
            member: _with_sentence(public, member, own) for member, own in schema["properties"].items()
        }
    return described


def _with_sentence(schema_name: str, member: str, own: Schema) -> Schema:
    """Say of a member what it means; what its type cannot say goes to that of its variants which is not null."""
    said = member_of(schema_name, member)
    if "anyOf" in own:
        variants = [variant if variant == {"type": "null"} else variant | said.schema for variant in own["anyOf"]]
        return own | {"anyOf": variants, "description": said.description}
    return own | said.schema | {"description": said.description}
