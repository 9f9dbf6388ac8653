"""Standard output and standard error as the command finds them: closed, full, without a reader, or not of UTF-8.

Results go to stdout: what goes wrong there ends the command. Talk goes to stderr, and nothing that happens to it may
end a download.
"""

import codecs
import json
import os
import shutil
import sys

from gateway.client.command.exit_codes import LOCAL_FILE, READER_LEFT

_PLAIN = str.maketrans({"…": "...", "–": "-", "—": "-"})


def make_ready() -> None:
    """Let both streams take any text: who is closed swallows it, and what an encoding lacks is written plainer."""
    codecs.register_error("waybill", _plainer)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # `2>&-`; print() would take stdout in its place
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 -- it lives as long as we do
        getattr(sys, name).reconfigure(errors="waybill")


def _plainer(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    try:
        # A file's name that is no text (PEP 383) is written as its bytes, so that it names the file.
        return text.encode("ascii", "surrogateescape"), error.end
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode("ascii", "replace"), error.end


def tell(sentence: str) -> None:
    """Say something on stderr, if it can be written to."""
    try:
        print(sentence, file=sys.stderr, flush=True)
    except OSError:
        stderr_failed()


def stderr_failed() -> None:
    """Say nothing more there: its reader has left, or its disk is full."""
    _silence(sys.stderr)


def stdout_width_chars() -> int | None:
    """Give how wide the terminal is that stdout is; None where it is none, and nobody wants lines cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def print_json(shown: object, *, indent: int | None = None) -> None:
    """Print JSON; escaped where stdout could not write it as it is, and it would be JSON no more."""
    text = json.dumps(shown, ensure_ascii=False, indent=indent)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(shown, indent=indent)
    print(text, flush=True)


def stdout_failed(error: OSError) -> int:
    """Say why nothing more can be printed, unless the reader has just seen enough; give the exit code."""
    # What is still buffered must not be flushed once more when Python ends.
    _silence(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return READER_LEFT
    tell(f"waybill: {error.filename or 'Standard output'} cannot be written: {error.strerror or error}.")
    return LOCAL_FILE


def _silence(stream: object) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())  # type: ignore[attr-defined]
    os.close(nowhere)
