"""The processor's settings."""

from typing import Annotated

from msgspec import Meta

from shared import limits
from shared.settings import CommonSettings, Port


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

    @property
    def drain_seconds(self) -> float:
        """Give how long running jobs may go on after SIGTERM."""
        return self.stop_grace_seconds - limits.STOP_MARGIN_SECONDS
