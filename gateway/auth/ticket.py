"""What reads by a ticket (shared/ticket.py): where it stands in a request, and whom it makes of its bearer. Pure."""

import re
from collections.abc import Sequence

from gateway.auth.caller import Caller, Scope
from shared.caller_errors import TicketRefused
from shared.ticket import TicketSecret, read_ticket

_PARAMETER = re.compile(r"(?:^|&)ticket=([^&]*)")


def ticket_in(query: bytes) -> str | None:
    """Find the ticket in a query as it was sent; None when there is none. Raises TicketRefused for more than one.

    Neither its name nor the ticket may be percent-encoded, which no client does of itself: what takes tickets out of
    logs would not know them again.
    """
    found = _PARAMETER.findall(query.decode("latin-1"))
    if len(found) > 1:
        raise TicketRefused("There is more than one ticket in the address. Send one.")
    return found[0] if found else None


def has_ticket(query: bytes) -> bool:
    """Tell whether a query has something that is called a ticket."""
    return _PARAMETER.search(query.decode("latin-1")) is not None


def caller_by_ticket(text: str, secrets: Sequence[TicketSecret], *, now_ms: int) -> Caller:
    """Say who reads with a ticket, and which jobs alone. Raises TicketRefused, TicketExpired."""
    ticket, key_id = read_ticket(text, secrets, now_ms=now_ms)
    return Caller(
        ticket.owner,
        frozenset({Scope.USER}),
        f"ticket:{key_id}",
        job_ids=frozenset(ticket.job_ids),
        expires_at_ms=ticket.expires_at_ms,
    )
