"""This gateway's tickets: issued to callers, and judged, by its secrets and its clock."""

from collections.abc import Sequence
from typing import NamedTuple

import structlog

from gateway.auth.caller import Caller
from gateway.auth.ticket import caller_by_ticket
from shared.caller_errors import TicketsNotOffered
from shared.clock import now_ms
from shared.ticket import Ticket, TicketSecret, write_ticket

log = structlog.get_logger(__name__)


class Issued(NamedTuple):
    """A ticket, when it expires (milliseconds since 1970), and the id of the secret that has signed it."""

    ticket: str
    expires_at_ms: int
    key_id: str


def issue_ticket(tickets: "Tickets", caller: Caller, job_ids: Sequence[str]) -> Issued:
    """Issue a ticket as Tickets does, and leave the line of the audit: what is read by it later is known from there."""
    issued = tickets.issue(caller, job_ids)
    log.info("ticket issued", jobs=len(job_ids), signed_with=issued.key_id, **caller.audit())
    return issued


class Tickets:
    """The first secret signs, all are taken; without any there are no tickets. A ticket is good for `life_seconds`."""

    def __init__(self, secrets: Sequence[TicketSecret] = (), *, life_seconds: int = 0) -> None:
        self._secrets = tuple(secrets)
        self._life_ms = life_seconds * 1000

    def insist_on_offered(self) -> None:
        """Raise TicketsNotOffered when there is nothing to sign one with."""
        if not self._secrets:
            raise TicketsNotOffered(
                "There are no tickets here: WAYBILL_TICKET_SECRETS is not set. Send an Authorization header with each "
                "call, or tell the operators."
            )

    def issue(self, caller: Caller, job_ids: Sequence[str]) -> Issued:
        """Issue a ticket for jobs that are known to be the caller's, at most 50. Raises TicketsNotOffered."""
        self.insist_on_offered()
        secret, expires_at_ms = self._secrets[0], now_ms() + self._life_ms
        ticket = Ticket(owner=caller.owner, job_ids=tuple(job_ids), expires_at_ms=expires_at_ms)
        return Issued(write_ticket(ticket, secret), expires_at_ms, secret.key_id)

    def caller(self, ticket: str) -> Caller:
        """Say who reads with a ticket. Raises TicketRefused, TicketExpired."""
        return caller_by_ticket(ticket, self._secrets, now_ms=now_ms())
