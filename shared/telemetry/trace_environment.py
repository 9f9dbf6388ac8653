"""What OpenTelemetry's own variables must look like (pure): its SDK takes them as they are, or ends in a traceback."""

from collections.abc import Callable, Iterator, Mapping

from shared import limits

_EXPORTER = ("OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_")
_QUEUE, _BATCH = "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
_MOST = {
    _QUEUE: limits.MAX_SPANS_WAITING,
    _BATCH: limits.MAX_SPANS_WAITING,
    "OTEL_BSP_SCHEDULE_DELAY": limits.MAX_TRACE_PAUSE_MS,
    "OTEL_BSP_EXPORT_TIMEOUT": limits.MAX_TRACE_PAUSE_MS,
}
_MOST_DIGITS = 9  # before int() is asked: it refuses thousands of them by another error
_COMPRESSIONS = ("none", "gzip", "deflate")
_FILES = ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
QUEUE_SPANS = 2_048
BATCH_SPANS = 512
"""What the SDK takes where nothing is set (OpenTelemetry's environment variables, Batch Span Processor)."""


def without_blanks(environment: Mapping[str, str]) -> dict[str, str]:
    """Give OpenTelemetry's variables (OTEL_…) as they are meant: without blanks around them, and without empty ones."""
    return {name: text.strip() for name, text in environment.items() if name.startswith("OTEL_") and text.strip()}


def problems_of_traces(given: Mapping[str, str], is_file: Callable[[str], bool]) -> list[str]:
    """Give a sentence for each variable that is wrong. Values stay out of it, but for the names of files.

    `given`: what `without_blanks` gives.
    """
    numbers = list(_problems_of_numbers(given))
    if not numbers and queue_spans(given) < int(given.get(_BATCH, BATCH_SPANS)):
        numbers = [f"{_BATCH} is to be no more than {_QUEUE}."]
    return numbers + [problem for prefix in _EXPORTER for problem in _problems_of_exporter(given, prefix, is_file)]


def _problems_of_numbers(given: Mapping[str, str]) -> Iterator[str]:
    for name, most in _MOST.items():
        if name in given and not _is_whole(given[name], most):
            yield f"{name} is to be a whole number from 1 to {most:,}."


def _problems_of_exporter(given: Mapping[str, str], prefix: str, is_file: Callable[[str], bool]) -> Iterator[str]:
    timeout, compression = f"{prefix}TIMEOUT", f"{prefix}COMPRESSION"
    if timeout in given and not _is_time(given[timeout]):
        yield f"{timeout} is to be a number of seconds above 0, and at most {limits.MAX_TRACE_TIMEOUT_SECONDS:,}."
    if given.get(compression, "none").lower() not in _COMPRESSIONS:
        yield f"{compression} is to be one of {', '.join(_COMPRESSIONS)}."
    for name in (f"{prefix}{file}" for file in _FILES):
        if name in given and not is_file(given[name]):
            yield f"{name}={given[name]}: there is no such file."


def queue_spans(given: Mapping[str, str]) -> int:
    """Tell how many spans may wait to be sent, by what `without_blanks` gives."""
    return int(given.get(_QUEUE, QUEUE_SPANS))


def _is_whole(text: str, most: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS and 0 < int(text) <= most


def _is_time(text: str) -> bool:
    try:
        return 0 < float(text) <= limits.MAX_TRACE_TIMEOUT_SECONDS
    except ValueError:
        return False
