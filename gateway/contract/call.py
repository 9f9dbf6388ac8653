"""A call as it is declared: a row of data. calls.py has all rows; document.py writes OpenAPI 3.1 of them. Pure."""

from typing import Any

import msgspec

from gateway.contract.refusals import Cause

JOBS = "/v1/download/jobs"
JOB = JOBS + "/{job_id}"
JSON = "application/json"

Schema = dict[str, Any]
"""A JSON Schema (2020-12)."""


class Header(msgspec.Struct, frozen=True):
    """A header of an answer."""

    name: str
    description: str
    schema: Schema


class Parameter(msgspec.Struct, frozen=True):
    """What a caller may send besides a body; `place` is path, query or header.

    What is in a path must be sent, and so must what `is_required`.
    """

    name: str
    place: str
    description: str
    schema: Schema
    is_required: bool = False


class Body(msgspec.Struct, frozen=True):
    """The body of a request or an answer. `example` is a value of the schema, or the text itself where it is no JSON.

    `other_example` is of the second kind, where a body may be of two (`anyOf`). `item_schema` describes one frame of an
    event stream (OpenAPI 3.2 has a word for it; 3.1 does not).
    """

    media_type: str
    schema: Schema
    example: object = None
    other_example: object = None
    item_schema: Schema | None = None

    @property
    def all_examples(self) -> list[object]:
        """Give those that there are."""
        return [example for example in (self.example, self.other_example) if example is not None]


class Answer(msgspec.Struct, frozen=True):
    """An answer that is no problem: the headers that it always has, and those that it has at times."""

    status: int
    description: str
    body: Body | None = None
    always: tuple[Header, ...] = ()
    at_times: tuple[Header, ...] = ()


class Link(msgspec.Struct, frozen=True):
    """That a member of an answer to `status` is the job id of another call (OpenAPI Link Object)."""

    name: str
    status: int
    to_call: str
    expression: str = "$response.body#/job_id"
    parameter: str = "job_id"


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path. `call_id` is what generated clients name it after.

    `refusals` are its own; what any call may be answered is added by the document. `is_open`: it asks nobody who calls.
    `takes_ticket`: a ticket in the query does in place of the header.
    """

    method: str
    path: str
    call_id: str
    summary: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    request: Body | None = None
    answers: tuple[Answer, ...]
    refusals: tuple[Cause, ...] = ()
    links: tuple[Link, ...] = ()
    is_open: bool = False
    takes_ticket: bool = False


class Reply(msgspec.Struct, frozen=True):
    """What a receiver may answer to a callback, and what follows from it.

    `statuses` is as OpenAPI names them: a code, a class of codes (`2XX`), or `default` for all others.
    """

    statuses: str
    consequence: str
    at_times: tuple[Header, ...] = ()


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A call that we make, to an address that a caller has named (OpenAPI 3.1 `webhooks`): always a POST.

    `name` is what generated receivers name it after.
    """

    name: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    request: Body
    replies: tuple[Reply, ...]


def head_of(call: Call, *, call_id: str, answers: tuple[Answer, ...] | None = None) -> Call:
    """Give the HEAD beside a GET: the same answers, or `answers`, without their bodies (RFC 9110 §9.3.2)."""
    return msgspec.structs.replace(
        call,
        method="HEAD",
        call_id=call_id,
        summary=f"{call.summary.removesuffix('.')}: the head alone.",
        description="",
        answers=tuple(msgspec.structs.replace(answer, body=None) for answer in answers or call.answers),
        links=(),
    )
