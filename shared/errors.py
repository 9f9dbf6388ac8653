"""Every error that Waybill raises on purpose, in one tree.

    WaybillError
    ├── SettingsError              a process cannot start with these settings
    ├── RequestError               the caller's request is refused (4xx)
    │   ├── MalformedBody, InvalidRequest, CallbackUrlRefused, UnknownFiles, FilesForbidden, InvalidCursor,
    │   │   InvalidLimit, InvalidStatus, InvalidQuery, InvalidIdempotencyKey, IdempotencyKeyReused
    │   ├── MalformedAddress, RepeatedParameter, Misdirected, UnsupportedMediaType, MalformedHandshake
    │   ├── Unauthenticated, TicketRefused, TicketExpired, OwnerRefused, ScopeMissing, TicketsNotOffered,
    │   │   OriginRefused
    │   ├── LimitReached: TooManyJobsInFlight, TooManyCreates, TooManyWaitingCallbacks,
    │   │   TooManyOwnerStreams (429)
    │   └── JobNotFound, JobGone, JobNotReady, JobFailed, JobNotFailed, JobNotEnded, NoCallback,
    │       FilesNotListed
    ├── UnavailableError           try again later (503)
    │   └── RedisUnavailable, RedisFull, RedisRefused, CatalogueUnavailable, TokenKeysUnavailable,
    │       Draining, TooManyStreams, BacklogFull, RedisNearlyFull
    ├── RecordUnreadable           one job's record or log is damaged, or of another version
    ├── KeyForeign                 a key of ours holds what somebody else has written
    ├── CallbackAddressRefused     a callback would go where none may go
    ├── ObjectError                one object of the object store
    │   └── ObjectMissing, ObjectChanged, ObjectArchived, ObjectForbidden,
    │       UploadInvalid, StoreRefused, StoreUnavailable, StoreFull
    └── RunError                   one run of a job ended badly
        ├── PermanentRunError      repeating cannot help: SourceMissing, SourceArchived, SourceForbidden,
        │                          InvalidPlan, HandlerMisbehaved
        └── RetryableRunError      repeating may help: SourceChanged

Each class has a stable code, an HTTP status, and says whether repeating the same call may help. Messages say what
happened to which thing and what the reader can do. This module raises nothing and imports nothing of ours. Three
branches of the tree stand beside it: who calls in caller_errors.py, how much may be asked for in limit_errors.py, where
callbacks may not go in callback_errors.py.
"""

from collections.abc import Sequence
from typing import ClassVar


class WaybillError(Exception):
    """The root; never raised itself."""

    code: ClassVar[str] = "INTERNAL"
    status: ClassVar[int] = 500
    is_retryable: ClassVar[bool] = False
    public_message: ClassVar[str] = ""
    """What callers are told where the message itself is for operators; empty: the message."""
    retry_after_seconds: int | None = None
    """When the same call may succeed, as callers are told; None: nobody knows, or never."""

    @property
    def message(self) -> str:
        """The sentence for people."""
        return str(self)


class SettingsError(WaybillError):
    """The environment does not describe a runnable process; `problems` has one sentence for each variable."""

    code = "INVALID_SETTINGS"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class RequestError(WaybillError):
    """The caller must change something before trying again."""

    code = "BAD_REQUEST"
    status = 400


class MalformedBody(RequestError):
    """The body is not JSON at all."""

    code = "MALFORMED_BODY"


class InvalidRequest(RequestError):
    """The body is JSON, but not a valid request; nothing was created."""

    code = "INVALID_REQUEST"
    status = 422


class UnknownFiles(RequestError):
    """The catalogue does not know some of the ids; nothing was created."""

    code = "UNKNOWN_FILES"
    status = 422

    def __init__(self, message: str, *, file_ids: Sequence[int]) -> None:
        super().__init__(message)
        self.file_ids = tuple(file_ids)


class InvalidCursor(RequestError):
    """The `after` of an /events page is no event id, or the `cursor` of a listing none of ours."""

    code = "INVALID_CURSOR"


class InvalidLimit(RequestError):
    """The `limit` of a page is no number, or out of bounds."""

    code = "INVALID_LIMIT"


class InvalidStatus(RequestError):
    """A `status` of a listing is none."""

    code = "INVALID_STATUS"


class InvalidQuery(RequestError):
    """A query names no jobs or one of them twice, searches for too long a text, or says what has no effect."""

    code = "INVALID_QUERY"


class InvalidIdempotencyKey(RequestError):
    """The Idempotency-Key is none, or there are several; nothing was created."""

    code = "INVALID_IDEMPOTENCY_KEY"


class IdempotencyKeyReused(RequestError):
    """The Idempotency-Key belongs to another request; nothing was created."""

    code = "IDEMPOTENCY_KEY_REUSED"
    status = 422


class MalformedAddress(RequestError):
    """The path or the query cannot be decoded."""

    code = "MALFORMED_ADDRESS"


class RepeatedParameter(RequestError):
    """A parameter of the query that has one value comes more than once."""

    code = "REPEATED_PARAMETER"


class MalformedHandshake(RequestError):
    """The request asks for a WebSocket in a way that RFC 6455 does not know."""

    code = "MALFORMED_HANDSHAKE"


class UnsupportedMediaType(RequestError):
    """The body is not declared as JSON, or is encoded in a further way."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415


class JobNotFound(RequestError):
    """No such job, or not the caller's: the two look alike on purpose."""

    code = "NOT_FOUND"
    status = 404


class JobGone(RequestError):
    """The job ended long ago and its archive was removed."""

    code = "GONE"
    status = 410


class JobNotReady(RequestError):
    """The archive does not exist yet."""

    code = "NOT_READY"
    status = 409
    is_retryable = True


