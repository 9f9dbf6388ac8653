"""Says what a storm was like: a table for whoever reads the run."""

from collections import Counter
from collections.abc import Iterator

from tests.chaos.crash_points import CrashPoint
from tests.chaos.history import Asked, Deed, History, What
from tests.chaos.life import Life, code_of
from tests.chaos.plan import Kind
from tests.chaos.storm import Aftermath


def report(aftermath: Aftermath) -> str:
    """Give the whole table."""
    return "\n".join(_lines(aftermath))


def _lines(aftermath: Aftermath) -> Iterator[str]:
    history = aftermath.history
    lives = [Life(log) for log in history.logs.values()]
    states = sorted(str(record.state) for record in history.records.values())
    yield f"{'crash point':48}{'hits':>6}"
    yield from (f"{point:48}{aftermath.hits[point]:6}" for point in CrashPoint)
    yield f"{'fault':48}{'times':>6}"
    yield from (f"{kind:48}{aftermath.faults[kind]:6}" for kind in Kind)
    yield f"jobs {len(history.records)} ({', '.join(f'{states.count(s)} {s}' for s in sorted(set(states)))})"
    yield f"jobs created, and nobody told: {len(history.records.keys() - history.accepted)}"
    times_shown = sum(len(one.shown) for one in history.sightings)
    yield f"events {sum(map(len, history.logs.values()))}, shown {times_shown} times"
    yield f"streams cut {aftermath.cuts}"
    yield f"calls refused for now {aftermath.refused_calls}, cut off by gateways {len(aftermath.cut_calls)}"
    yield from aftermath.cut_calls
    yield f"processors dead {len(history.deaths)}, frozen {len(history.frozen)}"
    yield f"runs {_count(history, What.BEGAN)}, of which nobody knew {sum(map(len, _untold(history)))}"
    most = max((len(census.unfinished) for census in history.censuses), default=0)
    waiting = max((len(census.waiting) for census in history.censuses), default=0)
    yield f"censuses {len(history.censuses)}, at most {most} jobs in flight, {waiting} callbacks waiting in a partition"
    yield from _wanted(history)
    yield f"taken over {sum(life.crashes for life in lives)}, failures {sum(life.failures for life in lives)}"
    yield f"told to be superseded {_superseded(history)}, open uploads of the dead {len(history.open_uploads)}"
    told = Counter(str(callback.state) for kept in history.callbacks.values() for callback in kept)
    ends = ", ".join(f"{state} {told[state]}" for state in sorted(told))
    yield f"callbacks {told.total()} ({ends}), heard {len(history.heard)} times"
    if times := sorted(take_over_seconds(history)):
        middle, longest = times[len(times) // 2], times[-1]
        yield f"from death to the next run: median {middle:.1f} s, longest {longest:.1f} s ({len(times)} times)"
    yield f"took {aftermath.seconds:.0f} s"


def _wanted(history: History) -> Iterator[str]:
    """Say what callers and operators wanted, by what they were answered, and how many jobs waited for too long."""
    calls = Counter(
        (call.asked, call.status or call.word or "nothing") for call in history.calls if call.asked is not Asked.LOOK
    )
    yield "answered: " + ", ".join(
        f"{asked} {answer} {count}" for (asked, answer), count in sorted(calls.items(), key=str)
    )
    expired = sum(code_of(event) == "EXPIRED" for log in history.logs.values() for event in log)
    gone = sum(call.status == 410 for call in history.calls)
    yield f"keys {len({call.key for call in history.calls} - {''})}, expired {expired}, told to be gone {gone}"


def take_over_seconds(history: History) -> Iterator[float]:
    """Give, for each run whose processor died, how long it took until the job was begun again."""
    begun: dict[tuple[str, int], Deed] = {
        (deed.job_id, deed.epoch): deed for deed in history.deeds if deed.what is What.BEGAN
    }
    for job_id, log in history.logs.items():
        for epoch, _ in Life(log).take_overs:
            before, after = begun.get((job_id, epoch)), begun.get((job_id, epoch + 1))
            if before and after and before.processor in history.deaths:
                yield (after.at_ms - history.deaths[before.processor]) / 1000


def _untold(history: History) -> Iterator[set[int]]:
    for job_id, log in history.logs.items():
        told = {deed.epoch for deed in history.deeds if deed.what is What.BEGAN and deed.job_id == job_id}
        yield Life(log).epochs_begun - told


def _superseded(history: History) -> int:
    return len({deed.token for deed in history.deeds if deed.detail.endswith(("STALE", "GONE"))})


def _count(history: History, what: What) -> int:
    return sum(deed.what is what for deed in history.deeds)
