"""The OpenAPI 3.1 document, written of the rows in calls.py.

What any call may be answered (`refusals.EVERYWHERE`, and behind the gate `refusals.GATE`) is added here to each.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from gateway.contract import examples, headers, refusals
from gateway.contract.call import Answer, Body, Call, Header, Link, Parameter, Reply, Schema, Webhook
from gateway.contract.calls import CALLS, METHODS
from gateway.contract.refusals import Refusal, refusal_by
from gateway.contract.schemas import all_schemas, reference
from gateway.contract.webhooks import WEBHOOKS
from gateway.problems import PROBLEM_JSON

API_VERSION = "v1"
_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a JSON Web Token."},
    "ticket": {
        "type": "apiKey",
        "in": "query",
        "name": "ticket",
        "description": "A [ticket](#tickets), for calls that only read: not looked at beside a header.",
    },
}
_SUMMARY = "Downloads as jobs: create one, follow its events, fetch its archive. `/docs` tells it at length."


def openapi(release: str) -> dict[str, Any]:
    """Write the document of a release."""
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Waybill",
            "version": release,
            "description": _SUMMARY,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": _paths(),
        "webhooks": {webhook.name: {"post": _sent(webhook)} for webhook in WEBHOOKS},
        "components": {
            "schemas": all_schemas(),
            "responses": {
                "UnknownAddress": _refused(404, [refusals.UNKNOWN_ADDRESS]),
                "MethodNotAllowed": _refused(405, [refusals.METHOD_NOT_ALLOWED]),
                "Methods": _answer(METHODS),
            },
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }
    linked: dict[str, Any] = _linked_to_page(document)
    return linked


def _linked_to_page(part: Any) -> Any:
    """Let links within the reference lead to its page: whoever shows the document has not its anchors."""
    match part:
        case dict():
            return {name: _linked_to_page(each) for name, each in part.items()}
        case list():
            return [_linked_to_page(each) for each in part]
        case str():
            return part.replace("](#", "](/docs#")
    return part


def refusals_of(call: Call) -> dict[int, list[Refusal]]:
    """Give all problems of a call by their status, those among them that any call may meet."""
    gate = () if call.is_open else refusals.GATE
    tickets = refusals.TICKET if call.takes_ticket else ()
    pages = refusals.CHANGING if call.method in ("POST", "DELETE") else ()
    causes = (*call.refusals, *gate, *tickets, *pages, *refusals.EVERYWHERE)
    found = sorted({refusal_by(cause) for cause in causes}, key=lambda refusal: (refusal.status, refusal.code))
    return {status: [each for each in found if each.status == status] for status in {each.status for each in found}}


def _paths() -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    return paths


def _operation(call: Call) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": call.call_id, "summary": call.summary}
    if call.description:
        operation["description"] = call.description
    if call.parameters:
        operation["parameters"] = [_parameter(each) for each in call.parameters]
    if call.request is not None:
        operation["requestBody"] = {"required": True, "content": _content(call.request)}
    operation["security"] = _security(call)
    return operation | {"responses": _responses(call)}


def _sent(webhook: Webhook) -> dict[str, Any]:
    """Write a call that we make: whoever receives it is the one that answers."""
    return {
        "operationId": webhook.name,
        "summary": webhook.summary,
        "description": webhook.description,
        "parameters": [_parameter(each) for each in webhook.parameters],
        "requestBody": {"required": True, "content": _content(webhook.request)},
        "security": [],
        "responses": {reply.statuses: _reply(reply) for reply in webhook.replies},
    }


def _reply(reply: Reply) -> dict[str, Any]:
    written: dict[str, Any] = {"description": reply.consequence}
    if reply.at_times:
        written["headers"] = {header.name: _header(header, is_required=False) for header in reply.at_times}
    return written


def _security(call: Call) -> list[dict[str, list[str]]]:
    """Say what lets a caller in. So does nothing: whether anybody is asked is the operators' choice (WAYBILL_AUTH)."""
    if call.is_open:
        return []
    nothing: dict[str, list[str]] = {}
    ticket: list[dict[str, list[str]]] = [{"ticket": []}] if call.takes_ticket else []
    return [{"bearer": []}, *ticket, nothing]


def _responses(call: Call) -> dict[str, Any]:
    refused = refusals_of(call)
    responses = {str(answer.status): _answer(answer, call.links) for answer in call.answers}
    return responses | {
        str(status): _refused(status, refused[status], has_body=call.method != "HEAD") for status in sorted(refused)
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.place == "path" or parameter.is_required,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _answer(answer: Answer, links: Iterable[Link] = ()) -> dict[str, Any]:
    written: dict[str, Any] = {"description": answer.description}
    if declared := _headers(answer.always, answer.at_times):
        written["headers"] = declared
    if answer.body is not None:
        written["content"] = _content(answer.body)
    if led := [link for link in links if link.status == answer.status]:
        written["links"] = {
            link.name: {"operationId": link.to_call, "parameters": {link.parameter: link.expression}} for link in led
        }
    return written


def _content(body: Body) -> dict[str, Any]:
    written: dict[str, Any] = {"schema": body.schema} if body.schema else {}
    if body.other_example is not None:
        kinds = [kind["$ref"].rpartition("/")[2] for kind in body.schema["anyOf"]]
        written["examples"] = {kind: {"value": example} for kind, example in zip(kinds, body.all_examples, strict=True)}
    elif body.example is not None:
        written["example"] = body.example
    if body.item_schema is not None:
        written["x-itemSchema"] = body.item_schema
    return {body.media_type: written}


def _headers(always: Iterable[Header], at_times: Iterable[Header] = ()) -> dict[str, Any]:
    """Write what an answer has: what any has first, so that an answer's own word of one of these counts."""
    maybe = {header.name: _header(header, is_required=False) for header in (*headers.OF_ANY_ANSWER_AT_TIMES, *at_times)}
    return maybe | {header.name: _header(header, is_required=True) for header in (*headers.OF_ANY_ANSWER, *always)}


def _header(header: Header, *, is_required: bool) -> dict[str, Any]:
    return {"description": header.description, "required": is_required, "schema": header.schema}


def _refused(status: int, refused: list[Refusal], *, has_body: bool = True) -> dict[str, Any]:
    always = (headers.CACHE_CONTROL, *headers.OF_REFUSALS.get(status, ()))
    answer: dict[str, Any] = {
        "description": "; ".join(f"`{refusal.code}`: {refusal.remedy}" for refusal in refused),
        "headers": _headers(always, headers.OF_REFUSALS_AT_TIMES.get(status, ())),
    }
    if has_body:
        answer["content"] = {
            PROBLEM_JSON: {
                "schema": _problem(status, [refusal.code for refusal in refused]),
                "examples": {refusal.code: {"value": _example_of(refusal)} for refusal in refused},
            }
        }
    return answer


def _problem(status: int, codes: list[str]) -> Schema:
    said = {"status": {"const": status}, "code": {"enum": codes}}
    return {"allOf": [reference("Problem"), {"type": "object", "properties": said}]}


def _example_of(refusal: Refusal) -> dict[str, Any]:
    detail = f"{refusal.remedy[0].upper()}{refusal.remedy[1:]}."
    title = HTTPStatus(refusal.status).phrase
    return {
        "title": title,
        "status": refusal.status,
        "code": refusal.code,
        "detail": detail,
        "request_id": examples.REQUEST_ID,
    }
