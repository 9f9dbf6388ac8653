"""What the OpenAPI document promises, held against what a gateway says: statuses, headers, bodies, messages.

Stricter than clients may be: a member or a header that nobody has declared is a finding, because it would be a promise
that stands nowhere.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from gateway.contract.document import openapi

FRAMING = frozenset({"connection", "content-length", "content-type", "date", "transfer-encoding"})
"""Headers that belong to the transfer of a message, or to its media type, which OpenAPI declares elsewhere."""
_DOCUMENT = "urn:waybill:document"
Json = dict[str, Any]


class Promised:
    """A document, without room for what it does not name."""

    def __init__(self, document: Json) -> None:
        self._document = closed(document)
        resource: Resource[Any] = Resource.from_contents(self._document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_DOCUMENT, resource)
        self._validators: dict[str, Draft202012Validator] = {}

    def breaches_of(self, response: httpx.Response) -> list[str]:
        """Say what an answer does that is promised nowhere, a sentence each. What a stream brings is not looked at."""
        place, promised = self._promise_for(response)
        breaches = (
            ["this status is not declared"]
            if promised is None
            else [*_header_breaches(response, promised), *self._body_breaches(response, place, promised)]
        )
        who = f"{response.request.method} {response.request.url.path[:200]} {response.status_code}"
        return [f"{who}: {breach}" for breach in breaches]

    def breaches_of_message(self, message: Json) -> list[str]:
        """Say what is wrong with a message of a stream; one that names its job is of a stream of many."""
        mapping = self._document["components"]["schemas"]["Message"]["discriminator"]["mapping"]
        if message.get("type") not in mapping:
            return [f"a message of no declared type: {message}"]
        if "job_id" in message and message["type"] != "snapshot":
            return list(self._schema_breaches("/components/schemas/JobMessage", message))
        return list(self._schema_breaches(f"{mapping[message['type']][1:]}Alone", message))

    def breaches_of_body(self, reference: str, value: object) -> list[str]:
        """Say what is wrong with a value of the schema to which `reference` points (`#/components/schemas/Job`)."""
        return list(self._schema_breaches(reference.removeprefix("#"), value))

    def breaches_of_webhook(self, name: str, headers: Mapping[str, str], body: object) -> list[str]:
        """Say what is wrong with what a receiver was sent: a header or a member that is not as the webhook has it.

        Of headers those of the webhook's own kind are looked at: a client's others are HTTP's business.
        """
        promised = self._document["webhooks"][name]["post"]
        declared = {each["name"]: each for each in promised["parameters"]}
        breaches = [
            f"the header {name} is not declared"
            for name in headers
            if name.startswith(("webhook-", "x-", "trace")) and name not in declared
        ]
        breaches += _header_breaches_of(headers, declared)
        [media_type] = promised["requestBody"]["content"]
        if headers.get("content-type") != media_type:
            breaches.append(f"the media type {headers.get('content-type')!r} is not declared")
        place = f"/webhooks/{name}/post/requestBody/content/{_escaped(media_type)}/schema"
        return [*breaches, *self._schema_breaches(place, body)]

    def _promise_for(self, response: httpx.Response) -> tuple[str, Json | None]:
        """Give where in the document an answer is promised, and what; None when it is not."""
        method, path = response.request.method.lower(), response.request.url.raw_path.decode().partition("?")[0]
        shared = self._document["components"]["responses"]
        template = next((known for known in self._document["paths"] if _matches(known, path)), None)
        for_all = {
            ("options", 204): "Methods",
            (method, 405): "MethodNotAllowed",
            (method, 404 if template is None else 0): "UnknownAddress",
        }
        if name := for_all.get((method, response.status_code)):
            return f"/components/responses/{name}", shared[name]
        if template is None or method not in self._document["paths"][template]:
            template, method = "/version", "get"  # refused before anybody looked for the call: as any may be
        promised = self._document["paths"][template][method]["responses"]
        status = str(response.status_code)
        return f"/paths/{_escaped(template)}/{method}/responses/{status}", promised.get(status)

    def _body_breaches(self, response: httpx.Response, place: str, promised: Json) -> Iterator[str]:
        content = promised.get("content", {})
        if response.request.method == "HEAD" or not content:
            return
        media_type = response.headers.get("content-type", "").partition(";")[0]
        if media_type not in content:
            yield f"the media type {media_type!r} is not declared"
        elif media_type.endswith("json"):
            yield from self._schema_breaches(f"{place}/content/{_escaped(media_type)}/schema", response.json())

    def _schema_breaches(self, place: str, value: object) -> Iterator[str]:
        if place not in self._validators:
            schema = {"$ref": f"{_DOCUMENT}#{place}"}
            checker = Draft202012Validator.FORMAT_CHECKER
            self._validators[place] = Draft202012Validator(schema, registry=self._registry, format_checker=checker)
        for error in self._validators[place].iter_errors(value):
            yield f"{error.json_path}: {error.message[:300]}"


@cache
def promised() -> Promised:
    """Give the document of this source tree."""
    return Promised(openapi("0"))


def insist_on_promise(response: httpx.Response) -> None:
    """Fail with an answer that the document does not promise; for a client's event hooks."""
    if response.headers.get("content-type", "").endswith("json"):
        response.read()
    assert not (breaches := promised().breaches_of(response)), "\n".join(breaches)


def closed(document: Json) -> Json:
    """Give a document whose schemas take no member that they do not name; clients must take them."""
    document = copy.deepcopy(document)
    schemas = document["components"]["schemas"]
    messages = {reference.rpartition("/")[2] for reference in schemas["Message"]["discriminator"]["mapping"].values()}
    for name, schema in list(schemas.items()):
        if name in messages:  # they are a part of LoggedEvent and of JobMessage, too
            schemas[f"{name}Alone"] = {"$ref": f"#/components/schemas/{name}", "unevaluatedProperties": False}
        elif "properties" in schema:
            schema["additionalProperties"] = False
    schemas["LoggedEvent"]["unevaluatedProperties"] = False
    schemas["JobMessage"]["unevaluatedProperties"] = False
    return document


def _header_breaches(response: httpx.Response, promised: Json) -> Iterator[str]:
    declared = {name.lower(): said for name, said in promised.get("headers", {}).items()}
    for name in response.headers:
        if name not in declared and name not in FRAMING:
            yield f"the header {name} is not declared"
    yield from _header_breaches_of(response.headers, declared)


def _header_breaches_of(headers: Mapping[str, str], declared: Json) -> Iterator[str]:
    for name, said in declared.items():
        if name not in headers:
            if said["required"]:
                yield f"the header {name} is missing"
        elif not Draft202012Validator(said["schema"]).is_valid(_typed(headers[name], said["schema"])):
            yield f"the header {name} is {headers[name]!r}, and not {said['schema']}"


def _typed(text: str, schema: Json) -> object:
    return int(text) if schema.get("type") == "integer" and text.isdigit() else text


def _matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path) is not None


def _escaped(text: str) -> str:
    """Write a name as a part of a JSON Pointer (RFC 6901 §3)."""
    return text.replace("~", "~0").replace("/", "~1")
