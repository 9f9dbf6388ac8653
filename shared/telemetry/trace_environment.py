"""What OpenTelemetry's own variables must look like (pure): its SDK takes them as they are, or ends in a traceback."""

from collections.abc import Callable, Iterator, Mapping

_EXPORTER = ("OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_")
_POSITIVE = (
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BSP_EXPORT_TIMEOUT",
)
_COMPRESSIONS = ("none", "gzip", "deflate")
_FILES = ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
QUEUE_SPANS = 2_048
BATCH_SPANS = 512
"""What the SDK takes where nothing is set (OpenTelemetry's environment variables, Batch Span Processor)."""


def problems_of_traces(environment: Mapping[str, str], is_file: Callable[[str], bool]) -> list[str]:
    """Give a sentence for each variable that is wrong. Values stay out of it, but for the names of files."""
    return list(_problems({name: value.strip() for name, value in environment.items() if value.strip()}, is_file))


def _problems(given: Mapping[str, str], is_file: Callable[[str], bool]) -> Iterator[str]:
    for name in _POSITIVE:
        if name in given and not (given[name].isascii() and given[name].isdecimal() and int(given[name])):
            yield f"{name} is to be a whole number above 0."
            return
    if queue_spans(given) < int(given.get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH_SPANS)):
        yield "OTEL_BSP_MAX_EXPORT_BATCH_SIZE is to be no more than OTEL_BSP_MAX_QUEUE_SIZE."
    for prefix in _EXPORTER:
        timeout, compression = f"{prefix}TIMEOUT", f"{prefix}COMPRESSION"
        if timeout in given and not _is_positive(given[timeout]):
            yield f"{timeout} is to be a number of seconds above 0."
        if given.get(compression, "none").lower() not in _COMPRESSIONS:
            yield f"{compression} is to be one of {', '.join(_COMPRESSIONS)}."
        for name in (f"{prefix}{file}" for file in _FILES):
            if name in given and not is_file(given[name]):
                yield f"{name}={given[name]}: there is no such file."


def queue_spans(environment: Mapping[str, str]) -> int:
    """Tell how many spans may wait to be sent."""
    return int(environment.get("OTEL_BSP_MAX_QUEUE_SIZE") or QUEUE_SPANS)


def _is_positive(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
