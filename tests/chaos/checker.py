"""What must hold after every storm, whatever was killed, stopped or cut: each invariant looks at one history. Pure."""

from collections import Counter
from collections.abc import Callable, Iterator

from shared import limits
from shared.event_id import START, EventId
from shared.jobs import JobState
from shared.jobstore.callback import CallbackRecord, CallbackState
from tests.chaos.history import SUPERSEDED, UNKNOWN, Asked, Call, Deed, Event, History, Sighting, What
from tests.chaos.life import TERMINAL, Life, at_ms, code_of

STATE_OF = {"completed": JobState.COMPLETED, "error": JobState.FAILED, "cancelled": JobState.CANCELLED}
ENDS = ("finish", "retry_later", "release")
CALLBACK_SCHEDULE = "0 0 1 1 2 2"
"""What storms run with (WAYBILL_CALLBACK_SCHEDULE): short pauses, so that what is given up is so within the storm."""
SCHEDULE_TRIES = len(CALLBACK_SCHEDULE.split())
SHOWN_AS_TERMINAL = ("completed", "failed", "cancelled")

Invariant = Callable[[History], Iterator[str]]


def _is_trimmed(history: History, job_id: str) -> bool:
    """Tell whether the beginning of a log may be gone: the janitor takes it away soon after a deletion."""
    record, log = history.records.get(job_id), history.logs.get(job_id)
    return bool(record and record.deleted_at_ms is not None and log and log[0].event_id.seq > 1)


def _whole_logs(history: History) -> Iterator[tuple[str, list[Event]]]:
    """Give the logs from which a life can be told."""
    yield from ((job_id, log) for job_id, log in history.logs.items() if not _is_trimmed(history, job_id))


def _is_deleted(history: History, job_id: str) -> bool:
    record = history.records.get(job_id)
    return record is not None and record.deleted_at_ms is not None


def every_job_ends_once(history: History) -> Iterator[str]:
    """Each job that was accepted, and each that Redis knows of, ends once for each time that it was queued.

    After the end comes nothing but a redrive.
    """
    for job_id in history.accepted | history.records.keys():
        types = [event.type for event in history.logs.get(job_id, ())]
        following = [*types[1:], "nothing"]
        is_redriven = [pair == ("error", "queued") for pair in zip(types, following, strict=False)]
        ends = [kind in TERMINAL and not goes_on for kind, goes_on in zip(types, is_redriven, strict=True)]
        if not ends or not ends[-1] or sum(ends) != 1:
            yield f"{job_id} has {sum(ends)} ends: {' '.join(types) or 'no log'}"


def logs_are_dense(history: History) -> Iterator[str]:
    """Numbers count 1, 2, 3 … and epochs never fall."""
    for job_id, log in history.logs.items():
        before, rest = START, log
        if _is_trimmed(history, job_id):
            before, rest = log[0].event_id, log[1:]
        for event in rest:
            if not before.is_followed_by(event.event_id):
                yield f"{job_id}: {event.event_id} follows {before}"
            before = event.event_id


def logs_tell_a_life(history: History) -> Iterator[str]:
    """One event follows from another: nothing is reported without a run, and each claim has an epoch of its own."""
    for job_id, log in _whole_logs(history):
        yield from (f"{job_id}: {breach}" for breach in Life(log).breaches)


def records_agree_with_logs(history: History) -> Iterator[str]:
    """State and last event of the record are those of the log."""
    for job_id, record in history.records.items():
        log = history.logs.get(job_id)
        if not log:
            yield f"{job_id} has a record and no log"
        elif (log[-1].event_id, STATE_OF.get(log[-1].type)) != (EventId(record.epoch, record.seq), record.state):
            yield f"{job_id} is {record.state} at {record.epoch}-{record.seq}, and its log ends with {log[-1]}"


def counters_add_up(history: History) -> Iterator[str]:
    """Attempt, failures and crashes of the record are those that the log tells."""
    for job_id, record in history.records.items():
        if _is_trimmed(history, job_id):
            continue
        life = Life(history.logs.get(job_id, ()))
        told, counted = (
            (life.attempt, life.failures, life.crashes),
            (record.attempt, record.failures, record.crashes),
        )
        if told != counted:
            yield f"{job_id} has attempt, failures, crashes {counted}, and its log tells {told}"


