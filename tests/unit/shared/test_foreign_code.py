"""Code that a setting names: what is refused at the start, because it could never work."""

import functools
from typing import Any

import pytest

from shared.errors import SettingsError
from shared.foreign_code import resolve


async def handle(job: object, context: object) -> None:
    """Fit."""


async def with_more(job: object, context: object, *, region: str = "eu") -> None:
    """Fit: what is more has a default."""


async def with_another_order(region: str, job: object, context: object) -> None:
    """Fit once the region is given."""


class Handler:
    """Fits as an object, and not as a class."""

    async def __call__(self, job: object, context: object) -> None:
        """Fit."""


def traced(function: Any) -> Any:
    """Wrap as decorators do."""

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        return function(*arguments)

    return call


an_object = Handler()
a_partial = functools.partial(with_another_order, "eu")
a_partial_of_an_object = functools.partial(Handler())
decorated = traced(handle)


def plain(job: object, context: object) -> None:
    """Is not async."""


async def with_one(job: object) -> None:
    """Takes too little."""


async def with_three(job: object, context: object, region: str) -> None:
    """Wants more than it is given."""


async def generating(job: object, context: object) -> Any:
    """Is an async generator, and gives no coroutine."""
    yield


def load(reference: str) -> object:
    return resolve(reference, setting=f"WAYBILL_HANDLER={reference}", takes=("job", "context"), must_be_async=True)


@pytest.mark.parametrize(
    "name", ["handle", "with_more", "an_object", "a_partial", "a_partial_of_an_object", "decorated"]
)
def test_whatever_gives_a_coroutine_for_job_and_context_is_taken(name: str) -> None:
    assert load(f"{__name__}:{name}") is globals()[name]


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("json:dumps", "dumps cannot be called with (job, context): too many positional arguments."),
        (f"{__name__}:with_one", "with_one cannot be called with (job, context): too many positional arguments."),
        (f"{__name__}:with_three", "cannot be called with (job, context): missing a required argument: 'region'."),
        (f"{__name__}:Handler", "Handler cannot be called with (job, context)"),
        (f"{__name__}:plain", "plain is no coroutine function. Write async def plain(job, context)."),
        (f"{__name__}:generating", "generating is no coroutine function."),
    ],
)
def test_what_can_never_work_is_refused_with_its_setting_in_one_line(reference: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(reference)

    [line] = caught.value.problems
    assert line.startswith(f"WAYBILL_HANDLER={reference}: ")
    assert problem in line
