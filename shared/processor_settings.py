"""The processor's settings."""

from typing import Annotated

from msgspec import Meta

from shared import limits
from shared.callbacks.signing_secret import SigningSecret, read_signing_secrets
from shared.errors import SettingsError
from shared.settings import CommonSettings, Port, listed

_BETWEEN = r"[ ,]+"
_DELAY = r"[0-9]{1,6}"


class ProcessorSettings(CommonSettings, frozen=True, kw_only=True):
    """The processor's settings."""

    admin_port: Annotated[
        Port,
        Meta(description="The port of /livez, /readyz, /startedz and /metrics; 0 takes a free one.", examples=[9091]),
    ] = 9091
    slots: Annotated[int, Meta(ge=1, le=1_000, description="Jobs that are worked on at once.", examples=[8])] = 4
    lease_ms: Annotated[
        int,
        Meta(
            ge=100,
            le=3_600_000,
            description="How long a processor may be silent before its jobs are given to others.",
            examples=[15_000],
        ),
    ] = 15_000
    renew_every_ms: Annotated[
        int,
        Meta(
            ge=100,
            le=3_600_000,
            description="How often a lease is renewed; at most half of the lease.",
            examples=[5_000],
        ),
    ] = 5_000
    max_failures: Annotated[
        int, Meta(ge=1, le=100, description="Failed runs after which a job fails for good.", examples=[3])
    ] = limits.MAX_FAILURES
    retry_base_ms: Annotated[
        int,
        Meta(
            ge=1,
            le=limits.RETRY_CAP_MS,
            description="The longest wait before the first new try; it doubles with each failure.",
            examples=[2_000],
        ),
    ] = limits.RETRY_BASE_MS
    handler: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z_][\w.]*:[A-Za-z_]\w*)?$",
            description="What is done for a job: a Python coroutine function that takes the place of the built-in "
            "bundle. See docs/handlers.md.",
            examples=["reports.daily:handle"],
            extra={"form": "module:name"},
        ),
    ] = ""
    copy_rate_bytes_per_second: Annotated[
        int,
        Meta(
            ge=0,
            description="Slows each job's copying down to this; 0 is as fast as it goes. An archive must be copied "
            "within a week: an older upload is taken for an orphan. 1 MB/s is enough for 600 GB.",
            examples=[5_000_000],
        ),
    ] = 0
    stop_grace_seconds: Annotated[
        float,
        Meta(
            ge=limits.STOP_MARGIN_SECONDS,
            le=3600,
            description="When whoever runs the processor kills it after SIGTERM (Kubernetes: "
            f"terminationGracePeriodSeconds). Running jobs may go on until {limits.STOP_MARGIN_SECONDS} seconds before "
            "that; those are for handing back what has not ended by then.",
            examples=[30],
        ),
    ] = 30.0
    admin_callback_url: Annotated[
        str,
        Meta(
            # A port has at most five digits, and is at most 65535.
            pattern=r"^https?://([^\s/?#@]+@)?(\[[0-9a-fA-F:.]+\]|[^\s/?#@:\[\]]+)"
            r"(:(0*[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?([/?#]\S*)?$",
            description="Where each job that fails for good is told, by a POST; none: nowhere. See docs/operations.md.",
            examples=["https://ops.example.org/waybill"],
            extra={"form": "an http:// or https:// URL", "secret": True},
        ),
    ] = ""
    callback_secrets: Annotated[
        str,
        Meta(
            description="The secrets of which each owner's own is made, with which the callbacks of its jobs are "
            "signed. All sign: put a new one beside the old one, and take the old one away later. Without them "
            "callbacks are not signed. See docs/callbacks.md.",
            examples=["whsec_EXAMPLEofBase64OfRandomBytes0123456789abcdef"],
            extra={
                "secret": True,
                "form": f"one to {limits.MAX_CALLBACK_SECRETS} texts of whsec_ and base64 of "
                f"{limits.MIN_CALLBACK_SECRET_BYTES} to {limits.MAX_CALLBACK_SECRET_BYTES} bytes, with spaces between "
                "them",
            },
        ),
    ] = ""

    callback_schedule: Annotated[
        str,
        Meta(
            pattern=rf"^{_DELAY}({_BETWEEN}{_DELAY}){{0,{limits.MAX_CALLBACK_TRIES - 1}}}$",
            description="When a callback is tried: at once (0), then how long after each try that failed, "
            "each time up to a quarter longer, so that they do not come all at once. After the last one it is given "
            "up.",
            examples=["0 5 300 1800 7200"],
            extra={
                "form": f"0 and up to {limits.MAX_CALLBACK_TRIES - 1} pauses in whole seconds, of a week at most, with "
                "spaces or commas between them"
            },
        ),
    ] = "0 5 300 1800 7200 18000 36000 50400 72000 86400"
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$",
            description="The address at which callers reach the gateways. Links in callbacks begin with it; without "
            "it they are paths, and the receiver must know where they lead.",
            examples=["https://downloads.example.org"],
            extra={"form": "an http:// or https:// URL without a query"},
        ),
    ] = ""

    @property
    def schedule_seconds(self) -> tuple[int, ...]:
        """Give the pauses of `callback_schedule`. Raises SettingsError."""
        schedule_seconds = tuple(map(int, listed(self.callback_schedule)))
        if schedule_seconds[0]:
            raise SettingsError(
                [
                    f"WAYBILL_CALLBACK_SCHEDULE begins with {schedule_seconds[0]:,}. The first try comes at once: "
                    "begin with 0."
                ]
            )
        if max(schedule_seconds) > limits.MAX_CALLBACK_PAUSE_SECONDS:
            raise SettingsError(
                [
                    f"WAYBILL_CALLBACK_SCHEDULE has a pause of {max(schedule_seconds):,} seconds; the limit is "
                    f"{limits.MAX_CALLBACK_PAUSE_SECONDS:,}, a week."
                ]
            )
        return schedule_seconds

    @property
    def signing_secrets(self) -> tuple[SigningSecret, ...]:
        """Give the secrets of `callback_secrets`. Raises SettingsError."""
        return read_signing_secrets(self.callback_secrets, variable="WAYBILL_CALLBACK_SECRETS")

    @property
    def drain_seconds(self) -> float:
        """Give how long running jobs may go on after SIGTERM."""
        return self.stop_grace_seconds - limits.STOP_MARGIN_SECONDS
