"""The body of a create call: read strictly, refused with a sentence that says what to change. Pure."""

from collections import Counter
from typing import Any

import msgspec

from gateway.json_body import read_json
from shared import limits
from shared.callbacks.target import CallbackRules, read_target
from shared.errors import InvalidRequest
from shared.jobs import JobRequest
from shared.refusal import explain

ALLOWED = {
    "file_ids": f"a list of 1 to {limits.MAX_FILES_PER_JOB:,} file ids",
    "file_ids[]": f"a whole number from 1 to {limits.MAX_FILE_ID:,}",
    "archive_name": f"a text of 1 to {limits.MAX_ARCHIVE_NAME_CHARS:,} characters",
    "on_missing": "fail or skip",
    "ticket": "true or false",
    "callback_url": f"an https:// address of 1 to {limits.MAX_CALLBACK_URL_CHARS:,} characters",
}
"""What the members of a request may be, for people."""


def read_job_request(content_type: str | None, body: bytes) -> JobRequest:
    """Read the body of a create call; raises a RequestError that says what to change.

    Where its callback may go is not judged: the rules of today are nothing to a repetition of what was accepted.
    """
    parsed = read_json(content_type, body, example='{"file_ids": [1, 2]}')
    _refuse_too_many(parsed)
    try:
        request = msgspec.convert(_with_whole_ids(parsed), JobRequest)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"The request is not valid: {explain(error, parsed, ALLOWED)}.") from None
    _refuse_duplicates(request.file_ids)
    return request


def insist_on_callback_target(request: JobRequest, rules: CallbackRules) -> None:
    """Raise CallbackUrlRefused where the request has a callback that may not go where it wants to.

    Its URL is judged by its text alone: what its name leads to is looked at when the callback is sent.
    """
    if request.callback_url is not None:
        read_target(request.callback_url, rules)


def _with_whole_ids(parsed: Any) -> Any:
    """Take `70000.0` for the integer that it is (JSON Schema 2020-12 validation §6.1.1; RFC 8259 §6 has one number)."""
    match parsed:
        case {"file_ids": list() as file_ids}:
            whole = [int(each) if isinstance(each, float) and each.is_integer() else each for each in file_ids]
            return {**parsed, "file_ids": whole}
    return parsed


def _refuse_too_many(parsed: Any) -> None:
    file_ids = parsed.get("file_ids") if isinstance(parsed, dict) else None
    if isinstance(file_ids, list) and len(file_ids) > limits.MAX_FILES_PER_JOB:
        raise InvalidRequest(
            f"The request asks for {len(file_ids):,} files; the limit is {limits.MAX_FILES_PER_JOB:,}. "
            "Split it into several jobs."
        )


def _refuse_duplicates(file_ids: tuple[int, ...]) -> None:
    if len(set(file_ids)) < len(file_ids):
        twice = [file_id for file_id, count in Counter(file_ids).items() if count > 1]
        named = ", ".join(map(str, twice[:10]))
        raise InvalidRequest(f"Each file can be asked for once; these ids come more than once: {named}.")
