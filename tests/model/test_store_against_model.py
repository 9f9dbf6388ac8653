"""The job store against its model: whatever happens in whatever order, both agree after every step.

Processors crash, callers cancel and delete, replies are lost and operations are sent again, sweepers come too early,
the janitor comes days and decades later, records break, strangers write into the stream, and the dead come back with
old claims. The invariants are the design's rules 1 to 5 and 9.
CI takes 60 times 40 steps on each set-up; `MODEL_EXAMPLES=2000` looks further, at random, and makes small what fails.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared import limits
from shared.clock import now_ms
from shared.event_id import EventId
from shared.jobs import Checkpoint, JobRecord, JobState
from shared.jobstore import keys
from shared.jobstore.callback import CallbackName, CallbackState, DeliveryOutcome, TakenCallback
from shared.jobstore.consistency import Consistency, Finding, Kind, Place, Sighting
from shared.jobstore.damage import bury_damaged, bury_foreign
from shared.jobstore.dead_letters import Redriven
from shared.jobstore.idempotency import IdempotencyKeys
from shared.jobstore.letter import DeadLetter
from shared.jobstore.lifetimes import Step, Taken
from shared.jobstore.listing import list_jobs
from shared.jobstore.operations import (
    Answer,
    Behind,
    Buried,
    Cancelled,
    CancelReply,
    Damaged,
    Ending,
    Entry,
    LinePlace,
    ListPlace,
    NewJob,
    NotDue,
    Run,
)
from shared.jobstore.outbox import Outbox
from tests.model.lifecycle import (
    DELIVERY_LEASE_DAYS,
    NEW,
    PARKED,
    READY,
    WAITS_DAYS,
    Callback,
    Claimed,
    ClaimMessages,
    Job,
    Partition,
)
from tests.support import inspection, jobs
from tests.support.cluster import Server
from tests.support.patience import running_patient_store
from tests.support.servers import empty
from tests.support.stores import Setup

if TYPE_CHECKING:
    from shared.jobstore.store import JobStore

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=EXAMPLES or 60,
    stateful_step_count=40,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    # Making a failing example small takes minutes; whoever looks further has them.
    phases=list(Phase) if EXAMPLES else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)

T = TypeVar("T")

CHOICE = st.integers(0, 2**16 - 1)
"""Which of the things that are there: see chosen()."""
PROCESSORS = st.sampled_from(["p1", "p2", "p3"])
SENDINGS = st.sampled_from([1, 1, 2, 3])
"""How often an operation is sent: more than once when its reply was lost."""
DELAYS_LEASES = st.sampled_from([0.0, 0.5, 3.0])
AGES_LEASES = st.sampled_from([0.0, 0.4, 1.0])
"""How old what a sweeper finds must be; less than a lease is a sweeper that comes too early."""
ENDINGS = st.sampled_from([jobs.completion(), jobs.failure(), jobs.cancellation()])
CHECKPOINTS = st.sampled_from([None, None, jobs.CHECKPOINT, Checkpoint("of another plan")])
LIKENESS = st.sampled_from(["itself", "itself", "same epoch", "same token"])
DAYS = st.sampled_from([0, 0, 2, 4, 40_000])
"""How much later the janitor comes: at once, when all that waits is over, and when all archives are."""
DAY_MS = 86_400_000
URL = "https://example.org/hook"
OUTCOME = DeliveryOutcome(at_ms=1, duration_ms=2, status=200)
DELAYS_DAYS = st.sampled_from([0, 0, 3])
CLAIM_MESSAGES = ClaimMessages(jobs.terms().started_message, jobs.BURIED, jobs.CANCELLED)
TERMINAL_TYPES = ("completed", "error", "cancelled")


class Hand(NamedTuple):
    """An entry that a processor took."""

    processor: str
    entry: Entry


class StoreMachine(RuleBasedStateMachine):
    """Drives a job store and its model side by side."""

    def __init__(self, server: Server, setup: Setup) -> None:
        super().__init__()
        empty(server)
        self.runner = asyncio.Runner()
        self.context = running_patient_store(server.url, partitions=setup.partitions)
        self.store: JobStore = self.runner.run(self.context.__aenter__())
        self.partitions = [Partition() for _ in range(setup.partitions)]
        self.jobs: dict[str, Job] = {}
        self.created: list[NewJob] = []
        self.hands: list[Hand] = []
        self.runs: list[Run] = []
        self.letters: list[DeadLetter] = []
        """All that were ever seen, the gone ones too."""
        self.store.tells_admins = True
        self.taken: list[TakenCallback] = []
        """All callbacks that were ever in somebody's hands, each try for itself."""
        self.tokens = 0
        self.reserved: dict[str, NewJob] = {}
        """What was created under which Idempotency-Key."""

    def teardown(self) -> None:
        """Stop the connection and the loop."""
        self.runner.run(self.context.__aexit__(None, None, None))
        self.runner.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the loop turn until the work is done."""
        return self.runner.run(work)

    def send(self, operation: Callable[[], Awaitable[T]], sendings: int) -> list[T]:
        """Send an operation several times, as somebody does who does not get a reply."""

        async def again_and_again() -> list[T]:
            return [await operation() for _ in range(sendings)]

        return self.run(again_and_again())

    def going_on(self) -> list[Run]:
        """Give the runs that own their jobs: the others are zombies."""
        return [run for run in self.runs if self.jobs[run.job_id].refusal(run.epoch, run.token) is None]

    def within_reach(self) -> list[Job]:
        """Give the jobs that a processor would get if it asked now."""
        return [job for partition in self.partitions for job in partition.unfinished if job.consumer in (NEW, READY)]

    # ── the gateway ───────────────────────────────────────────────────────────────────────────────────────────────────

    @initialize(choices=st.lists(CHOICE, min_size=1, max_size=4))
    def begin(self, choices: list[int]) -> None:
        """There are always some jobs."""
        for choice in choices:
            self.create(choice, 1)

    @rule(choice=CHOICE, sendings=SENDINGS)
    def create(self, choice: int, sendings: int) -> None:
        """A gateway creates a job."""
        url = URL if choice % 3 else None
        self.create_one(jobs.new_job(self.store, partition=choice % len(self.partitions), callback_url=url), sendings)

    def create_one(self, new: NewJob, sendings: int) -> None:
        """Create in the store and in the model, and compare."""
        partition = jobs.partition_number(new.job_id)
        waiting = len(self.partitions[partition].held_by(NEW))

        replies = self.send(lambda: self.store.create(new), sendings)

        record = self.run(self.store.find(new.job_id))
        assert record is not None
        job = Job(new.job_id, partition, record.entry, [(EventId(0, 1), jobs.QUEUED)], has_url=bool(new.callback_url))
        self.jobs[job.job_id] = job
        self.partitions[partition].join(job)
        self.created.append(new)
        assert [reply.is_new for reply in replies] == [True] + [False] * (sendings - 1)
        unfinished = len(self.partitions[partition].unfinished)
        assert {(reply.unfinished_jobs, reply.in_flight) for reply in replies} == {(unfinished, unfinished)}
        [(place, taken)] = {(reply.place, reply.taken) for reply in replies}
        assert place.ticket - taken.ticket - 1 >= waiting, "somebody stands before it who is not counted"
        assert (place.ticket, taken.ticket) == (job.ticket, self.partitions[partition].taken)

    @precondition(lambda self: self.remembered())
    @rule(choice=CHOICE)
    def create_again(self, choice: int) -> None:
        """A client repeats its request, however late, as long as the job is remembered."""
        again = chosen([new for new in self.created if new.job_id in self.remembered()], choice)

        created = self.run(self.store.create(again))

        assert not created.is_new
        assert created.place.ticket == self.jobs[again.job_id].ticket

    def remembered(self) -> list[str]:
        """Give the ids of the jobs that have a record still."""
        return [job.job_id for job in self.jobs.values() if not job.is_forgotten]

    @rule(choice=CHOICE, number=st.integers(0, 3), sendings=SENDINGS)
    def create_under_a_key(self, choice: int, number: int, sendings: int) -> None:
        """A client creates a job under a key; its repetitions are other requests, which draw ids of their own."""
        key, idempotency = f"key {number}", IdempotencyKeys(self.store.connection, keep_ms=DAY_MS)
        drawn = jobs.new_job(self.store, partition=choice % len(self.partitions))
        first = self.reserved.get(key)
        wanted = (first or drawn).job_id, f"of {(first or drawn).job_id}"

        found = self.run(idempotency.find(jobs.OWNER, key))
        assert (found and found[:2]) == (first and wanted)
        kept = self.send(
            lambda: idempotency.reserve(jobs.OWNER, key, job_id=drawn.job_id, fingerprint=f"of {drawn.job_id}"),
            sendings,
        )

        assert [reservation[:2] for reservation in kept] == [wanted] * sendings
        self.reserved[key] = first or drawn
        if first is None:
            self.create_one(drawn, sendings)
        elif first.job_id in self.remembered():
            assert not self.run(self.store.create(first)).is_new

    # ── getting hold of a job ─────────────────────────────────────────────────────────────────────────────────────────

    @rule(choice=CHOICE, processor=PROCESSORS, most=st.integers(1, 3), forgotten=st.sampled_from([0, 0, 1, 100]))
    def take(self, choice: int, processor: str, most: int, forgotten: int) -> None:
        """A processor takes entries; it may crash before it claims them, or claim them much later.

        `forgotten`: how many of those that it has it does not know of, because the reply was lost.
        """
        self.take_from(choice % len(self.partitions), processor, most, forgotten=forgotten)

    def take_from(self, partition: int, processor: str, most: int, *, forgotten: int = 0) -> list[Hand]:
        """Take in the store and in the model, and compare."""
        return [Hand(processor, entry) for entry in self.take_entries(partition, processor, most, forgotten)]

    def take_entries(self, partition: int, processor: str, most: int, forgotten: int) -> list[Entry]:
        """Take; what is foreign among the entries is given too, and compared with nothing."""
        in_hand = self.partitions[partition].in_hand_of(processor)[forgotten:]
        entries = self.run(self.store.take(partition, processor=processor, most=most, in_hand=in_hand))

        expected = self.partitions[partition].take(processor, most, in_hand)
        ours = [entry for entry in entries if not entry.is_foreign]
        assert ours == [Entry(job.entry, job.job_id, job.partition) for job in expected]
        self.hands += [Hand(processor, entry) for entry in ours]
        return entries

    @precondition(lambda self: self.hands)
    @rule(choice=CHOICE, is_lasting=st.sampled_from([True, True, False]), sendings=SENDINGS)
    def claim(self, choice: int, is_lasting: bool, sendings: int) -> None:
        """A processor claims an entry that it holds, or held once."""
        self.claim_with(self.fresh_token(), chosen(self.hands, choice), is_lasting=is_lasting, sendings=sendings)

    @precondition(lambda self: self.within_reach())
    @rule(choice=CHOICE, processor=PROCESSORS, sendings=SENDINGS)
    def take_and_claim(self, choice: int, processor: str, sendings: int) -> None:
        """A processor works as it should."""
        job = chosen(self.within_reach(), choice)
        for hand in self.take_from(job.partition, processor, 1):
            self.claim_with(self.fresh_token(), hand, is_lasting=True, sendings=sendings)

    @precondition(lambda self: self.runs)
    @rule(choice=CHOICE)
    def claim_again(self, choice: int) -> None:
        """The repetition of a claim arrives late, while its run lasts or after the job went elsewhere."""
        run = chosen(self.runs, choice)
        job = self.jobs[run.job_id]
        hand = Hand(run.record.processor or "", Entry(run.record.entry, run.job_id, job.partition))
        self.claim_with(run.token, hand, is_lasting=True, sendings=1)

    def claim_with(self, token: str, hand: Hand, *, is_lasting: bool, sendings: int) -> None:
        """Claim in the store and in the model, and compare."""
        job = self.jobs[hand.entry.job_id]
        terms = jobs.terms(hand.processor, lease_ms=jobs.LEASE_MS if is_lasting else 0)

        answers = self.send(lambda: self.store.claim(hand.entry, token, terms), sendings)

        for answer in answers:
            match job.claim(hand.entry.entry_id, token, hand.processor, is_lasting=is_lasting, messages=CLAIM_MESSAGES):
                case Claimed.RUN | Claimed.SAME_RUN:
                    assert isinstance(answer, Run)
                    partition = self.partitions[job.partition]
                    partition.taken = max(partition.taken, job.ticket)
                    assert (answer.epoch, answer.token, answer.is_takeover) == (job.epoch, token, job.is_takeover)
                    self.runs.append(answer)
                case Claimed.NOT_DUE:
                    assert isinstance(answer, NotDue)
                case Claimed.BURIED:
                    assert isinstance(answer, Buried)
                case Claimed.CANCELLED:
                    assert isinstance(answer, Cancelled)
                case Claimed.GONE:
                    assert answer is None

    def fresh_token(self) -> str:
        """Draw a token that no run had."""
        self.tokens += 1
        return f"token-{self.tokens}"

    # ── a run ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.going_on())
    @rule(choice=CHOICE, ratio=st.integers(0, 100), sendings=SENDINGS)
    def append_progress(self, choice: int, ratio: int, sendings: int) -> None:
        """A run says how far it is."""
        self.append_progress_of(chosen(self.going_on(), choice), ratio / 100, sendings)

    @precondition(lambda self: self.going_on())
    @rule(choice=CHOICE, missing=st.integers(1, 3), sendings=SENDINGS)
    def append_beyond_a_hole(self, choice: int, missing: int, sendings: int) -> None:
        """A run whose last events Redis has lost says how far it is, and is told where its log ends."""
        run = chosen(self.going_on(), choice)
        job, message = self.jobs[run.job_id], jobs.progress(0.5)
        seq = job.seq + 1 + missing

        answers = self.send(lambda: self.store.append_progress(run, seq=seq, message=message), sendings)

        assert answers == [Behind(job.seq)] * sendings

    @precondition(lambda self: self.going_on())
    @rule(choice=CHOICE, is_lasting=st.booleans(), sendings=SENDINGS, checkpoint=CHECKPOINTS)
    def renew(self, choice: int, is_lasting: bool, sendings: int, checkpoint: Checkpoint | None) -> None:
        """A run extends its lease, or (not lasting) comes to the end of it; it may keep a checkpoint with it."""
        self.renew_of(chosen(self.going_on(), choice), is_lasting, sendings, checkpoint)

    @precondition(lambda self: self.going_on())
    @rule(choice=CHOICE, delay_leases=DELAYS_LEASES, sendings=SENDINGS)
    def retry_later(self, choice: int, delay_leases: float, sendings: int) -> None:
        """A run fails and another one shall follow, at once, soon, or after several leases."""
        self.retry_later_of(chosen(self.going_on(), choice), delay_leases, sendings)

    @precondition(lambda self: self.going_on())
    @rule(choice=CHOICE, sendings=SENDINGS)
    def release(self, choice: int, sendings: int) -> None:
        """A processor stops and hands its job back."""
        self.release_of(chosen(self.going_on(), choice), sendings)

    @precondition(lambda self: self.going_on())
    @rule(choice=CHOICE, ending=ENDINGS, sendings=SENDINGS)
    def finish(self, choice: int, ending: Ending, sendings: int) -> None:
        """A run ends its job."""
        self.finish_of(chosen(self.going_on(), choice), ending, sendings)

    @precondition(lambda self: self.runs)
    @rule(choice=CHOICE, likeness=LIKENESS, operation=st.integers(0, 4), flag=st.booleans(), ending=ENDINGS)
    def come_back(self, choice: int, likeness: str, operation: int, flag: bool, ending: Ending) -> None:
        """Any run of the past goes on as if nothing had happened; what it does must not matter.

        A failover that loses the last writes makes runs that share an epoch, or whose epoch the job has not reached.
        """
        run, sendings = chosen(self.runs, choice), 1
        match likeness:
            case "same epoch":
                run = run._replace(token="lost")
            case "same token":
                run = run._replace(epoch=run.epoch + 1)
        match operation:
            case 0:
                self.append_progress_of(run, 0.5, sendings)
            case 1:
                self.renew_of(run, flag, sendings, Checkpoint("of a run of the past"))
            case 2:
                self.retry_later_of(run, float(flag), sendings)
            case 3:
                self.release_of(run, sendings)
            case _:
                self.finish_of(run, ending, sendings)

    def append_progress_of(self, run: Run, ratio: float, sendings: int) -> None:
        """Append in the store and in the model, and compare; so do the next four."""
        job, message = self.jobs[run.job_id], jobs.progress(ratio)
        seq = job.seq + 1

        answers = self.send(lambda: self.store.append_progress(run, seq=seq, message=message), sendings)

        refusal = job.refusal(run.epoch, run.token)
        if refusal is None:
            job.append(message)
            job.progress_ratio = ratio
        first = Answer.CANCEL if job.is_cancel_asked else Answer.OK
        assert answers == repeated(refusal, sendings, again=Answer.DUP, first=first)

    def renew_of(self, run: Run, is_lasting: bool, sendings: int, checkpoint: Checkpoint | None = None) -> None:
        """Renew a lease."""
        job, processor = self.jobs[run.job_id], run.record.processor or ""
        lease_ms = jobs.LEASE_MS if is_lasting else 0

        answers = self.send(
            lambda: self.store.renew(run, processor=processor, lease_ms=lease_ms, checkpoint=checkpoint), sendings
        )

        refusal = job.refusal(run.epoch, run.token)
        if refusal is None:
            job.checkpoint = checkpoint or job.checkpoint
            job.wait_leases = float(is_lasting)
            job.hold(processor)
        wanted = Answer.CANCEL if job.is_cancel_asked else Answer.OK
        assert answers == repeated(refusal, sendings, again=wanted, first=wanted)

    def retry_later_of(self, run: Run, delay_leases: float, sendings: int) -> None:
        """End a failed run."""
        job, delay_ms = self.jobs[run.job_id], int(delay_leases * jobs.LEASE_MS)

        answers = self.send(
            lambda: self.store.retry_later(
                run, message=jobs.RETRYING, error=jobs.BROKEN, delay_ms=delay_ms, lease_ms=jobs.LEASE_MS
            ),
            sendings,
        )

        refusal = job.refusal(run.epoch, run.token)
        if refusal is None and job.is_cancel_asked:
            assert answers == [Answer.CANCEL] * sendings
            return
        if refusal is None:
            job.retry_later(jobs.RETRYING, delay_leases=delay_leases)
        assert answers == repeated(refusal, sendings, again=Answer.DONE)

    def release_of(self, run: Run, sendings: int) -> None:
        """Hand a job back."""
        job = self.jobs[run.job_id]

        answers = self.send(lambda: self.store.release(run, message=jobs.RELEASED), sendings)

        refusal = job.refusal(run.epoch, run.token)
        if refusal is None and job.is_cancel_asked:
            assert answers == [Answer.CANCEL] * sendings
            return
        if refusal is None:
            job.release(jobs.RELEASED)
        assert answers == repeated(refusal, sendings, again=Answer.DONE)

    def finish_of(self, run: Run, ending: Ending, sendings: int) -> None:
        """End a job."""
        job = self.jobs[run.job_id]

        answers = self.send(lambda: self.store.finish(run, ending), sendings)

        refusal = job.refusal(run.epoch, run.token)
        if refusal is None:
            job.failures += 1 if ending.error else 0
            job.object_key = ending.object_key
            job.end(ending.state, ending.message)
        assert answers == repeated(refusal, sendings, again=Answer.DONE)

    # ── giving up ─────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(choice=CHOICE, deletes=st.sampled_from([False, False, True]), sendings=SENDINGS)
    def cancel(self, choice: int, deletes: bool, sendings: int) -> None:
        """Somebody gives a job up, wherever it stands."""
        self.cancel_one(chosen(list(self.jobs.values()), choice), deletes, sendings)

    @precondition(lambda self: self.going_on())
    @rule(choice=CHOICE, sendings=SENDINGS)
    def cancel_a_run(self, choice: int, sendings: int) -> None:
        """Somebody gives up a job that runs."""
        self.cancel_one(self.jobs[chosen(self.going_on(), choice).job_id], False, sendings)

    def cancel_one(self, job: Job, deletes: bool, sendings: int) -> None:
        """Cancel in the store and in the model, and compare."""
        replies = self.send(lambda: jobs.cancel(self.store, job.job_id, deletes=deletes), sendings)

        if job.is_forgotten:
            assert replies == [None] * sendings
            return
        was_over, key = job.state.is_terminal, job.object_key
        states = [job.cancel(jobs.CANCELLED, deletes=deletes) for _ in range(sendings)]
        ends_now = [not was_over and job.state.is_terminal] + [False] * (sendings - 1)
        assert replies == [CancelReply(*reply) for reply in zip(states, [key] * sendings, ends_now, strict=True)]

    # ── the janitor ───────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(choice=CHOICE, day=DAYS, sendings=SENDINGS)
    def expire(self, choice: int, day: int, sendings: int) -> None:
        """The janitor comes to a job, wherever it stands, and whether it is time or not."""
        self.expire_one(chosen(list(self.jobs.values()), choice), day, sendings)

    @precondition(lambda self: self.cleared())
    @rule(choice=CHOICE, day=DAYS, sendings=SENDINGS)
    def clear_up(self, choice: int, day: int, sendings: int) -> None:
        """The janitor comes back to a job that has ended."""
        self.expire_one(chosen(self.cleared(), choice), day, sendings)

    @precondition(lambda self: self.within_reach() or self.going_on())
    @rule(choice=CHOICE, ending=ENDINGS, deletes=st.booleans(), day=DAYS, sendings=SENDINGS)
    def end_and_clear_up(self, choice: int, ending: Ending, deletes: bool, day: int, sendings: int) -> None:
        """A run that kept a checkpoint ends its job, somebody may delete it, and the janitor comes."""
        if not self.going_on():
            job = chosen(self.within_reach(), choice)
            for hand in self.take_from(job.partition, "p1", 1):
                self.claim_with(self.fresh_token(), hand, is_lasting=True, sendings=1)
        if not self.going_on():  # its claim has ended it
            return
        run = chosen(self.going_on(), choice)
        self.renew_of(run, True, 1, jobs.CHECKPOINT)
        self.finish_of(run, ending, 1)
        if deletes:
            self.cancel_one(self.jobs[run.job_id], True, 1)
        self.expire_one(self.jobs[run.job_id], day, sendings)

    def cleared(self) -> list[Job]:
        """Give the ended jobs of which something is there."""
        return [job for job in self.jobs.values() if job.state.is_terminal and not job.is_forgotten]

    def expire_one(self, job: Job, day: int, sendings: int) -> None:
        """Take a step in the store and in the model, and compare; do what it asks for, and take it again."""
        taken = self.step(job, day, Taken(Step.NOT_YET), sendings)
        if taken.step is Step.ABORT:
            assert taken.upload == (job.checkpoint and job.checkpoint.upload)
            taken = self.step(job, day, taken, sendings)
        if taken.step is Step.DELETE:
            assert taken.object_key == job.object_key
            taken = self.step(job, day, taken, sendings)
        assert taken.step not in (Step.ABORT, Step.DELETE)

    def step(self, job: Job, day: int, done: Taken, sendings: int) -> Taken:
        """Take one step; a repetition is answered with what the first one has come to."""
        at_ms = now_ms() + day * DAY_MS
        expire = jobs.lifetimes_of(self.store).expire
        answers = self.send(
            lambda: expire(
                job.job_id, jobs.expiry_terms(), deleted_key=done.object_key, aborted=done.checkpoint, now_ms=at_ms
            ),
            sendings,
        )

        has_cleared = done.step in (Step.ABORT, Step.DELETE)
        steps = [
            job.expire(day, expired=jobs.EXPIRED, cancelled=jobs.CANCELLED, has_cleared=has_cleared) for _ in answers
        ]
        assert [answer.step for answer in answers] == steps
        return answers[0]

    # ── telling of ends ───────────────────────────────────────────────────────────────────────────────────────────────

    @rule(choice=CHOICE, day=DAYS, count=st.sampled_from([1, 2, 1_000]))
    def take_callbacks(self, choice: int, day: int, count: int) -> None:
        """A deliverer takes what is due, as much of it as it has room for, and may die with it."""
        self.take_callbacks_of(choice % len(self.partitions), day, count)

    def take_callbacks_of(self, partition: int, day: int, count: int = 1_000) -> list[TakenCallback]:
        """Take in the store and in the model, and compare."""
        due = [
            (job, callback)
            for job in self.jobs.values()
            for callback in job.callbacks
            if job.partition == partition and callback.is_due(day)
        ]
        lease_ms, at_ms = int(DELIVERY_LEASE_DAYS * DAY_MS), now_ms() + day * DAY_MS
        taken = self.run(Outbox(self.store).take(partition, "d1", lease_ms=lease_ms, count=count, now_ms=at_ms))

        by_name = {(one.name.job_id, one.name.epoch, one.is_for_admins): one for one in taken}
        superseded = self.run(self.superseded_of(due))
        assert len(taken) + len(superseded) == min(count, len(due))
        for callback in superseded:
            callback.state = CallbackState.SUPERSEDED
        for job, callback in due:
            one = by_name.pop((job.job_id, callback.epoch, callback.is_for_admins), None)
            if one is None:
                continue
            assert not callback.has_successor
            callback.take(one.token, day)
            assert (one.attempt, len(one.tries)) == (callback.attempt, callback.tries_kept)
            assert one.record.state.is_terminal
            assert (EventId(callback.epoch, one.record.seq), one.message) in job.log
        assert by_name == {}
        self.taken += taken
        return taken

    async def superseded_of(self, due: list[tuple[Job, Callback]]) -> list[Callback]:
        """Give those of the due ones that have a successor, and were come upon."""
        found = []
        for job, callback in due:
            kept = await Outbox(self.store).deliveries(job.job_id, for_admins=callback.is_for_admins)
            stands = {one.name.epoch: one.state for one in kept}[callback.epoch]
            if callback.has_successor and stands is CallbackState.SUPERSEDED:
                found.append(callback)
        return found

    @precondition(lambda self: any(job.callbacks for job in self.jobs.values()))
    @rule(choice=CHOICE, day=DAYS, operation=st.integers(0, 3), delay_days=DELAYS_DAYS, sendings=SENDINGS)
    def deliver(self, choice: int, day: int, operation: int, delay_days: int, sendings: int) -> None:
        """A deliverer takes what is due, and one of its tries ends."""
        told = [job for job in self.jobs.values() if job.callbacks]
        if taken := self.take_callbacks_of(chosen(told, choice).partition, day):
            self.end_try(chosen(taken, choice), operation, delay_days, sendings)

    @precondition(lambda self: self.taken)
    @rule(choice=CHOICE, operation=st.integers(0, 3), delay_days=DELAYS_DAYS, sendings=SENDINGS)
    def end_any_try(self, choice: int, operation: int, delay_days: int, sendings: int) -> None:
        """A try ends that is under way, or that somebody else has long taken over."""
        self.end_try(chosen(self.taken, choice), operation, delay_days, sendings)

    def end_try(self, taken: TakenCallback, operation: int, delay_days: int, sendings: int) -> None:
        """End a try in the store and in the model, and compare."""
        outbox, callback, at_ms = Outbox(self.store), self.callback_of(taken), now_ms()
        match operation:
            case 0:
                answers = self.send(lambda: outbox.delivered(taken, OUTCOME), sendings)
            case 1:
                answers = self.send(lambda: outbox.give_up(taken, OUTCOME), sendings)
            case 2:
                answers = self.send(
                    lambda: outbox.try_again(taken, OUTCOME, delay_ms=delay_days * DAY_MS, now_ms=at_ms), sendings
                )
            case _:
                answers = self.send(lambda: outbox.release(taken), sendings)

        is_ended = callback is None or not callback.refuses(taken.token)
        assert answers == [is_ended] * sendings
        if callback is not None and is_ended:
            match operation:
                case 0:
                    callback.settle(CallbackState.DELIVERED)
                case 1:
                    callback.settle(CallbackState.DEAD)
                case _:
                    callback.postpone(float(delay_days) if operation == 2 else 0.0, counts=operation == 2)

    def callback_of(self, taken: TakenCallback) -> Callback | None:
        """Find a callback in the model; None for one that was settled, and forgotten for those that came after."""
        of_job = self.jobs[taken.name.job_id].callbacks
        found = (one for one in of_job if (one.epoch, one.is_for_admins) == taken.name[1:])
        return next(found, None)

    @precondition(lambda self: self.failed_last())
    @rule(
        choice=CHOICE,
        times=st.sampled_from([2, limits.CALLBACK_ENDS_KEPT + 1]),
        day=DAYS,
        operation=st.integers(0, 3),
        delay_days=DELAYS_DAYS,
    )
    def end_again_and_again(self, choice: int, times: int, day: int, operation: int, delay_days: int) -> None:
        """A job is begun anew whenever it has failed, and some of its ends are being told when the next one comes."""
        job, told = chosen(self.failed_last(), choice), list[TakenCallback]()
        for number in range(times):
            if number % 3 == choice % 3:
                told += self.take_callbacks_of(job.partition, day)
            self.redrive_from(job, job.epoch, 1)
            self.expire_one(job, int(WAITS_DAYS) + 1, 1)
        for taken in told:
            self.end_try(taken, operation, delay_days, 1)

    def failed_last(self) -> list[Job]:
        """Give the jobs that can be begun anew."""
        return [
            job
            for job in self.jobs.values()
            if job.state is JobState.FAILED and not job.is_deleted and not job.is_forgotten
        ]

    @rule(choice=CHOICE, day=DAYS, for_admins=st.booleans(), sendings=SENDINGS)
    def redeliver(self, choice: int, day: int, for_admins: bool, sendings: int) -> None:
        """Somebody wants an end to be told again, wherever the job stands."""
        job, at_ms = chosen(list(self.jobs.values()), choice), now_ms() + day * DAY_MS

        answers = self.send(
            lambda: Outbox(self.store).redeliver(job.job_id, for_admins=for_admins, now_ms=at_ms), sendings
        )

        assert answers == [job.redeliver(day, for_admins=for_admins) for _ in range(sendings)]

    # ── losing a job ──────────────────────────────────────────────────────────────────────────────────────────────────

    def waiting_out(self) -> list[Job]:
        """Give the jobs whose lease or delay lasts still."""
        return [job for partition in self.partitions for job in partition.unfinished if job.wait_leases]

    @rule(choice=CHOICE, min_idle_leases=AGES_LEASES)
    def sweep(self, choice: int, min_idle_leases: float) -> None:
        """The sweeper comes, in time or too early."""
        self.sweep_of(choice % len(self.partitions), min_idle_leases)

    def sweep_of(self, partition: int, min_idle_leases: float) -> None:
        """Sweep in the store and in the model, and compare."""
        found = self.run(jobs.sweep(self.store, partition, lease_ms=int(min_idle_leases * jobs.LEASE_MS)))

        assert found == self.partitions[partition].sweep(min_idle_leases=min_idle_leases)

    @precondition(lambda self: self.waiting_out())
    @rule(choice=CHOICE)
    def outwait(self, choice: int) -> None:
        """Time goes by until a lease runs out or a delay is over, without a sign of life."""
        job = chosen(self.waiting_out(), choice)
        self.run(self.let_time_go_by(job))
        job.outwait()

    async def let_time_go_by(self, job: Job) -> None:
        """Set in Redis what time would have brought: nothing else in this test writes past the store."""
        names = keys.of_job(job.partition, job.job_id)
        await self.store.connection.execute("HSET", names.record, "due_at", 0)
        aged = (names.commands, keys.GROUP, job.consumer or "", 0, job.entry, "IDLE", jobs.LEASE_MS, "JUSTID")
        await self.store.connection.execute("XCLAIM", *aged)

    @precondition(lambda self: self.going_on())
    @rule(choice=CHOICE, processor=PROCESSORS, sendings=SENDINGS)
    def crash(self, choice: int, processor: str, sendings: int) -> None:
        """A processor dies: its lease runs out, its entry is swept, and somebody takes it over."""
        self.crash_of(chosen(self.going_on(), choice), processor, sendings)

    @precondition(lambda self: self.going_on())
    @rule(choice=CHOICE, processor=PROCESSORS, sendings=SENDINGS)
    def crash_until_buried(self, choice: int, processor: str, sendings: int) -> None:
        """A job kills every processor that runs it."""
        job = self.jobs[chosen(self.going_on(), choice).job_id]
        while not job.state.is_terminal:
            run = next(run for run in self.going_on() if run.job_id == job.job_id)
            self.crash_of(run, processor, sendings)

    def crash_of(self, run: Run, processor: str, sendings: int) -> None:
        """Let a run end without a word, and its job be taken over."""
        partition = self.jobs[run.job_id].partition
        self.renew_of(run, False, 1)
        self.sweep_of(partition, 0.0)
        for hand in self.take_from(partition, processor, 100):
            self.claim_with(self.fresh_token(), hand, is_lasting=True, sendings=sendings)

    @precondition(lambda self: self.going_on())
    @rule(choice=CHOICE, processor=PROCESSORS, sendings=SENDINGS)
    def renew_in_the_nick_of_time(self, choice: int, processor: str, sendings: int) -> None:
        """An entry was swept already, and maybe taken, when its run gives a sign of life."""
        run = chosen(self.going_on(), choice)
        self.sweep_of(self.jobs[run.job_id].partition, 0.0)
        self.take_from(self.jobs[run.job_id].partition, processor, 1)
        self.renew_of(run, True, sendings)

    @rule(choice=CHOICE)
    def walk(self, choice: int) -> None:
        """However the jobs stand, a walk finds nothing that does not fit together."""
        assert self.run(self.findings(choice % len(self.partitions))) == []

    @rule(choice=CHOICE, kind=st.sampled_from(list(Kind)))
    def repair(self, choice: int, kind: Kind) -> None:
        """However the jobs stand, a repair finds nothing to do, even where a walk that was mistaken sent it."""
        job = chosen(list(self.jobs.values()), choice)
        place = Place(kind.partition("_")[0])
        seen = Sighting(job.job_id, place, entry_id=job.entry if place is Place.ENTRY else "", owner=jobs.OWNER)
        consistency = Consistency(self.store.connection, partitions=self.store.partitions)

        assert not self.run(consistency.repair(Finding(kind, seen)))

    @rule(limit=st.integers(1, 3))
    def list_all(self, limit: int) -> None:
        """The owner's list has each job that is remembered, newest first, however long its pages are."""
        records = self.run(self.listed(limit))

        assert sorted(record.job_id for record in records) == sorted(self.remembered())
        places = [ListPlace(record.created_at_ms, record.job_id) for record in records]
        assert places == sorted(places, reverse=True)

    async def listed(self, limit: int) -> list[JobRecord]:
        """Read an owner's list to its end."""
        records: list[JobRecord] = []
        place: ListPlace | None = None
        while True:
            page = await list_jobs(self.store, jobs.OWNER, after=place, limit=limit, is_wanted=lambda record: True)
            records += page.records
            if (place := page.next_place) is None:
                return records

    async def findings(self, partition: int) -> list[Finding]:
        """Walk through a partition."""
        consistency = Consistency(self.store.connection, partitions=self.store.partitions)
        return [finding async for page in consistency.walk(partition) for finding in page.findings]

    # ── damage ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.within_reach())
    @rule(choice=CHOICE, processor=PROCESSORS, field=st.sampled_from(["epoch", "seq", "due_at"]), sendings=SENDINGS)
    def damage(self, choice: int, processor: str, field: str, sendings: int) -> None:
        """A record breaks; the next claim finds out, and its processor buries the job."""
        partition = chosen(self.within_reach(), choice).partition
        hand = self.take_from(partition, processor, 1)[0]
        entry, job = hand.entry, self.jobs[hand.entry.job_id]
        record, terms = keys.of_job(partition, job.job_id).record, jobs.terms(processor)
        self.run(self.break_field(record, field))

        claimed = self.send(lambda: self.store.claim(entry, self.fresh_token(), terms), sendings)
        self.send(lambda: bury_damaged(self.store, entry, jobs.BROKEN, message=jobs.FAILED, terms=terms), sendings)

        assert claimed == [Damaged()] * sendings
        job.bury_damaged(jobs.FAILED)

    async def break_field(self, record: str, field: str) -> None:
        """Put nonsense where a number was."""
        await self.store.connection.execute("HSET", record, field, "many")

    @rule(choice=CHOICE, processor=PROCESSORS, sendings=SENDINGS)
    def foreign(self, choice: int, processor: str, sendings: int) -> None:
        """Somebody else writes into the command stream; whoever gets that entry buries it."""
        partition = choice % len(self.partitions)
        self.run(self.add_entry(partition, "else"))
        *_, entry = self.take_entries(partition, processor, 100, 0)

        self.send(lambda: bury_foreign(self.store, entry, jobs.BROKEN), sendings)

        assert entry.is_foreign
        self.partitions[partition].foreign_letters += 1

    @rule(choice=CHOICE, processor=PROCESSORS, sendings=SENDINGS)
    def stray(self, choice: int, processor: str, sendings: int) -> None:
        """An entry names a job that has, or had, another one: its claim runs nothing and takes that entry away."""
        job = chosen(list(self.jobs.values()), choice)
        entry_id = self.run(self.add_entry(job.partition, job.job_id))
        stray = Entry(entry_id, job.job_id, job.partition)

        claims = self.send(lambda: self.store.claim(stray, self.fresh_token(), jobs.terms(processor)), sendings)

        assert claims == [None] * sendings

    async def add_entry(self, partition: int, job_id: str) -> str:
        """Write past the store into a command stream."""
        added = await self.store.connection.execute("XADD", keys.commands(partition), "*", "job", job_id)
        assert isinstance(added, bytes)
        return added.decode()

    # ── the operator ──────────────────────────────────────────────────────────────────────────────────────────────────

    def all_failures(self) -> list[tuple[Job, int]]:
        """Give every failure for good that there ever was, with the epoch of each."""
        return [(job, epoch) for job in self.jobs.values() for epoch in job.failed_under]

    @precondition(lambda self: self.all_failures())
    @rule(choice=CHOICE, sendings=SENDINGS)
    def redrive(self, choice: int, sendings: int) -> None:
        """A failed job begins anew; or the repetition of an earlier redrive arrives late."""
        job, epoch = chosen(self.all_failures(), choice)
        self.redrive_from(job, epoch, sendings)

    @rule(choice=CHOICE, is_ahead=st.booleans())
    def redrive_amiss(self, choice: int, is_ahead: bool) -> None:
        """Somebody asks for a job that stands elsewhere, or for a failure that a failover has undone."""
        job = chosen(list(self.jobs.values()), choice)
        if is_ahead or job.state is not JobState.FAILED:
            self.redrive_from(job, job.epoch + int(is_ahead), 1)

    def redrive_from(self, job: Job, epoch: int, sendings: int) -> None:
        """Redrive in the store and in the model, and compare."""
        letters, old_epoch = jobs.letters_of(self.store), job.epoch

        answers = self.send(
            lambda: letters.redrive(job.job_id, epoch=epoch, token=jobs.REDRIVE_TOKEN, message=jobs.REDRIVEN), sendings
        )

        assert answers == [job.redrive(epoch, jobs.REDRIVEN) for _ in range(sendings)]
        if job.epoch != old_epoch:
            assert answers[0] is Redriven.OK
            record = self.run(self.store.find(job.job_id))
            assert record is not None
            job.entry = record.entry
            self.partitions[job.partition].join(job)

    @precondition(lambda self: self.letters)
    @rule(choice=CHOICE, sendings=SENDINGS)
    def discard(self, choice: int, sendings: int) -> None:
        """A letter is discarded, which may be gone already, or the letter of a failure before the last one."""
        letter = chosen(self.letters, choice)

        self.send(lambda: jobs.letters_of(self.store).discard(letter), sendings)

        job = self.jobs[letter.job_id]
        if letter.epoch == job.epoch:
            job.has_letter = False

    @precondition(lambda self: any(partition.dead_letters for partition in self.partitions))
    @rule()
    def look_at_letters(self) -> None:
        """An operator lists the letters, and may act on what is on the screen much later."""
        found = self.run(self.read_letters())

        with_letter = [job for job in self.jobs.values() if job.has_letter]
        assert {(letter.job_id, letter.epoch) for letter in found if letter.job_id} == {
            (job.job_id, job.epoch) for job in with_letter
        }
        self.letters += [letter for letter in found if letter.job_id]

    async def read_letters(self) -> list[DeadLetter]:
        """Read all letters."""
        letters = jobs.letters_of(self.store)
        return [letter for number in range(len(self.partitions)) async for letter in letters.of_partition(number)]

    # ── what always holds ─────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def store_and_model_agree(self) -> None:
        """Compare everything."""
        self.run(self.compare())

    async def compare(self) -> None:
        """Compare every job and every partition, in one batch of commands."""
        expiries = await inspection.expiries(self.store.connection)
        await asyncio.gather(
            *(self.compare_job(job, expiries) for job in self.jobs.values()),
            *(self.compare_partition(number) for number in range(len(self.partitions))),
        )

    async def compare_job(self, job: Job, expiries: dict[str, int]) -> None:
        """Compare one job: record, log, keys."""
        record, log = await asyncio.gather(self.store.find(job.job_id), inspection.read_log(self.store, job.job_id))

        await self.compare_callbacks(job, expiries)
        callbacks_key = keys.callbacks(job.partition, job.job_id)
        lifetimes = [ttl for key, ttl in expiries.items() if job.job_id in key and key != callbacks_key]
        if job.is_forgotten:
            assert (record, log, lifetimes) == (None, [], [])
            return
        assert record is not None
        assert (record.state, record.epoch, record.seq) == (job.state, job.epoch, job.seq)
        assert (record.attempt, record.failures, record.crashes) == (job.attempt, job.failures, job.crashes)
        assert (record.token, record.processor, record.entry) == (job.token, job.processor, job.entry)
        assert record.progress.progress == job.progress_ratio
        assert (record.checkpoint, record.object_key) == (job.checkpoint, job.object_key)
        assert (record.dead_id is not None) == job.has_letter
        assert (record.deleted_at_ms is not None) == job.is_deleted
        assert (record.error is not None) == (job.state in (JobState.FAILED, JobState.RETRYING))
        if not job.state.is_terminal:
            assert (record.due_at_ms > record.created_at_ms + jobs.LEASE_MS // 4) == (job.wait_leases > 0)

        assert [(entry.event_id, entry.message) for entry in log] == job.log[job.trimmed :]
        assert len(lifetimes) == 2
        assert all((ttl != inspection.NO_EXPIRY) == job.state.is_terminal for ttl in lifetimes)
        if not job.trimmed:
            self.insist_on_one_end_each(job, log)

    async def compare_callbacks(self, job: Job, expiries: dict[str, int]) -> None:
        """Compare what tells of a job's ends: one for each, due unless it is settled, and kept while one waits."""
        outbox, name = Outbox(self.store), keys.callbacks(job.partition, job.job_id)
        owners, admins = await asyncio.gather(
            outbox.deliveries(job.job_id), outbox.deliveries(job.job_id, for_admins=True)
        )
        scores = await asyncio.gather(
            *(
                self.store.connection.execute("ZSCORE", keys.outbox(job.partition), callback.callback_id)
                for callback in owners + admins
            )
        )

        kept = [
            (one.name.epoch, one.name.is_for_admins, one.state, one.attempt, len(one.tries)) for one in owners + admins
        ]
        wanted = sorted(job.callbacks, key=lambda callback: callback.is_for_admins)
        assert kept == [(one.epoch, one.is_for_admins, one.state, one.attempt, one.tries_kept) for one in wanted]
        assert [score is None for score in scores] == [callback.is_settled for callback in wanted]
        assert (name in expiries) == bool(wanted)
        if wanted:
            is_kept = not all(callback.is_settled for callback in wanted)
            assert (expiries[name] == inspection.NO_EXPIRY) == is_kept

    def insist_on_one_end_each(self, job: Job, log: list[inspection.LogEntry]) -> None:
        """A whole log is dense, its epochs never fall, and each of the job's lives has one end."""
        assert [entry.event_id.seq for entry in log] == list(range(1, len(log) + 1))
        epochs = [entry.event_id.epoch for entry in log]
        assert epochs == sorted(epochs)
        terminal = [entry.type for entry in log if entry.type in TERMINAL_TYPES]
        # One for each time the job was queued, by its creation or by a redrive; after it nothing but a redrive.
        assert len(terminal) == len(job.failed_under) + (job.state in (JobState.COMPLETED, JobState.CANCELLED))
        assert not job.state.is_terminal or log[-1].type == terminal[-1]
        after_the_end = [log[n + 1].message for n, entry in enumerate(log[:-1]) if entry.type in TERMINAL_TYPES]
        assert set(after_the_end) <= {jobs.REDRIVEN}

    async def compare_partition(self, number: int) -> None:
        """Compare one partition: its entries, who holds them, its line, its dead letters."""
        callbacks = [one for job in self.jobs.values() if job.partition == number for one in job.callbacks]
        dead = sum(callback.state is CallbackState.DEAD for callback in callbacks)
        dead += sum(job.dead_callbacks_forgotten for job in self.jobs.values() if job.partition == number)
        counts = await Outbox(self.store).counts(number)
        assert counts[:2] == (sum(not callback.is_settled for callback in callbacks), dead)
        waiting = sorted(
            f"{jobs.OWNER} {CallbackName(job.job_id, callback.epoch).text}".encode()
            for job in self.jobs.values()
            for callback in job.callbacks
            if job.partition == number and not callback.is_settled and not callback.is_for_admins
        )
        counted_callbacks = await self.store.connection.execute("ZRANGE", keys.waiting_callbacks(number), 0, -1)
        assert counted_callbacks == waiting, "the callbacks that count are not those that wait for their owner"

        commands, pending, backlog, line, dead_letters, counted = await asyncio.gather(
            inspection.commands(self.store, number),
            inspection.pending(self.store, number),
            self.store.backlog(number),
            self.store.connection.execute("HMGET", keys.stats(number), "line_end", "line_taken"),
            self.store.connection.execute("XLEN", keys.dead(number)),
            self.store.connection.execute("ZRANGE", keys.in_flight(number), 0, -1),
        )

        partition = self.partitions[number]
        assert commands == {job.entry: job.job_id for job in partition.unfinished}
        assert pending == {job.entry: job.consumer for job in partition.unfinished if job.consumer is not NEW}
        assert (backlog.unfinished, backlog.pending) == (len(partition.unfinished), len(pending))
        assert backlog.waiting == len(partition.held_by(NEW))
        assert backlog.parked == len(partition.held_by(PARKED))
        assert backlog.ready == len(partition.held_by(READY))
        assert backlog.running == sum(len(partition.held_by(processor)) for processor in ("p1", "p2", "p3"))
        tickets = [LinePlace.read(place).ticket for place in cast("list[bytes | None]", line)]
        assert tickets == [partition.tickets, partition.taken]
        assert dead_letters == partition.dead_letters
        in_flight = sorted(f"{jobs.OWNER} {job.job_id}".encode() for job in partition.unfinished)
        assert counted == in_flight, "those that count as in flight are not the unfinished ones"


def chosen(there: Sequence[T], choice: int) -> T:
    """Choose one of the things that are there; the latest for 0, so that examples shrink towards it."""
    return there[-1 - choice % len(there)]


def repeated(refusal: Answer | None, sendings: int, *, again: Answer, first: Answer = Answer.OK) -> list[Answer]:
    """Give the answers to an operation that was sent several times."""
    if refusal is not None:
        return [refusal] * sendings
    return [first] + [again] * (sendings - 1)


@pytest.mark.timeout(0 if EXAMPLES else 120)
def test_the_store_agrees_with_its_model(server: Server, store_setup: Setup) -> None:
    class Machine(StoreMachine):
        def __init__(self) -> None:
            super().__init__(server, store_setup)

    run_state_machine_as_test(Machine, settings=SETTINGS)
