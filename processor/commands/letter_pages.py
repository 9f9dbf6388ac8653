"""Dead letters as text for a terminal, and as lines of JSON. Pure.

What comes from callers (owners, messages) may hold anything: control characters are replaced, so that no letter moves
the cursor or colours the screen of whoever reads it.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from processor.dead_letters.view import view
from shared.jobstore.letter import DeadLetter

_HEAD = ("FAILED AT (UTC)", "JOB", "REASON", "CODE", "ATTEMPTS", "OWNER", "ERROR")
_OWNER_CHARS = 24


def json_line(letter: DeadLetter, **more: str) -> str:
    """Write a letter as one JSON object; `more` are members in front."""
    shown = msgspec.json.decode(msgspec.json.encode(view(letter)))
    # By json and not by msgspec, because it escapes what is not ASCII: a terminal may be what reads it.
    return json.dumps(more | shown)


def table(letters: Sequence[DeadLetter], *, columns: int | None) -> list[str]:
    """Write letters as the lines of a table with a head; cut at `columns` where that is given."""
    rows = [_HEAD, *map(_row, letters)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
    return [_cut(line, columns) for line in lines]


def details(letter: DeadLetter) -> list[str]:
    """Write all that a letter says, its last events line by line."""
    facts = (
        ("letter", f"{letter.dead_id} (partition {letter.partition})"),
        ("job", letter.job_id),
        ("owner", letter.owner),
        ("failed at", _at(letter)),
        ("reason", letter.reason),
        ("error", f"{letter.error.code}: {letter.error.message}"),
        ("files", ", ".join(map(str, letter.error.file_ids))),
        ("attempts", f"{letter.attempts} ({letter.failures} failed, {letter.crashes} crashed)"),
        ("processor", letter.processor),
    )
    lines = [f"{name:<11}{printable(text)}" for name, text in facts if text]
    return [
        *lines,
        "last events",
        *(f"  {printable(bytes(event).decode(errors='replace'))}" for event in letter.events),
    ]


def printable(text: str) -> str:
    """Replace what a terminal would obey instead of showing."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _row(letter: DeadLetter) -> tuple[str, ...]:
    cells = (
        _at(letter),
        letter.job_id,
        letter.reason,
        letter.error.code,
        str(letter.attempts),
        _cut(letter.owner, _OWNER_CHARS),
        letter.error.message,
    )
    return tuple(map(printable, cells))


def _at(letter: DeadLetter) -> str:
    return f"{datetime.fromtimestamp(letter.at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _cut(text: str, columns: int | None) -> str:
    return text if columns is None or len(text) <= columns else text[: max(1, columns) - 1] + "…"
