"""What a callback says: Standard Webhooks 1.0, a type, a time, and the job as it ended. Pure.

The body is the same at each try, byte by byte, as long as nobody changes the settings: it is made of what the end left
behind, and of nothing else.
"""

from typing import NamedTuple

import msgspec

from processor.dead_letters.view import LetterView, view
from shared.callbacks.end_message import EndedJob, EndMessage, EndType
from shared.events import Cancelled, Completed, Failed, timestamp
from shared.jobs import JobRecord
from shared.jobstore.callback import TakenCallback
from shared.jobstore.letter import DeadLetter
from shared.ticket import Ticket, TicketSecret, write_ticket
from shared.told_job import told


class Links(NamedTuple):
    """How links to archives are written: behind the public address, with a ticket where gateways take ours.

    `ticket_secret` None: without a ticket. `public_url` "": the path alone.
    """

    public_url: str = ""
    ticket_secret: TicketSecret | None = None

    def to(self, path: str, record: JobRecord) -> str:
        """Write the link to a job's archive; its ticket is good for as long as the archive is kept."""
        link = self.public_url.rstrip("/") + path
        if self.ticket_secret is None or record.expires_at_ms is None:
            return link
        ticket = Ticket(owner=record.owner, job_ids=(record.job_id,), expires_at_ms=record.expires_at_ms)
        return f"{link}?ticket={write_ticket(ticket, self.ticket_secret)}"


class DeadLetterMessage(msgspec.Struct, frozen=True, tag="dead_letter", tag_field="type"):
    """The body of the admins' callback; `timestamp` is when the job failed (RFC 3339)."""

    timestamp: str
    data: LetterView


_Terminal = Completed | Failed | Cancelled
_terminal: msgspec.json.Decoder[_Terminal] = msgspec.json.Decoder(_Terminal)


def body_of(taken: TakenCallback, links: Links) -> bytes:
    """Encode what is sent."""
    if taken.letter is not None:
        return dead_letter_body(taken.letter)
    return end_body(taken.record, taken.message, links, total_files=taken.total_files)


def dead_letter_body(letter: DeadLetter) -> bytes:
    """Encode what admins are told of a dead letter."""
    return msgspec.json.encode(DeadLetterMessage(timestamp(letter.at_ms), view(letter)))


def end_body(record: JobRecord, message: bytes, links: Links, *, total_files: int) -> bytes:
    """Encode what is told of a job's end; `message` is its terminal event, `total_files` how many were asked for."""
    ended_at_ms = record.finished_at_ms or record.updated_at_ms
    ended = _ended(record, _read(message), links, total_files)
    return msgspec.json.encode(EndMessage(EndType(f"download.{record.state}"), timestamp(ended_at_ms), ended))


def trial_body(at_ms: int) -> bytes:
    """Encode what is sent when an operator tries a URL."""
    said = {"message": "This is a test of the service's operators. No job has ended."}
    return msgspec.json.encode({"type": "download.test", "timestamp": timestamp(at_ms), "data": said})


def _read(message: bytes) -> _Terminal | None:
    """Read a terminal event; None for what cannot be read, of which the record says enough."""
    try:
        return _terminal.decode(message)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _ended(record: JobRecord, event: _Terminal | None, links: Links, total_files: int) -> EndedJob:
    members = told(
        record,
        total_files=total_files,
        download_url=links.to(event.download_url, record) if isinstance(event, Completed) else None,
        can_retry=event.can_retry if isinstance(event, Failed) else None,
    )
    return msgspec.convert(members | {"reason": event.reason if isinstance(event, Cancelled) else None}, EndedJob)