def clients_saw_the_log(history: History) -> Iterator[str]:
    """What a client was shown is a beginning of the log: nothing twice, nothing else, no hole without a gap."""
    for sighting in history.sightings:
        log = history.logs.get(sighting.job_id, [])
        if _is_trimmed(history, sighting.job_id):
            log = [*_trimmed_part(sighting, log[0]), *log]
        yield from _differences(sighting, log)


def _trimmed_part(sighting: Sighting, first: Event) -> list[Event]:
    """Give what a client was shown of the part of a log that is gone, which is believed if it fits together."""
    seen = {shown.event.event_id.seq: shown.event for shown in sighting.shown}
    return [seen.get(seq, Event(EventId(0, seq), {"type": "unseen"})) for seq in range(1, first.event_id.seq)]


def _differences(sighting: Sighting, log: list[Event]) -> Iterator[str]:
    who, place = f"{sighting.client} of {sighting.job_id}", 0
    for shown in sighting.shown:
        if shown.has_gap:
            place = sum(event.event_id <= shown.event.event_id for event in log)
            continue
        wanted = log[place] if place < len(log) else None
        if shown.event != wanted:
            yield f"{who} was shown {shown.event} in place of {wanted}"
            return
        place += 1
    if sighting.saw_end and not (place and log[place - 1].type in TERMINAL):
        yield f"{who} was told of the end after {place} of {len(log)} events"


def answers_never_go_back(history: History) -> Iterator[str]:
    """Progress never falls, and an end that a client was told stands, unless a failed job was started anew."""
    progress: dict[str, float] = {}
    ends: dict[str, str] = {}
    redriven = {call.job_id for call in _calls(history, Asked.REDRIVE) if call.word == "OK"}
    redriven |= {call.job_id for call in _calls(history, Asked.RETRY, UNKNOWN, 202)}
    for answer in history.answers:
        job_id = answer.job_id
        if answer.progress < progress.get(job_id, 0.0):
            yield f"{job_id} went back from {progress[job_id]} to {answer.progress}"
        was = ends.get(job_id, answer.status)
        if was != answer.status and not (was == "failed" and job_id in redriven):
            yield f"{job_id} was {ends[job_id]} and became {answer.status}"
        progress[job_id] = answer.progress
        if answer.status in SHOWN_AS_TERMINAL:
            ends[job_id] = answer.status
    for job_id, status in ends.items():
        if history.records[job_id].state != status and not (status == "failed" and job_id in redriven):
            yield f"{job_id} was told to be {status} and is {history.records[job_id].state}"


def nothing_waits(history: History) -> Iterator[str]:
    """At rest the command streams hold no entry, and none is pending."""
    yield from (f"entry {entry} of {job_id} is left" for entry, job_id in history.entries.items())
    yield from (f"entry {entry} is pending for {consumer}" for entry, consumer in history.pending.items())


def dead_letters_are_the_failed_jobs(history: History) -> Iterator[str]:
    """Each failed job has one dead letter, which its record names; nobody else has one."""
    failed = {job_id: record.dead_id for job_id, record in history.records.items() if record.state is JobState.FAILED}
    for job_id, count in Counter(letter.job_id for letter in history.dead_letters).items():
        if count > 1 or job_id not in failed:
            yield f"{job_id} has {count} dead letters and is {'' if job_id in failed else 'not '}failed"
    written = {letter.job_id: letter.dead_id for letter in history.dead_letters}
    for job_id, dead_id in failed.items():
        if written.get(job_id) != dead_id or dead_id is None:
            yield f"{job_id} names the dead letter {dead_id}; it has {written.get(job_id)}"


def archives_are_right(history: History) -> Iterator[str]:
    """The archive of each completed job can be fetched, and holds the very bytes that were asked for."""
    for job_id, record in history.records.items():
        if _is_deleted(history, job_id):
            continue
        if record.state is JobState.COMPLETED and (wrong := history.archives.get(job_id, "nobody looked at it")):
            yield f"the archive of {job_id}: {wrong}"


def records_name_what_a_run_of_theirs_made(history: History) -> Iterator[str]:
    """The object of a completed job was made visible by a run of it: the one that ended it, or one before that died.

    The key follows from job and plan, so every run that has it makes the same bytes; who finds them there says so. Who
    dies while it makes an object visible, in a thread, cannot write down that it has.
    """
    made = {
        (deed.job_id, deed.epoch, deed.detail)
        for deed in history.deeds
        if deed.what is What.COMPLETED or (deed.what is What.COMPLETING and deed.processor in history.deaths)
    }
    for job_id, record in history.records.items():
        if record.state is not JobState.COMPLETED or _is_deleted(history, job_id):
            continue
        if not any((job_id, epoch, record.object_key) in made for epoch in range(1, record.epoch + 1)):
            yield f"{job_id} names {record.object_key}, which no run of it up to {record.epoch} has made"


