"""What schemathesis checks besides its own: a valid request is refused only for where things stand.

It is loaded by schemathesis itself (SCHEMATHESIS_HOOKS).
"""

from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, Response

ABOUT_WHERE_THINGS_STAND = {
    "ARCHIVE_CHANGED": "If-Match names no entity tag of this archive",
    "FILES_NOT_LISTED": "the catalogue of most of these tests is a hook, which lists nothing",
    "GONE": "another test has deleted the job",
    "IDEMPOTENCY_KEY_REUSED": "another test has used the key",
    "INVALID_CURSOR": "no schema can tell a cursor that we have written",
    "INVALID_QUERY": "no schema can tell that `job` stands alone",
    "NOT_COMPLETED": "another test has cancelled the job",
    "NOT_ENDED": "the job goes on",
    "NOT_FAILED": "the job runs, or has ended well",
    "NOT_FOUND": "the job id is made up",
    "NOT_READY": "the job still runs",
    "NO_CALLBACK": "the job was created without one",
    "RANGE_NOT_SATISFIABLE": "the archive is smaller",
}
"""The codes that a request may be refused with which its schema allows, and why."""


@schemathesis.check
def refused_only_for_where_things_stand(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Fail where a valid request is refused for what it is."""
    if case.meta is None or not case.meta.generation.mode.is_positive or not 400 <= response.status_code < 500:
        return
    if response.status_code == 405 or case.method == "HEAD":  # another method on purpose; and a head tells no code
        return
    code = response.json()["code"]
    if code == "INVALID_REQUEST" and response.json()["detail"].startswith("callback_url "):
        return  # where callbacks may go is a matter of the operators' settings, which no schema can tell
    assert code in ABOUT_WHERE_THINGS_STAND, f"a valid request was refused as {code}"
