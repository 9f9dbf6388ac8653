"""What is printed of jobs and files for people: tables. Pure."""

import textwrap
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gateway.client.command.cells import cut, padded, printable, width_of
from gateway.client.display import amount, moment, percent
from gateway.client.record import Record

JOB_COLUMNS = ("JOB", "STATUS", "DONE", "FILES", "SIZE", "CREATED", "NAME")
LEFT_OUT_FIRST = ("FILES", "SIZE", "CREATED", "DONE")
NAME_LEAST_CHARS = 16  # on a narrow terminal: enough to tell one's own jobs apart
FILE_COLUMNS = ("ID", "SIZE", "NAME")
GAP = "  "


def jobs_page(
    records: Sequence[Record], now: datetime, *, width_chars: int | None = None, tells_why: bool = False
) -> str:
    """Write a table of jobs; `now` is the reader's own clock, with its time zone.

    `width_chars` is that of a terminal: columns are left out and names cut until it fits; None: nothing is.
    `tells_why`: below a job that something went wrong with stands what it was.
    """
    rows = [dict(zip(JOB_COLUMNS, map(printable, _job_row(record, now)), strict=True)) for record in records]
    widths = _fitting_columns(rows, width_chars)
    cells = [[cut(row[column], width) for column, width in widths.items()] for row in rows]
    head, *lines = table(list(widths), cells).splitlines()
    reasons = [_reason(record, width_chars) if tells_why else [] for record in records]
    return "\n".join([head, *(text for line, why in zip(lines, reasons, strict=True) for text in (line, *why))])


def _fitting_columns(rows: Sequence[dict[str, str]], width_chars: int | None) -> dict[str, int]:
    """Choose the columns, and how wide each may be. A name alone is cut: what is left of an id is of no use."""
    columns = [column for column in JOB_COLUMNS if column != "NAME" or any(row["NAME"] for row in rows)]
    widths = {column: max(map(width_of, (column, *(row[column] for row in rows)))) for column in columns}
    if width_chars is None:
        return widths
    # Without names the last column needs no gap behind it.
    wanted_chars = min(widths.pop("NAME", -len(GAP)), NAME_LEAST_CHARS)
    for column in LEFT_OUT_FIRST:
        if _room_chars(widths, width_chars) >= wanted_chars:
            break
        del widths[column]
    return widths | ({"NAME": max(1, _room_chars(widths, width_chars))} if "NAME" in columns else {})


def _room_chars(widths: dict[str, int], width_chars: int) -> int:
    return width_chars - sum(widths.values()) - len(GAP) * len(widths)


def _job_row(record: Record, now: datetime) -> tuple[str, ...]:
    size_bytes = record.archive_bytes if record.archive_bytes is not None else record.total_bytes
    created = datetime.fromisoformat(record.created_at).astimezone(now.tzinfo) if record.created_at else None
    return (
        record.job_id,
        record.status,
        f"{percent(record.progress)}%",
        f"{record.files_processed}/{record.total_files}",
        "" if size_bytes is None else amount(size_bytes),
        "" if created is None else moment(created, now),
        record.archive_name or "",
    )


def _reason(record: Record, width_chars: int | None) -> list[str]:
    """Say what went wrong, in the server's words; wrapped on a terminal alone, so that a pipe has one line for it."""
    if not record.error:
        return []
    said = GAP + printable(str(record.error.get("message") or "The server does not say why."))
    return textwrap.wrap(said, max(width_chars, len(GAP) + 1), subsequent_indent=GAP) if width_chars else [said]


def files_page(files: Sequence[dict[str, Any]]) -> str:
    """Write a table of files of the catalogue."""
    return table(FILE_COLUMNS, [_file_row(file) for file in files])


def _file_row(file: dict[str, Any]) -> tuple[str, ...]:
    size_bytes = file.get("size_bytes", file.get("size"))
    return str(file.get("file_id", file.get("id", ""))), "" if size_bytes is None else amount(size_bytes), file["name"]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write rows under their columns, each as wide as its widest cell; what could move a cursor is taken out."""
    lines = [tuple(columns), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(width_of(line[column]) for line in lines) for column in range(len(columns))]
    return "\n".join(
        GAP.join(padded(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
