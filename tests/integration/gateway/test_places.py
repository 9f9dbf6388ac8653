"""The places of an owner over a real Redis: each follower of a stream takes one, and all gateways count together."""

import asyncio

import pytest

from gateway.streaming.hub import Hub
from gateway.streaming.long_poll import LongPoll
from gateway.streaming.places import Places
from shared.errors import TooManyStreams
from shared.event_id import START
from shared.jobstore.owner_limits import OwnerLimits
from shared.jobstore.store import JobStore
from shared.limit_errors import TooManyOwnerStreams
from tests.support import jobs


def places_of(store: JobStore, *, most: int) -> Places:
    """Make the places of one more gateway."""
    return Places(OwnerLimits(store.connection), most=most)


async def test_a_stream_of_many_takes_a_place_for_each_job_and_gives_all_of_them_back(store: JobStore) -> None:
    here, elsewhere = places_of(store, most=5), places_of(store, most=5)
    await here.take(jobs.OWNER, 4)

    with pytest.raises(TooManyOwnerStreams):
        await elsewhere.take(jobs.OWNER, 2)
    await elsewhere.take(jobs.OWNER)
    here.give_back(jobs.OWNER, 4)
    await here.tell()

    await elsewhere.take(jobs.OWNER, 4)


async def test_what_was_refused_has_taken_nothing(store: JobStore) -> None:
    places = places_of(store, most=3)
    with pytest.raises(TooManyOwnerStreams):
        await places.take(jobs.OWNER, 4)

    await places.take(jobs.OWNER, 3)


async def test_a_hub_that_is_full_by_then_gives_all_places_back(store: JobStore) -> None:
    """There was room when the owner's places were asked for, and none when they were there."""
    places = places_of(store, most=3)
    hub = Hub(store, store.connection, max_streams=1, places=places)
    poll = LongPoll(await jobs.create(store), START, owner=jobs.OWNER)
    asked = asyncio.create_task(hub.admit(jobs.OWNER, followers=3))
    await asyncio.sleep(0)  # it has found an empty hub, which takes any stream
    hub.register(poll)

    with pytest.raises(TooManyStreams):
        await asked
    await places.take(jobs.OWNER, 3)


@pytest.mark.parametrize(
    ("followers", "left", "advice"), [(1, '"streams";r=0', "Close a stream"), (2, None, "divide it")]
)
async def test_a_refusal_says_the_limit_and_what_is_left_where_that_is_sure(
    store: JobStore, followers: int, left: str | None, advice: str
) -> None:
    places = places_of(store, most=1)
    await places.take(jobs.OWNER)

    with pytest.raises(TooManyOwnerStreams) as refused:
        await places.take(jobs.OWNER, followers)

    assert refused.value.headers["ratelimit-policy"] == '"streams";q=1;qu="concurrent-requests"'
    assert refused.value.headers.get("ratelimit") == left
    assert "You may follow 1 jobs at once" in refused.value.message
    assert advice in refused.value.message
