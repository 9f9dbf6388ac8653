"""The text of a ticket: what reads some jobs in place of a header, for whoever cannot send one. Pure.

Gateways write and read them; processors write those of the links in callbacks.

    wt1_<base64url of:>

     1   1 … 16     1        6          1   1 … 128     1      16 each       32
    ┌───┬────────┬───────┬────────────┬───┬─────────┬───────┬─────────────┬────────────────┐
    │len│ key id │ scope │ expires_at │len│ owner   │ count │ job ids     │ HMAC-SHA256    │
    └───┴────────┴───────┴────────────┴───┴─────────┴───────┴─────────────┴────────────────┘

Nothing is kept of a ticket: its MAC is over all that stands before it, behind words of its own, so that what a secret
signs elsewhere is never a ticket. The key id alone is looked at before the MAC was compared. No two texts are one
ticket: whoever changes a bit, also one that base64 does not use, has none.
"""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from shared import limits
from shared.caller_errors import TicketExpired, TicketRefused

PREFIX = "wt1_"
"""The version is in it: another form gets another one, and neither is taken for the other."""

_MAC_OF = b"waybill ticket 1\0"
_MAC_BYTES = 32
_READING = 1
"""The one scope there is: GET and HEAD of the jobs."""

_AGAIN = "Ask for another one (POST /v1/download/tickets)."


class TicketSecret(NamedTuple):
    """What tickets are signed with, and the id by which they name it."""

    key_id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"TicketSecret({self.key_id})"


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """What a ticket says: whose jobs may be read, which, and until when (milliseconds since 1970)."""

    owner: str
    job_ids: tuple[str, ...]
    expires_at_ms: int


def read_ticket_secrets(text: str) -> tuple[TicketSecret, ...]:
    """Read `keyid:secret` words, separated by spaces: the first signs, all are taken."""
    words = (word.partition(":") for word in text.split())
    return tuple(TicketSecret(key_id, secret.encode()) for key_id, _, secret in words)


def write_ticket(ticket: Ticket, signed_with: TicketSecret) -> str:
    """Write a ticket as it stands in a URL; every character of it is one that no query has to escape."""
    key_id, owner = signed_with.key_id.encode(), ticket.owner.encode()
    said = b"".join(
        (
            bytes([len(key_id)]),
            key_id,
            bytes([_READING]),
            ticket.expires_at_ms.to_bytes(6, "big"),
            bytes([len(owner)]),
            owner,
            bytes([len(ticket.job_ids)]),
            *(uuid.UUID(job_id).bytes for job_id in ticket.job_ids),
        )
    )
    return PREFIX + _encode(said + _mac(said, signed_with.secret))


def read_ticket(text: str, secrets: Sequence[TicketSecret], *, now_ms: int) -> tuple[Ticket, str]:
    """Read what a ticket says, and the id of the secret that has signed it. Raises TicketRefused, TicketExpired.

    Nothing of what was sent is repeated: it may be a ticket with a slip in it.
    """
    signed = _decode(text)
    secret = _secret_named(signed, {known.key_id: known for known in secrets})
    said, mac = signed[:-_MAC_BYTES], signed[-_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(said, secret.secret)):
        raise _refused()
    ticket = _read(said[1 + len(secret.key_id) :])
    if ticket.expires_at_ms <= now_ms:
        raise TicketExpired(f"This ticket has expired. {_AGAIN}")
    return ticket, secret.key_id


def _decode(text: str) -> bytes:
    """Give the bytes of a ticket, when this is the one text that has them."""
    if len(text) > limits.MAX_TICKET_CHARS:
        raise TicketRefused(
            f"This is longer than any ticket, which has {limits.MAX_TICKET_CHARS:,} characters at most."
        )
    encoded = text.removeprefix(PREFIX)
    try:
        signed = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except ValueError:
        raise _refused() from None
    # base64 passes over characters that are none of its own, and over bits that the last one does not need.
    if PREFIX + _encode(signed) != text:
        raise _refused()
    return signed


def _secret_named(signed: bytes, secrets: Mapping[str, TicketSecret]) -> TicketSecret:
    key_id = signed[1 : 1 + signed[0]] if signed else b""
    try:
        return secrets[key_id.decode("latin-1")]
    except KeyError:
        raise _refused() from None


def _read(said: bytes) -> Ticket:
    """Read what stands behind the key id. Its MAC was right: what does not fit was signed by us, in another form."""
    owner_end = 8 + said[7]
    packed = said[owner_end + 1 :]
    if said[0] != _READING or len(packed) != 16 * said[owner_end]:
        raise _refused()
    return Ticket(
        owner=said[8:owner_end].decode(),
        job_ids=tuple(str(uuid.UUID(bytes=packed[at : at + 16])) for at in range(0, len(packed), 16)),
        expires_at_ms=int.from_bytes(said[1:7], "big"),
    )


def _mac(said: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, _MAC_OF + said, hashlib.sha256)


def _encode(signed: bytes) -> str:
    return base64.urlsafe_b64encode(signed).rstrip(b"=").decode()


def _refused() -> TicketRefused:
    return TicketRefused(
        f"This ticket is not taken: it was altered, cut, or signed with what is no longer used. {_AGAIN}"
    )