def superseded_runs_touch_nothing(history: History) -> Iterator[str]:
    """Who was told to be superseded makes nothing visible afterwards, and changes nothing."""
    told: dict[str, Deed] = {}
    for deed in history.deeds:
        word = deed.detail.rpartition(" ")[2]
        if deed.token in told and (deed.what is What.COMPLETING or (deed.what is What.ANSWERED and word == "OK")):
            answer = told[deed.token].detail
            yield f"{deed.processor} was told {answer} of {deed.job_id}, and then {deed.what} {deed.detail}"
        if deed.what is What.ANSWERED and word in SUPERSEDED:
            told.setdefault(deed.token, deed)


def objects_appear_under_a_confirmed_lease(history: History) -> Iterator[str]:
    """Nothing becomes visible but after a confirmation of the same run."""
    confirmed: set[str] = set()
    for deed in history.deeds:
        if deed.what is What.CONFIRMED:
            confirmed.add(deed.token)
        elif deed.what is What.COMPLETING and deed.token not in confirmed:
            yield f"{deed.processor} completes {deed.detail} and has not confirmed its lease"


def an_epoch_is_one_run(history: History) -> Iterator[str]:
    """No two runs have the same epoch of a job, and the log has the beginning of each."""
    tokens: dict[tuple[str, int], str] = {}
    for deed in history.deeds:
        if deed.what is not What.BEGAN:
            continue
        if tokens.setdefault((deed.job_id, deed.epoch), deed.token) != deed.token:
            yield f"{deed.job_id} has two runs of epoch {deed.epoch}"
        if _is_trimmed(history, deed.job_id):
            continue
        if deed.epoch not in Life(history.logs.get(deed.job_id, ())).epochs_begun:
            yield f"{deed.job_id}: the run of epoch {deed.epoch} is not in its log"


def one_run_ends_a_job(history: History) -> Iterator[str]:
    """Who was told that its end stands has an end in the log, under its own epoch."""
    for deed in history.deeds:
        if deed.what is not What.ANSWERED or deed.detail not in ("finish OK", "finish DONE"):
            continue
        log = history.logs.get(deed.job_id, [])
        if _is_trimmed(history, deed.job_id) and deed.epoch < log[0].event_id.epoch:
            continue
        if deed.epoch not in {event.event_id.epoch for event in log if event.type in TERMINAL}:
            yield f"{deed.processor} ended {deed.job_id} in epoch {deed.epoch}, and its log says: {log[-1:]}"


def crashes_have_a_cause(history: History) -> Iterator[str]:
    """A lease ran out only of a processor that had died, or was frozen, before: nobody healthy was robbed."""
    holders = {(deed.job_id, deed.epoch): deed.processor for deed in history.deeds if deed.what is What.BEGAN}
    silent_since_ms = history.deaths | history.frozen  # who was frozen may have died later
    first_ms = min(silent_since_ms.values(), default=None)
    for job_id, log in _whole_logs(history):
        for epoch, found_at_ms in Life(log).take_overs:
            holder = holders.get((job_id, epoch))
            # Without a holder: it died, or slept, before it could write down what it had claimed.
            since_ms = silent_since_ms.get(holder) if holder else first_ms
            if since_ms is None or since_ms > found_at_ms:
                yield f"{job_id} was taken from {holder} (epoch {epoch}), which was alive and well"


def who_drains_claims_nothing_more(history: History) -> Iterator[str]:
    """No claim is begun by a processor that drains; one that was sent before may be sent again."""
    draining: set[str] = set()
    claimed: set[str] = set()
    for deed in history.deeds:
        if deed.what is What.DRAINING:
            draining.add(deed.processor)
        elif deed.what is What.CLAIMING:
            if deed.processor in draining and deed.token not in claimed:
                yield f"{deed.processor} claims {deed.job_id}, though it drains"
            claimed.add(deed.token)


