"""Why a job fails: the codes of `error` in a job, and in its messages `retrying` and `error`. Pure.

They are no enum of the schema: a handler of the operators' own (docs/handlers.md) has codes of its own.
"""

import inspect
from collections.abc import Iterator

from shared.errors import ObjectError, RecordUnreadable, RunError, WaybillError

WITHOUT_ERROR = {
    "CRASHED": "Its processors died each time they ran it.",
    "EXPIRED": "No processor was free to run it for 24 hours.",
    "INTERNAL": "A mistake of ours, or of a handler; the operators' log has it under the job's id.",
}
"""The codes of failures behind which there is no error of ours."""


def failures() -> dict[str, str]:
    """Give each code that we know, in their order, and what it means."""
    known: list[type[WaybillError]] = [RecordUnreadable, *_below(RunError), *_below(ObjectError)]
    told = {error.code: _first_sentence(error) for error in known}
    return dict(sorted((WITHOUT_ERROR | told).items()))


def _below(error: type[WaybillError]) -> Iterator[type[WaybillError]]:
    for each in error.__subclasses__():
        if "code" in vars(each):
            yield each
        yield from _below(each)


def _first_sentence(error: type[WaybillError]) -> str:
    return (inspect.getdoc(error) or "").partition("\n")[0]
