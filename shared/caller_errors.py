"""The errors of whoever calls: nobody knows them, or they may not; a part of the tree of errors.py.

RequestError
├── Unauthenticated            nobody knows who calls (401)
│   └── TicketRefused, TicketExpired
├── OwnerRefused, ScopeMissing, FilesForbidden, TicketsNotOffered       they are known, and may not (403)
├── OriginRefused              a page of another server (403)
└── Misdirected                they mean another server (421)
"""

from collections.abc import Sequence

from shared.errors import RequestError


class Unauthenticated(RequestError):
    """Nobody knows who calls. `is_refused`: a key or a token was sent, and is not taken."""

    code = "UNAUTHENTICATED"
    status = 401

    def __init__(self, message: str, *, is_refused: bool = True) -> None:
        super().__init__(message)
        self.is_refused = is_refused


class TicketRefused(Unauthenticated):
    """The ticket in the address is none that was issued here, or there are several."""

    code = "TICKET_REFUSED"


class TicketExpired(Unauthenticated):
    """The ticket was good, and its time is over."""

    code = "TICKET_EXPIRED"


class OwnerRefused(RequestError):
    """The token is good, and what it calls its owner is not."""

    code = "OWNER_REFUSED"
    status = 403


class ScopeMissing(RequestError):
    """The caller is known, and may not do this; `scope` is what it takes."""

    code = "SCOPE_MISSING"
    status = 403

    def __init__(self, message: str, *, scope: str) -> None:
        super().__init__(message)
        self.scope = scope


class FilesForbidden(RequestError):
    """Some of the files are there, and not for this owner; nothing was created."""

    code = "FILES_FORBIDDEN"
    status = 403

    def __init__(self, message: str, *, file_ids: Sequence[int]) -> None:
        super().__init__(message)
        self.file_ids = tuple(file_ids)


class TicketsNotOffered(RequestError):
    """A ticket was asked for, and the operators have set no secret to sign one with."""

    code = "TICKETS_NOT_OFFERED"
    status = 403


class OriginRefused(RequestError):
    """The caller is a page of another server, which the operators have not named."""

    code = "ORIGIN_REFUSED"
    status = 403


class Misdirected(RequestError):
    """The Host header names another server than this one."""

    code = "MISDIRECTED"
    status = 421