def drains_cost_nothing(history: History) -> Iterator[str]:
    """Each run of a processor that drained in peace was ended or handed back; an interrupted one was never counted."""
    silent = history.deaths.keys() | history.frozen.keys()
    drained = {deed.processor for deed in history.deeds if deed.what is What.DRAINING} - silent
    interrupted = {deed.token for deed in history.deeds if deed.what is What.CANCELLED} - _told_to_end(history)
    ends: dict[str, str] = {}
    for deed in history.deeds:
        operation, _, word = deed.detail.partition(" ")
        if deed.what is What.ANSWERED and (operation in ENDS or word in SUPERSEDED):
            ends[deed.token] = f"superseded ({word})" if word in SUPERSEDED else operation
    for deed in history.deeds:
        if deed.what is not What.BEGAN or deed.processor not in drained:
            continue
        end = ends.get(deed.token)
        if end is None:
            yield f"{deed.processor} left {deed.job_id} as it was"
        elif deed.token in interrupted and end in ("finish", "retry_later"):
            yield f"{deed.processor} interrupted {deed.job_id}, and counted it: {end}"


def _told_to_end(history: History) -> set[str]:
    return {deed.token for deed in history.deeds if deed.what is What.ANSWERED and deed.detail.endswith(" CANCEL")}


def open_uploads_are_of_the_dead(history: History) -> Iterator[str]:
    """Whoever lived to the end of its run has ended its upload, or a record names it: then the janitor comes for it."""
    writers = {deed.detail: deed.processor for deed in history.deeds if deed.what is What.UPLOADING}
    checkpoints = [record.checkpoint for record in history.records.values() if record.checkpoint]
    kept = {checkpoint.upload.upload_id for checkpoint in checkpoints if checkpoint.upload}
    for upload_id in history.open_uploads:
        if upload_id in kept:
            continue
        writer = writers.get(upload_id)
        if writer not in history.deaths and (writer or not history.deaths):
            yield f"upload {upload_id} of {writer} is still open"


# ── what callers and operators wanted ─────────────────────────────────────────────────────────────────────────────────


def _calls(history: History, asked: Asked, *statuses: int) -> Iterator[Call]:
    yield from (call for call in history.calls if call.asked is asked and (not statuses or call.status in statuses))


def cancels_are_kept(history: History) -> Iterator[str]:
    """A job whose end somebody was promised ends so, or by the run that was about to end it then; no run follows.

    Whatever ends a job that waits, or in place of a dead run, knows of the wish.
    """
    for call in _calls(history, Asked.CANCEL, 200, 202):
        record, log = history.records.get(call.job_id), history.logs.get(call.job_id, [])
        if record is None or not log:
            yield f"{call.job_id} was cancelled, and nobody knows of it"
        elif call.status == 200 or call.word == JobState.CANCELLED:
            if record.state != call.word:
                yield f"{call.job_id} was told to be {call.word} and is {record.state}"
        elif code_of(log[-1]) in ("EXPIRED", "CRASHED"):
            yield f"{call.job_id} was to be cancelled, and ended as {code_of(log[-1])}"
        elif any(event.type == "started" and at_ms(event) > call.answered_at_ms for event in log):
            yield f"{call.job_id} was to be cancelled, and was run again"


def who_is_told_to_end_confirms_nothing(history: History) -> Iterator[str]:
    """A run that was told of a wish that its job ends makes no archive visible, but for one that it has confirmed."""
    told: set[str] = set()
    for deed in history.deeds:
        if deed.what is What.CONFIRMED and deed.token in told:
            yield f"{deed.processor} was told to end {deed.job_id}, and confirmed an archive"
        if deed.what is What.ANSWERED and deed.detail.endswith(" CANCEL"):
            told.add(deed.token)


def deleted_jobs_are_gone(history: History) -> Iterator[str]:
    """From the answer to DELETE on nobody sees a job, before it everybody does; in the end its archive is gone."""
    sent_at_ms: dict[str, int] = {}
    gone_at_ms: dict[str, int] = {}
    for call in _calls(history, Asked.DELETE):
        sent_at_ms[call.job_id] = min(sent_at_ms.get(call.job_id, call.sent_at_ms), call.sent_at_ms)
        if call.status in (204, 410):
            gone_at_ms[call.job_id] = min(gone_at_ms.get(call.job_id, call.answered_at_ms), call.answered_at_ms)
    for call in _calls(history, Asked.LOOK):
        if call.status == 410 and call.answered_at_ms < sent_at_ms.get(call.job_id, call.answered_at_ms + 1):
            yield f"{call.job_id} was gone before anybody deleted it"
        if call.status != 410 and call.sent_at_ms > gone_at_ms.get(call.job_id, call.sent_at_ms):
            yield f"{call.job_id} was shown ({call.status}) after it was deleted"
    for job_id in gone_at_ms:
        record = history.records.get(job_id)
        if record is None or record.deleted_at_ms is None or record.object_key is not None:
            yield f"{job_id} was deleted, and its record says: {record}"


