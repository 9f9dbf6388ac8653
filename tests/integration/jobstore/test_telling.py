"""The cursor of those who tell the admins: every letter is offered until it is marked, by one process at a time."""

from shared.jobstore import keys
from shared.jobstore.dead_letters import Untold
from shared.jobstore.store import JobStore
from tests.support import jobs


async def untold(store: JobStore, *, teller: str = "t1") -> Untold | None:
    """Ask partition 0 for the next letter to tell, as its teller."""
    turn = await jobs.letters_of(store).next_untold(0, teller=teller)
    assert turn.is_leader
    return turn.untold


async def fail(store: JobStore) -> str:
    """Let a job of partition 0 fail; give its id."""
    return (await jobs.fail(store, partition=0)).job_id


async def tell(store: JobStore) -> tuple[str, int]:
    """Tell the next letter; give its job, and how many before it were trimmed untold."""
    there = await untold(store)
    assert there is not None
    return there.letter.job_id, await jobs.letters_of(store).mark_told(there)


async def trim(store: JobStore, count: int) -> None:
    """Trim the oldest letters, as the stream's bound does."""
    length = (await store.backlog(0)).dead_letters
    await store.connection.execute("XTRIM", keys.dead(0), "MAXLEN", length - count)


async def test_letters_are_told_in_order_and_each_until_it_is_marked(store: JobStore) -> None:
    assert await untold(store) is None
    first, second = await fail(store), await fail(store)

    offered = [there.letter.job_id for _ in range(2) if (there := await untold(store))]
    told = [await tell(store), await tell(store)]

    assert offered == [first, first]
    assert told == [(first, 0), (second, 0)]
    assert await untold(store) is None


async def test_the_first_teller_ever_begins_behind_the_letters_that_are_there(store: JobStore) -> None:
    await fail(store)

    assert await untold(store) is None
    job_id = await fail(store)

    assert await tell(store) == (job_id, 0)


async def test_one_process_at_a_time_tells(store: JobStore) -> None:
    await untold(store, teller="t1")

    other = await jobs.letters_of(store).next_untold(0, teller="t2")
    await store.connection.execute("PEXPIRE", keys.teller(0), 0)
    later = await jobs.letters_of(store).next_untold(0, teller="t2")

    assert (other.is_leader, later.is_leader) == (False, True)
    assert 0 < int(str(await store.connection.execute("PTTL", keys.teller(0)))) <= 15_000


async def test_a_repeated_mark_answers_the_same_and_a_late_one_moves_nothing_back(store: JobStore) -> None:
    await untold(store)
    await fail(store)
    await fail(store)
    await trim(store, 1)
    second = await untold(store)
    assert second is not None

    lost = [await jobs.letters_of(store).mark_told(second) for _ in range(2)]
    third_job = await fail(store)
    await tell(store)
    late = await jobs.letters_of(store).mark_told(second)

    assert (lost, late) == ([1, 1], 0)
    assert third_job
    assert await untold(store) is None


async def test_letters_trimmed_before_they_were_told_are_counted(store: JobStore) -> None:
    await untold(store)
    told = await fail(store)
    assert await tell(store) == (told, 0)
    for _ in range(3):
        await fail(store)
    last = await fail(store)

    await trim(store, 4)  # the one that was told, and three that were not

    assert await tell(store) == (last, 3)


async def test_letters_taken_away_by_hand_are_not_counted_as_trimmed(store: JobStore) -> None:
    await untold(store)
    told = await jobs.fail(store, partition=0)
    await tell(store)
    redriven = await jobs.fail(store, partition=0)
    discarded, last = await fail(store), await fail(store)

    for run in (told, redriven):
        await jobs.redrive(store, run)
    await jobs.letters_of(store).discard(await jobs.letter_of(store, discarded))

    assert await tell(store) == (last, 0)


async def test_a_told_letter_that_is_taken_away_excuses_no_trimmed_one(store: JobStore) -> None:
    await untold(store)
    told = await fail(store)
    await tell(store)
    await fail(store)
    last = await fail(store)

    await jobs.letters_of(store).discard(await jobs.letter_of(store, told))
    await trim(store, 1)

    assert await tell(store) == (last, 1)


async def test_a_letter_taken_away_while_it_is_told_excuses_no_trimmed_one(store: JobStore) -> None:
    await untold(store)
    redriven = await jobs.fail(store, partition=0)
    in_hand = await untold(store)
    assert in_hand is not None

    await jobs.redrive(store, redriven)
    told = await jobs.letters_of(store).mark_told(in_hand)
    await fail(store)
    last = await fail(store)
    await trim(store, 1)

    assert told == 0
    assert await tell(store) == (last, 1)


async def test_a_letter_taken_away_after_a_try_to_tell_it_is_not_counted_as_trimmed(store: JobStore) -> None:
    await untold(store)
    redriven = await jobs.fail(store, partition=0)
    assert await untold(store) is not None

    await jobs.redrive(store, redriven)
    last = await fail(store)

    assert await tell(store) == (last, 0)


async def test_a_letter_trimmed_while_it_is_told_is_told_and_spends_nobody_elses_excuse(store: JobStore) -> None:
    await untold(store)
    await fail(store)
    discarded, last = await fail(store), await fail(store)
    in_hand = await untold(store)
    assert in_hand is not None

    await jobs.letters_of(store).discard(await jobs.letter_of(store, discarded))
    await trim(store, 1)

    assert await jobs.letters_of(store).mark_told(in_hand) == 0
    assert await tell(store) == (last, 0)
