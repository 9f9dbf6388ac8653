"""File ids as people type them: as arguments, or in a file or a pipe. Pure."""

import re
from collections.abc import Sequence

from shared import limits

MAX_SHOWN_CHARS = 40


def read_file_ids(words: Sequence[str]) -> list[int]:
    """Read ids in their order. Raises ValueError with a sentence that names the word and its place."""
    for place, word in enumerate(words, start=1):
        if not (word.isascii() and word.isdigit() and 0 < len(word) < 17 and int(word) <= limits.MAX_FILE_ID):
            shown = word if len(word) <= MAX_SHOWN_CHARS else f"{word[:MAX_SHOWN_CHARS]}…"
            raise ValueError(f"{shown!r}, the {_ordinal(place)} of the file ids, is not a number.")
    if not words:
        raise ValueError("Name at least one file id, or read them with --from-file.")
    if len(words) > limits.MAX_FILES_PER_JOB:
        most = f"at most {limits.MAX_FILES_PER_JOB:,} per archive"
        raise ValueError(f"{len(words):,} files; {most}. Split the request.")
    return [int(word) for word in words]


def words_of(text: str) -> list[str]:
    """Split what stands in a file: by white space, lines and commas."""
    return [word for word in re.split(r"[\s,]+", text) if word]


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return str(number) + {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