def a_key_is_one_job(history: History) -> Iterator[str]:
    """All that was created under one Idempotency-Key is one job, also when nobody heard of the first creation."""
    keyed: dict[str, set[str]] = {}
    for call in _calls(history, Asked.CREATE):
        if call.key:
            keyed.setdefault(call.key, set()).update([call.job_id] if call.status == 202 else [])
    for job_id, record in history.records.items():
        if (name := record.options.archive_name or "") in keyed:
            keyed[name].add(job_id)
    yield from (f"key {key} has jobs {sorted(found)}" for key, found in keyed.items() if len(found) > 1)


def redrives_go_on(history: History) -> Iterator[str]:
    """A redrive that was answered OK goes on with the log under the next epoch; nothing else goes on behind an end.

    A retry names no epoch: each that may have been done accounts for one end, whichever it was, that was not the last.
    """
    asked = {(call.job_id, call.epoch) for call in _calls(history, Asked.REDRIVE)}
    answered = {(call.job_id, call.epoch) for call in _calls(history, Asked.REDRIVE) if call.word == "OK"}
    found = {(job_id, epoch) for job_id, log in _whole_logs(history) for epoch in Life(log).redriven_from}
    for job_id, epoch in sorted(answered - found):
        if not _is_trimmed(history, job_id):
            yield f"{job_id} was redriven from {epoch}, and its log does not say so"
    unasked = Counter(job_id for job_id, _ in found - asked)
    retries = Counter(call.job_id for call in _calls(history, Asked.RETRY, UNKNOWN, 202))
    yield from (f"{job_id} was begun anew, and nobody wanted it" for job_id in sorted(unasked - retries))


def retries_begin_what_has_failed(history: History) -> Iterator[str]:
    """A retry of a failed job is never refused, and one that was answered 202 has begun the job anew.

    Of two retries at once one may be refused: when the other has begun the job, and it has ended again meanwhile.
    """
    for call in _calls(history, Asked.RETRY):
        log = history.logs.get(call.job_id, [])
        last = [event for event in log if at_ms(event) < call.answered_at_ms][-1:]
        if call.status == 409 and any(event.type == "error" and at_ms(event) < call.sent_at_ms for event in last):
            yield f"{call.job_id} had failed, and its retry was refused"
        if call.status == 202 and not (_is_trimmed(history, call.job_id) or Life(log).redriven_from):
            yield f"{call.job_id} was to be begun anew, and its log does not say so"


def each_end_has_one_callback(history: History) -> Iterator[str]:
    """A job that somebody is to be told of has one callback for each of its ends; any other has none.

    Of a job that has ended very often the first ones may be forgotten.
    """
    for job_id, record in history.records.items():
        told = [callback.name.epoch for callback in history.callbacks.get(job_id, [])]
        ends = [event.event_id.epoch for event in history.logs.get(job_id, ()) if event.type in TERMINAL]
        if record.callback_url is None:
            ends = []
        elif _is_trimmed(history, job_id):
            told = told[-len(ends) :]
        elif len(told) > limits.CALLBACK_ENDS_KEPT:
            ends = ends[-len(told) :]
        if told != ends:
            yield f"{job_id} ended under {ends}, and has callbacks for {told}"


def every_end_is_told(history: History) -> Iterator[str]:
    """Each callback was heard by somebody, given up with good reason, or superseded by a later end; none else is known.

    Given up is what was tried as often as the schedule has it, or answered 410, and it is among the dead ones.
    """
    heard, dead = set(history.heard), set(history.dead_callbacks)
    kept_of_all = list(history.callbacks.values())
    for kept in kept_of_all:
        for number, callback in enumerate(kept, start=1):
            match callback.state:
                case CallbackState.DELIVERED if callback.callback_id not in heard:
                    yield f"{callback.callback_id} was delivered, and nobody has heard it"
                case CallbackState.SUPERSEDED if number == len(kept):
                    yield f"{callback.callback_id} is superseded, and by nothing"
                case CallbackState.DEAD if callback.callback_id not in dead:
                    yield f"{callback.callback_id} was given up, and is none of the dead ones"
                case CallbackState.DEAD if not _is_given_up_rightly(callback):
                    yield f"{callback.callback_id} was given up after {callback.attempt} tries: {callback.tries[-1:]}"
                case CallbackState.WAITING | CallbackState.DELIVERING:
                    yield f"{callback.callback_id} is {callback.state}"
    known = {callback.callback_id for kept in kept_of_all for callback in kept}
    yield from (f"somebody has heard of {callback_id}" for callback_id in sorted(heard - known))


