"""What an operator may set: read from the environment, all together, into frozen structs.

A field `lease_ms` is the variable WAYBILL_LEASE_MS; `redis_url` is REDIS_URL. Pure: the environment is passed in.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from shared import limits
from shared.errors import SettingsError
from shared.objects.location import DirectoryOptions, StoreLocation, parse_location

Port = Annotated[int, Meta(ge=0, le=65535, examples=[8080])]
PositiveMs = Annotated[int, Meta(ge=100, le=3_600_000, examples=[15000])]


class CommonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What gateway and processor both need.

    `catalogue`: path of the manifest of files (JSON Lines). `objects_dir`: where archives are kept, or `objects_url`:
    the same as a URL (shared/objects/location.py), which goes first.
    """

    redis_url: Annotated[str, Meta(pattern=r"^(redis|rediss|unix)://", examples=["redis://127.0.0.1:6379/0"])] = (
        "redis://127.0.0.1:6379/0"
    )
    partitions: Annotated[int, Meta(ge=1, le=limits.MAX_PARTITIONS, examples=[1])] = 1
    admin_host: str = "127.0.0.1"
    catalogue: Annotated[str, Meta(min_length=1, examples=["/srv/waybill/catalogue.jsonl"])] = (
        ".waybill/catalogue.jsonl"
    )
    objects_dir: Annotated[str, Meta(min_length=1, examples=["/srv/waybill/objects"])] = ".waybill/objects"
    objects_url: Annotated[str, Meta(examples=["s3://bundles?region=eu-central-1"])] = ""
    log_level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$", examples=["info"])] = "info"

    @property
    def objects(self) -> StoreLocation:
        """Give where archives are kept. Raises SettingsError."""
        return _location(self.objects_url, self.objects_dir, variable="WAYBILL_OBJECTS_URL")


class GatewaySettings(CommonSettings, frozen=True, kw_only=True):
    """The gateway's settings. Without authentication it listens on loopback only."""

    host: Annotated[str, Meta(pattern=r"^(127(\.[0-9]{1,3}){3}|::1|localhost)$", examples=["127.0.0.1"])] = "127.0.0.1"
    port: Port = 8080
    admin_port: Port = 9090
    drain_seconds: Annotated[float, Meta(ge=0, le=300, examples=[3])] = 3.0


class ProcessorSettings(CommonSettings, frozen=True, kw_only=True):
    """The processor's settings.

    `slots`: jobs at once. `lease_ms`: how long a processor may be silent before its jobs are given to others; renewed
    every `renew_every_ms`. `keep_seconds`: how long an archive can be fetched. `copy_rate_bytes_per_second`: slows
    bundling down (0: as fast as possible). `sources_dir` or `sources_url`: where the files are that are bundled.
    """

    admin_port: Port = 9091
    sources_dir: Annotated[str, Meta(min_length=1, examples=["/srv/waybill/sources"])] = ".waybill/sources"
    sources_url: Annotated[str, Meta(examples=["s3://originals/files?region=eu-central-1"])] = ""
    slots: Annotated[int, Meta(ge=1, le=1000, examples=[4])] = 4
    lease_ms: PositiveMs = 15_000
    renew_every_ms: PositiveMs = 5_000
    max_failures: Annotated[int, Meta(ge=1, le=100, examples=[3])] = limits.MAX_FAILURES
    retry_base_ms: Annotated[int, Meta(ge=1, le=3_600_000, examples=[2000])] = limits.RETRY_BASE_MS
    keep_seconds: Annotated[int, Meta(ge=60, le=31 * 86400, examples=[86400])] = 86_400
    copy_rate_bytes_per_second: Annotated[int, Meta(ge=0, examples=[5_000_000])] = 0

    @property
    def sources(self) -> StoreLocation:
        """Give where the files are that are bundled. Raises SettingsError."""
        return _location(self.sources_url, self.sources_dir, variable="WAYBILL_SOURCES_URL")


S = TypeVar("S", bound=CommonSettings)


def variable_of(field: str) -> str:
    """Name the environment variable of a field."""
    return "REDIS_URL" if field == "redis_url" else f"WAYBILL_{field.upper()}"


def load(kind: type[S], environment: Mapping[str, str]) -> S:
    """Read the settings of one process.

    Raises SettingsError with one sentence for each wrong variable, all of them at once.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        variable = variable_of(field.name)
        text = environment.get(variable)
        if not text:
            continue
        try:
            values[field.name] = msgspec.convert(text, field.type, strict=False)
        except msgspec.ValidationError as error:
            problems.append(f"{variable}={text!r}: {error}{_example(field.type, variable)}")
    if problems:
        raise SettingsError(problems)
    settings = kind(**values)
    if contradictions := _contradictions(settings):
        raise SettingsError(contradictions)
    return settings


def _example(annotation: Any, variable: str) -> str:
    for meta in getattr(annotation, "__metadata__", ()):
        if meta.examples:
            return f". Example: {variable}={meta.examples[0]}"
    return "."


def _location(url: str, directory: str, *, variable: str) -> StoreLocation:
    return parse_location(url, variable=variable) if url else DirectoryOptions(directory)


def _contradictions(settings: CommonSettings) -> list[str]:
    return _unusable_locations(settings) + _hasty_renewal(settings)


def _unusable_locations(settings: CommonSettings) -> list[str]:
    problems: list[str] = []
    for where in ("objects", "sources") if isinstance(settings, ProcessorSettings) else ("objects",):
        try:
            getattr(settings, where)
        except SettingsError as error:
            problems += error.problems
    return problems


def _hasty_renewal(settings: CommonSettings) -> list[str]:
    if isinstance(settings, ProcessorSettings) and settings.renew_every_ms * 2 > settings.lease_ms:
        return [
            f"WAYBILL_RENEW_EVERY_MS={settings.renew_every_ms} must be at most half of "
            f"WAYBILL_LEASE_MS={settings.lease_ms}, or one late renewal loses a healthy job."
        ]
    return []
