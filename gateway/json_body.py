"""The body of a call as JSON: read strictly, so that whoever else reads it finds the same in it. Pure."""

import json
import re
from typing import Any

import msgspec

from shared.errors import InvalidRequest, MalformedBody, UnsupportedMediaType

_MAX_SHOWN_CHARS = 40  # of a member's name, in a refusal
# One parameter is taken, because clients send it; JSON has none (RFC 8259 §11).
_JSON = re.compile(r'application/json[ \t]*(;[ \t]*(charset[ \t]*=[ \t]*("utf-8"|utf-8)[ \t]*)?)?', re.IGNORECASE)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read_json(content_type: str | None, body: bytes, *, example: str) -> Any:
    """Decode a body; raises UnsupportedMediaType, MalformedBody, or InvalidRequest for a member that is repeated.

    `example`: a body that this call takes, for whoever sent none.
    """
    if _JSON.fullmatch((content_type or "").strip()) is None:
        raise UnsupportedMediaType(
            "Send the body as JSON, with Content-Type: application/json and no parameter but charset=utf-8."
        )
    if not body.strip():
        raise MalformedBody(f"The body is empty. Send JSON, for example {example}.")
    try:
        parsed = msgspec.json.decode(body)
        _MEMBERS.decode(body.decode())
    except RecursionError:
        raise MalformedBody("The body is nested too deeply. No request needs more than two levels.") from None
    except UnicodeDecodeError:
        raise MalformedBody("The body is not JSON: it is not UTF-8 (RFC 8259 §8.1).") from None
    except (msgspec.DecodeError, ValueError) as error:
        hint = " A surrogate is written with its other half (RFC 8259 §7)." if _SURROGATE.search(body) else ""
        raise MalformedBody(f"The body is not JSON: {error}.{hint}") from None
    return parsed


def _insist_on_single(members: list[tuple[str, Any]]) -> None:
    if len(members) < 2:
        return
    names: set[str] = set()
    for name, _ in members:
        if name in names:
            raise InvalidRequest(
                f"The request is not valid: {name[:_MAX_SHOWN_CHARS]!r} comes more than once in an object."
            )
        names.add(name)


# msgspec is strict in all but this: of two members with one name the last would win. Numbers are of no interest here.
_MEMBERS = json.JSONDecoder(object_pairs_hook=_insist_on_single, parse_int=str, parse_float=str)