class JobFailed(RequestError):
    """The job ended without an archive, and will not have one."""

    code = "NOT_COMPLETED"
    status = 409


class JobNotFailed(RequestError):
    """Only a failed job is begun anew; this one goes on, or ended otherwise."""

    code = "NOT_FAILED"
    status = 409


class FilesNotListed(RequestError):
    """The operators do not let files be listed, or the catalogue cannot: it answers for ids alone."""

    code = "FILES_NOT_LISTED"
    status = 404


class UnavailableError(WaybillError):
    """Nothing is wrong with the request; the same one may succeed later."""

    code = "UNAVAILABLE"
    status = 503
    is_retryable = True
    retry_after_seconds = 2

    def __init__(self, message: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        if retry_after_seconds is not None:
            self.retry_after_seconds = retry_after_seconds


class RedisUnavailable(UnavailableError):
    """Redis did not answer in time."""

    code = "REDIS_UNAVAILABLE"
    public_message = "The service cannot reach its job store at the moment. Try again in a few seconds."


class RedisFull(UnavailableError):
    """Redis refuses new data (maxmemory reached under noeviction)."""

    code = "REDIS_FULL"
    public_message = "The service's job store is full and takes no new work. Try again later."
    retry_after_seconds = 30  # memory comes back as jobs are trimmed and forgotten, and not from one moment to the next


class RedisRefused(UnavailableError):
    """Redis refuses an operation for a reason that only an operator can mend: missing rights, a foreign server."""

    code = "REDIS_REFUSED"
    public_message = "The service's job store refuses to work. Its operators know more."

    @property
    def is_for_lack_of_rights(self) -> bool:
        """Tell whether Redis' user may not do it: servers say so in other words of what a script does."""
        return any(each in self.message for each in ("NOPERM", "ACL failure in script", "can't run this command"))


class CatalogueUnavailable(UnavailableError):
    """The catalogue could not say in time which files there are, or not at all."""

    code = "CATALOGUE_UNAVAILABLE"


class TokenKeysUnavailable(UnavailableError):
    """The keys that tokens are signed with could not be had from their issuer (for too long)."""

    code = "TOKEN_KEYS_UNAVAILABLE"


class Draining(UnavailableError):
    """This process is about to stop; another one takes over."""

    code = "DRAINING"


class TooManyStreams(UnavailableError):
    """This process has as many streams open as it may have."""

    code = "TOO_MANY_STREAMS"


class RecordUnreadable(WaybillError):
    """What Redis keeps of a job was damaged, or written by another version; its next claim ends the job."""

    code = "RECORD_UNREADABLE"


class KeyForeign(WaybillError):
    """A key that is ours by its name holds what another program has written; `key` names it."""

    code = "KEY_FOREIGN"

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} holds what is not Waybill's: another program writes to this Redis under our names.")
        self.key = key


class ObjectError(WaybillError):
    """Something about one object of the object store; `key` names it."""

    code = "OBJECT_ERROR"
    is_retryable = True
    public_message = "The service cannot use its object store at the moment. Its operators know more."

    def __init__(self, message: str, *, key: str) -> None:
        super().__init__(message)
        self.key = key


class ObjectMissing(ObjectError):
    """No object has this key."""

    code = "OBJECT_MISSING"
    is_retryable = False


class ObjectChanged(ObjectError):
    """The object is another one than the caller's ETag says."""

    code = "OBJECT_CHANGED"


class ObjectArchived(ObjectError):
    """The object lies in an archive class and must be restored before it can be read."""

    code = "OBJECT_ARCHIVED"
    is_retryable = False


class ObjectForbidden(ObjectError):
    """The store knows who asks, and refuses. Once the rights are granted, jobs succeed."""

    code = "OBJECT_FORBIDDEN"


class UploadInvalid(ObjectError):
    """An upload under way is gone, or holds something else than what was sent: nobody can go on with it."""

    code = "UPLOAD_INVALID"


class StoreRefused(ObjectError):
    """The store cannot be used as it is set up: keys, bucket, region, clock. Once that is mended, jobs succeed."""

    code = "STORE_REFUSED"


class StoreUnavailable(ObjectError):
    """The store did not answer, or asked for patience; the same call may succeed in a moment."""

    code = "STORE_UNAVAILABLE"


class StoreFull(ObjectError):
    """The store has no room for the object."""

    code = "STORE_FULL"
    public_message = "The service's object store has no room left for this archive. Its operators know more."


class RunError(WaybillError):
    """One run of a job ended badly; `file_ids` names the files that caused it, where known."""

    code = "RUN_FAILED"

    def __init__(self, message: str, *, file_ids: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.file_ids = tuple(file_ids)


class RetryableRunError(RunError):
    """The run failed for a reason that another run may not meet."""

    is_retryable = True


class PermanentRunError(RunError):
    """Every further run would fail in the same way."""


class SourceMissing(PermanentRunError):
    """A requested file does not exist (any more)."""

    code = "SOURCE_MISSING"


class SourceArchived(PermanentRunError):
    """A requested file lies in an archive class, from which it must be restored first."""

    code = "SOURCE_ARCHIVED"


class SourceForbidden(PermanentRunError):
    """A requested file may not be read by this service."""

    code = "SOURCE_FORBIDDEN"


class SourceChanged(RetryableRunError):
    """A file changed between the plan and the copy; a new plan may succeed."""

    code = "SOURCE_CHANGED"


class InvalidPlan(PermanentRunError):
    """These files cannot become one archive (too many, too large)."""

    code = "INVALID_PLAN"


class HandlerMisbehaved(PermanentRunError):
    """A handler of somebody else's gave back what is no result."""

    code = "HANDLER_MISBEHAVED"
