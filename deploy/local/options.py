"""What `make run` was asked for, and what its children are told. Pure: values in, values out."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from deploy.local.errors import LocalSetupError
from shared import limits

HOST = "127.0.0.1"
DEFAULT_PORT = 8080
DEFAULT_ADMIN_PORT = 9090
DEFAULT_HOME = ".waybill"
HIGHEST_PORT = 65535
BYTES_PER_MB = 1_000_000


class Options(NamedTuple):
    """One run of the set-up.

    `redis_url`: None starts the embedded Valkey. `copy_rate_bytes_per_second`: None copies at full speed.
    `auth` and `home_given` are WAYBILL_AUTH and WAYBILL_HOME as they are, for what is printed.
    """

    home: Path
    port: int
    admin_port: int
    redis_url: str | None
    copy_rate_bytes_per_second: int | None
    auth: str = "none"
    home_given: str | None = None

    @property
    def asks_who_calls(self) -> bool:
        """Whether a call without a key or a token is refused."""
        return self.auth != "none"

    @property
    def takes_keys(self) -> bool:
        """Whether an API key says who calls."""
        return "keys" in self.auth.split(",")

    @property
    def processor_admin_port(self) -> int:
        """The processor's admin port, the one after the gateway's."""
        return self.admin_port + 1

    @property
    def sources_dir(self) -> Path:
        """Where the sample files lie."""
        return self.home / "sources"

    @property
    def objects_dir(self) -> Path:
        """The local object store, where the bundles are put."""
        return self.home / "objects"

    @property
    def catalogue(self) -> Path:
        """The manifest that gives the sample files their ids."""
        return self.home / "catalogue.jsonl"

    @property
    def redis_url_file(self) -> Path:
        """Where the embedded Valkey's URL stands while it runs, for `make dead-letters`."""
        return self.home / "redis-url"

    @property
    def ticket_secret_file(self) -> Path:
        """Where the secret of tickets is kept, for runs that ask who calls."""
        return self.home / "ticket-secret"

    @property
    def valkey_dir(self) -> Path:
        """The embedded Valkey's data and log."""
        return self.home / "valkey"


def read_options(environment: Mapping[str, str], working_dir: Path) -> Options:
    """The options in `environment`; an empty variable counts as unset.

    Raises LocalSetupError that names the variable to change.
    """
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    options = Options(
        home=working_dir / Path(given.get("WAYBILL_HOME", DEFAULT_HOME)).expanduser(),
        port=_port(given, "PORT", DEFAULT_PORT, HIGHEST_PORT),
        # One less than the highest, because the processor takes the next one.
        admin_port=_port(given, "ADMIN_PORT", DEFAULT_ADMIN_PORT, HIGHEST_PORT - 1),
        redis_url=given.get("REDIS_URL"),
        copy_rate_bytes_per_second=_rate_bytes_per_second(given),
        auth=given.get("WAYBILL_AUTH", "none"),
        home_given=given.get("WAYBILL_HOME"),
    )
    if options.port in (options.admin_port, options.processor_admin_port):
        raise LocalSetupError(
            f"Port {options.port} would be used twice: the admin ports are {options.admin_port} and "
            f"{options.processor_admin_port}. Change PORT or ADMIN_PORT, for example: make run ADMIN_PORT=9190"
        )
    return options


def _port(given: Mapping[str, str], variable: str, default: int, highest: int) -> int:
    text = given.get(variable, str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= highest):
        raise LocalSetupError(f"{variable} is {text!r}; it must be a number from 1 to {highest}.")
    return int(text)


def _rate_bytes_per_second(given: Mapping[str, str]) -> int | None:
    text = given.get("RATE")
    if text is None:
        return None
    try:
        rate_mb_per_second = float(text)
    except ValueError:
        rate_mb_per_second = math.nan
    if not (math.isfinite(rate_mb_per_second) and rate_mb_per_second * BYTES_PER_MB >= 1):
        raise LocalSetupError(f"RATE is {text!r}; it must be a number of megabytes a second, for example 2 or 0.5.")
    return round(rate_mb_per_second * BYTES_PER_MB)


def gateway_settings(options: Options, redis_url: str) -> dict[str, str]:
    """The settings that the gateway's environment needs on top of its parent's."""
    return {
        **_common_settings(options, redis_url),
        "WAYBILL_LIST_FILES": "true",  # the sample files are for everybody
        "WAYBILL_HOST": HOST,
        "WAYBILL_PORT": str(options.port),
        "WAYBILL_ADMIN_PORT": str(options.admin_port),
        "WAYBILL_MAX_STREAMS": "500",  # fits the file limit of every system, which a newcomer need not know of
    }


def processor_settings(options: Options, redis_url: str) -> dict[str, str]:
    """The settings that the processor's environment needs on top of its parent's."""
    settings = {
        **_common_settings(options, redis_url),
        "WAYBILL_ADMIN_PORT": str(options.processor_admin_port),
        # Nothing is left for a drain: who presses Ctrl-C does not want to wait until the running bundles are ready.
        "WAYBILL_STOP_GRACE_SECONDS": str(limits.STOP_MARGIN_SECONDS),
        "WAYBILL_PUBLIC_URL": f"http://{HOST}:{options.port}",  # callbacks have whole links
    }
    if options.copy_rate_bytes_per_second is not None:
        settings["WAYBILL_COPY_RATE_BYTES_PER_SECOND"] = str(options.copy_rate_bytes_per_second)
    return settings


def _common_settings(options: Options, redis_url: str) -> dict[str, str]:
    return {
        "REDIS_URL": redis_url,
        "WAYBILL_ADMIN_HOST": HOST,
        "WAYBILL_SOURCES_DIR": str(options.sources_dir),
        "WAYBILL_OBJECTS_DIR": str(options.objects_dir),
        "WAYBILL_CATALOGUE": str(options.catalogue),
    }
