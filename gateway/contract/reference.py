"""The reference as Markdown: our chapters, and between them what is written of the document. docs/api.md is this."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from gateway.contract import headers, refusals
from gateway.contract.call import Answer, Call, Parameter, Schema, Webhook
from gateway.contract.calls import CALLS
from gateway.contract.document import refusals_of
from gateway.contract.failures import failures
from gateway.contract.parameters import TICKET
from gateway.contract.schemas import MESSAGES, all_schemas, reference, tag_of
from gateway.contract.webhooks import WEBHOOKS

_WRITTEN_BY = "<!-- Written by `make docs` from gateway/contract; a test fails when it is stale. -->"


def reference_page() -> str:
    """Write docs/api.md."""
    return f"# The API\n\n{_WRITTEN_BY}\n\n{reference_text()}"


def reference_text() -> str:
    """Write what stands below the title."""
    parts = [
        _chapter("overview"),
        _chapter("who_calls"),
        _chapter("tickets"),
        _chapter("every_call"),
        _overview_of_calls(),
        _chapter("creating"),
        _chapter("repeating"),
        _chapter("limits"),
        _chapter("listing"),
        _chapter("files"),
        _chapter("estimates"),
        _chapter("giving_up"),
        _chapter("retry"),
        _chapter("callbacks"),
        _chapter("lifetimes"),
        _chapter("missing_files"),
        _failures(),
        _chapter("archives"),
        _chapter("stream"),
        _messages(),
        _chapter("following"),
        _chapter("many_jobs"),
        _chapter("websocket"),
        _chapter("polling"),
        _chapter("traces"),
        _problems(),
        _chapter("problems"),
        _chapter("compatibility"),
        _head_of_calls(),
        *map(_call, CALLS),
        "## What a receiver is sent\n\nCalls that are made to an address of yours: `webhooks` in the OpenAPI document.",
        *map(_webhook, WEBHOOKS),
        "## Schemas\n\nMembers with `?` may be missing.",
        *(_schema(name, schema) for name, schema in sorted(all_schemas().items())),
    ]
    return "\n\n".join(parts) + "\n"


def _chapter(name: str) -> str:
    return files("gateway.contract").joinpath("chapters", f"{name}.md").read_text(encoding="utf-8").strip()


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


# ── calls ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _overview_of_calls() -> str:
    rows = [
        (f"[`{call.method} {call.path}`](#{slug(_heading(call))})", call.summary, ", ".join(map(_status, call.answers)))
        for call in CALLS
        if call.method != "HEAD"
    ]
    heads = ", ".join(f"`{call.path}`" for call in CALLS if call.method == "HEAD")
    return (
        f"## Calls\n\n{_table(('call', 'what it does', 'answers'), rows)}\n\n"
        f"HEAD is taken where there is something to ask the head of: {heads}."
    )


def _head_of_calls() -> str:
    common = [f"`{header.name}`" for header in headers.OF_ANY_ANSWER]
    common += [f"`{header.name}`?" for header in headers.OF_ANY_ANSWER_AT_TIMES]
    told = f" Every answer of a gateway has, besides its own, {', '.join(common)}." if common else ""
    return f"## Call by call\n\nHeaders with `?` are there at times.{told}"


def _status(answer: Answer) -> str:
    return f"**{answer.status}**"


def _heading(call: Call) -> str:
    return f"{call.method} {call.path}"


def _call(call: Call) -> str:
    parts = [f"### {_heading(call)}", f"{call.summary} {call.description}".strip()]
    if parameters := (*call.parameters, *((TICKET,) if call.takes_ticket else ())):
        parts.append(_parameters(parameters))
    if call.request is not None:
        parts.append(f"Send a {_type(call.request.schema)}:\n\n{_example(call.request.example)}")
    parts.append(
        _table(
            ("status", "what it says", "headers"), [_answer_row(each) for each in call.answers] + _refused_rows(call)
        )
    )
    if call.method != "HEAD":
        parts += [_example(example) for each in call.answers[:1] if each.body for example in each.body.all_examples]
    return "\n\n".join(parts)


def _parameters(parameters: Sequence[Parameter], *, said: str = "what it does") -> str:
    rows = [(f"`{each.name}`", each.place, _type(each.schema), each.description) for each in parameters]
    return _table(("parameter", "in", "type", said), rows)


def _webhook(webhook: Webhook) -> str:
    replies = [
        (_statuses(each.statuses), each.consequence, ", ".join(f"`{header.name}`?" for header in each.at_times))
        for each in webhook.replies
    ]
    parts = [
        f"### {webhook.name}",
        f"{webhook.summary} {webhook.description}",
        _parameters(webhook.parameters, said="what it says"),
        f"The body is a {_type(webhook.request.schema)}:\n\n{_example(webhook.request.example)}",
        _table(("your answer", "what follows", "headers"), replies),
    ]
    return "\n\n".join(parts)


def _statuses(statuses: str) -> str:
    return {"default": "any other, or none"}.get(statuses, f"**{statuses}**")


def _answer_row(answer: Answer) -> tuple[str, ...]:
    names = [f"`{header.name}`" for header in answer.always] + [f"`{header.name}`?" for header in answer.at_times]
    has_schema = answer.body is not None and not answer.body.schema.keys().isdisjoint(("$ref", "anyOf"))
    body = f" Body: {_type(answer.body.schema)}." if answer.body and has_schema else ""
    return _status(answer), answer.description + body, ", ".join(names)


def _refused_rows(call: Call) -> list[tuple[str, ...]]:
    common = {refusals.refusal_by(cause) for cause in refusals.EVERYWHERE}
    own = {status: [each for each in found if each not in common] for status, found in refusals_of(call).items()}
    return [
        (str(status), ", ".join(f"`{each.code}`" for each in own[status]), "") for status in sorted(own) if own[status]
    ]


def _example(example: object) -> str:
    text = example.rstrip("\n") if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
    return f"```{'' if isinstance(example, str) else 'json'}\n{text}\n```"


# ── messages, problems, schemas ───────────────────────────────────────────────────────────────────────────────────────


def _messages() -> str:
    schemas = all_schemas()
    rows = [
        (f"`{tag_of(message)}`", said["description"].partition("\n\n")[0], _carried(said))
        for message in MESSAGES
        for said in [schemas[reference(message)["$ref"].rpartition("/")[2]]]
    ]
    return f"### Messages\n\n{_table(('`type`', 'when', 'carries besides `at`'), rows)}"


def _carried(schema: Schema) -> str:
    if "job_id" in schema["properties"]:
        return "the whole [Job](#job); `gap`? `{from, to, missed}`"
    return ", ".join(_marked(schema, name) for name in schema["properties"] if name not in ("type", "at"))


def _marked(schema: Schema, name: str) -> str:
    return f"`{name}`" if name in schema.get("required", ()) else f"`{name}`?"


def _failures() -> str:
    rows = [(f"`{code}`", meaning) for code, meaning in failures().items()]
    return (
        "## Why a job fails\n\nThe `code` of `error`, in a job and in its messages `retrying` and `error`; a handler "
        "of the operators' own ([handlers.md](handlers.md)) may have others.\n\n"
        f"{_table(('code', 'what happened'), rows)}"
    )


def _problems() -> str:
    rows = [(str(each.status), f"`{each.code}`", each.remedy) for each in refusals.ALL]
    common = ", ".join(f"`{refusals.refusal_by(cause).code}`" for cause in refusals.EVERYWHERE)
    return (
        "## Problems\n\n`application/problem+json` (RFC 9457): `{title, status, code, detail, request_id}`, and "
        f"`file_ids` where files are the reason. Any call may be answered with {common}; what else, stands with the "
        f"call.\n\n"
        f"{_table(('status', 'code', 'what to do'), rows)}"
    )


def _schema(name: str, schema: Schema) -> str:
    parts = [f"### {name}", schema.get("description", "")]
    if "enum" in schema:
        parts.append(", ".join(f"`{word}`" for word in schema["enum"]))
    if "oneOf" in schema:
        parts.append(f"One of {', '.join(_type(each) for each in schema['oneOf'])}, by `type`.")
    if "properties" in schema:
        rows = [
            (_marked(schema, member), _type(said), said.get("description", ""))
            for member, said in schema["properties"].items()
        ]
        parts.append(_table(("member", "type", "what it is"), rows))
    return "\n\n".join(filter(None, parts))


def _type(schema: dict[str, Any]) -> str:
    """Say a schema's type in a few words."""
    match schema:
        case {"$ref": str() as target}:
            name = target.rpartition("/")[2]
            return f"[{name}](#{slug(name)})"
        case {"anyOf": list() as variants}:
            return " or ".join(map(_type, variants))
        case {"enum": [word]} | {"const": word}:
            return f"`{word}`"
        case {"enum": list() as words}:
            return " or ".join(f"`{word}`" for word in words)
        case {"type": "array", "items": dict() as items}:
            return f"list of {_type(items)}"
        case {"format": str() as form}:
            return form
        case {"type": str() as name}:
            return name + _bounds(schema)
    return "anything"


def _bounds(schema: Schema) -> str:
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    if highest is not None:
        return f", {lowest:,} to {highest:,}"
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    if longest is None:
        return ""
    return f", {shortest:,} to {longest:,} characters" if shortest else f", at most {longest:,} characters"


def slug(heading: str) -> str:
    """Give the anchor of a heading, as GitHub makes it: letters, digits and dashes."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")