def _is_given_up_rightly(callback: CallbackRecord) -> bool:
    is_unwanted = any(outcome.status == 410 for outcome in callback.tries[-1:])
    return is_unwanted or callback.attempt >= SCHEDULE_TRIES


def jobs_in_flight_are_counted(history: History) -> Iterator[str]:
    """At each moment every unfinished job counts once, for its own owner, and nothing else does."""
    for census in history.censuses:
        yield from (f"{job} has not ended, and does not count" for job in sorted(census.unfinished - census.counted))
        yield from (
            f"{job} counts, and has ended or is another's" for job in sorted(census.counted - census.unfinished)
        )


def waiting_callbacks_are_counted(history: History) -> Iterator[str]:
    """At each moment every callback that waits for an owner counts once, for that owner, and nothing else does."""
    for census in history.censuses:
        uncounted, settled = census.waiting - census.counted_callbacks, census.counted_callbacks - census.waiting
        yield from (f"{callback} waits, and does not count" for callback in sorted(uncounted))
        yield from (f"{callback} counts, and does not wait or is another's" for callback in sorted(settled))


def expired_jobs_have_letters_that_say_so(history: History) -> Iterator[str]:
    """Who waited too long is told EXPIRED, and has a dead letter with that reason; nobody else has one."""
    letters = {letter.job_id for letter in history.dead_letters if letter.reason == "expired"}
    ended = {job_id for job_id, log in history.logs.items() if log and code_of(log[-1]) == "EXPIRED"}
    yield from (f"{job_id} expired, and has no letter that says so" for job_id in sorted(ended - letters))
    yield from (f"{job_id} did not expire, as its letter says" for job_id in sorted(letters - ended))


def the_list_is_complete(history: History) -> Iterator[str]:
    """The owner's list has every job that is not deleted, once."""
    wanted = sorted(job_id for job_id in history.records if not _is_deleted(history, job_id))
    if sorted(history.listed) != wanted:
        yield f"the list differs in {sorted(set(history.listed) ^ set(wanted)) or 'what it has twice'}"


def everything_fits_together(history: History) -> Iterator[str]:
    """Doctor finds nothing, and no janitor has repaired anything meanwhile."""
    yield from history.findings


def nothing_is_left(history: History) -> Iterator[str]:
    """Once its time is over, nothing is left of any job: no entry, record, upload or archive."""
    yield from (f"{name} is left" for name in history.left)


INVARIANTS: tuple[Invariant, ...] = (
    every_job_ends_once,
    logs_are_dense,
    logs_tell_a_life,
    records_agree_with_logs,
    counters_add_up,
    clients_saw_the_log,
    answers_never_go_back,
    nothing_waits,
    dead_letters_are_the_failed_jobs,
    archives_are_right,
    records_name_what_a_run_of_theirs_made,
    superseded_runs_touch_nothing,
    objects_appear_under_a_confirmed_lease,
    an_epoch_is_one_run,
    one_run_ends_a_job,
    crashes_have_a_cause,
    who_drains_claims_nothing_more,
    drains_cost_nothing,
    open_uploads_are_of_the_dead,
    cancels_are_kept,
    who_is_told_to_end_confirms_nothing,
    deleted_jobs_are_gone,
    a_key_is_one_job,
    redrives_go_on,
    retries_begin_what_has_failed,
    each_end_has_one_callback,
    every_end_is_told,
    jobs_in_flight_are_counted,
    waiting_callbacks_are_counted,
    expired_jobs_have_letters_that_say_so,
    the_list_is_complete,
    everything_fits_together,
    nothing_is_left,
)


def breaches(history: History) -> list[str]:
    """Check everything; give a sentence for each breach, with the invariant's name before it."""
    return [f"{invariant.__name__}: {sentence}" for invariant in INVARIANTS for sentence in invariant(history)]
