"""What a client meets that no server has said; the server's own errors are those of shared/errors.py.

ClientError
├── ServerUnreachable (NobodyListens), NotWaybill, UnknownAnswer, WaitedTooLong
├── JobUnsuccessful            the job ended without an archive
└── ArchiveCorrupt, LocalFileTrouble
"""

from shared.errors import WaybillError


class ClientError(WaybillError):
    """What a client meets that no server has said."""

    code = "CLIENT_ERROR"


class ServerUnreachable(ClientError):
    """No server has answered, however often it was tried; jobs go on without us."""

    code = "UNREACHABLE"
    is_retryable = True


class NobodyListens(ServerUnreachable):
    """Nobody is at an address of this machine, and nobody was before: more likely a wrong address than an outage."""


class NotWaybill(ClientError):
    """Something answered, and it was not Waybill: a web page, a redirect, another service."""

    code = "NOT_WAYBILL"

    def __init__(self, message: str, *, answered_status: int = 200) -> None:
        super().__init__(message)
        self.answered_status = answered_status


class UnknownAnswer(ClientError):
    """The server refused with a code that this client does not know: it is older than the server, or a proxy spoke."""

    code = "UNKNOWN_ANSWER"

    def __init__(self, message: str, *, answered_status: int, answered_code: str) -> None:
        super().__init__(message)
        self.answered_status = answered_status
        self.answered_code = answered_code


class WaitedTooLong(ClientError):
    """The time that the caller gave is over; the job goes on."""

    code = "TIMEOUT"
    is_retryable = True


class JobUnsuccessful(ClientError):
    """The job ended without an archive: `state` is `failed` or `cancelled`, and `reason_code` the server's.

    `can_retry`: starting it anew may help.
    """

    code = "JOB_UNSUCCESSFUL"

    def __init__(self, message: str, *, state: str, reason_code: str = "", can_retry: bool = False) -> None:
        super().__init__(message)
        self.state = state
        self.reason_code = reason_code
        self.can_retry = can_retry


class ArchiveCorrupt(ClientError):
    """What was fetched is not what was made: its size or its CRC-32 differs. `kept_path` is where it lies, or ""."""

    code = "ARCHIVE_CORRUPT"

    def __init__(self, message: str, *, kept_path: str) -> None:
        super().__init__(message)
        self.kept_path = kept_path


class LocalFileTrouble(ClientError):
    """A file on this machine: the disk is full, it exists already, it may not be written. `path` names it."""

    code = "LOCAL_FILE"

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path
