"""What is printed of jobs and files for people: tables. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gateway.client.display import amount, moment, percent
from gateway.client.record import Record

JOB_COLUMNS = ("JOB", "STATUS", "DONE", "FILES", "SIZE", "CREATED")
FILE_COLUMNS = ("ID", "SIZE", "NAME")


def jobs_page(records: Sequence[Record], now: datetime) -> str:
    """Write a table of jobs; `now` is the reader's own clock, with its time zone."""
    return table(JOB_COLUMNS, [_job_row(record, now) for record in records])


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
    )


def files_page(files: Sequence[dict[str, Any]]) -> str:
    """Write a table of files of the catalogue."""
    return table(FILE_COLUMNS, [_file_row(file) for file in files])


def _file_row(file: dict[str, Any]) -> tuple[str, ...]:
    size_bytes = file.get("size_bytes", file.get("size"))
    return str(file.get("file_id", file.get("id", ""))), "" if size_bytes is None else amount(size_bytes), file["name"]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write rows under their columns, each as wide as its widest cell; what could move a cursor is taken out."""
    lines = [tuple(columns), *(tuple(map(_printable, row)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)
