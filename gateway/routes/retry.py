"""Begin a failed job anew, by its owner: the same job, whose events go on."""

from typing import Any

import structlog
from litestar import Request, Response, post

from gateway.access import find_job, job_not_found
from gateway.auth.caller import Caller
from gateway.intake import Intake
from gateway.representation import status_path
from gateway.routes.creation import accepted
from shared import events, limits
from shared.clock import now_ms
from shared.errors import JobGone, JobNotFailed
from shared.jobs import JobRecord, JobState
from shared.jobstore.dead_letters import DeadLetters, Redriven

log = structlog.get_logger(__name__)


@post("/v1/download/jobs/{job_id:str}/retry", status_code=202)
async def retry_job(
    request: Request[Any, Any, Any], intake: Intake, letters: DeadLetters, job_id: str
) -> Response[bytes]:
    """Queue a failed job again (202); a repetition of the call changes nothing, and is answered alike.

    It is one more unfinished job of its owner, who is held against the same limits as with a create.
    """
    following = intake.following
    caller = await following.gate.admit(request)
    record = await find_job(following.store, caller, job_id)
    status = JobState.QUEUED
    if record.state is JobState.FAILED:
        if await _begin_anew(intake, letters, caller, record):
            following.metrics.count_retry()
            log.info("job begun anew", job_id=job_id, epoch=record.epoch, **caller.audit())
    elif not was_begun_anew(record):
        raise JobNotFailed(f"This job is {record.state}. Only a failed one can be begun anew.")
    else:
        status = record.state
    headers = {
        "location": status_path(job_id),
        "retry-after": str(limits.POLL_AFTER_SECONDS),
        "cache-control": "no-store",
    }
    body = accepted(
        job_id,
        status=status,
        takes_websockets=following.socket_door.offered,
        has_callback=record.callback_url is not None,
    )
    return Response(body, media_type="application/json", headers=headers)


def was_begun_anew(record: JobRecord) -> bool:
    """Tell whether what a retry asks for has happened: the job has failed, was begun anew, and has not ended since."""
    return record.redriven_at_ms is not None and not record.state.is_terminal


async def _begin_anew(intake: Intake, letters: DeadLetters, caller: Caller, failed: JobRecord) -> bool:
    """Begin a job anew; False when another call has done so in the same moment."""
    queued = events.Queued(at=events.timestamp(now_ms()), message="Its owner has started the job anew.")
    has_callback = failed.callback_url is not None
    permit = await intake.admission.ask_retry(caller.owner, failed.job_id, has_callback=has_callback)
    answer = await intake.admission.begin_anew(letters, failed, permit, message=events.encode(queued))
    match answer:
        case Redriven.NOT_FAILED:
            raise JobNotFailed("This job has not failed. Only a failed one can be begun anew.")
        case Redriven.EXPIRING:
            raise JobGone("The time of this job is over. Create it again.")
        case Redriven.GONE:
            await find_job(intake.following.store, caller, failed.job_id)  # says whether it was deleted
            raise job_not_found()
    return answer is Redriven.OK
