"""The client's side of the API: a library, and the `waybill` command. It knows HTTP alone, no Redis and no framework.

    with Waybill("https://downloads.example", api_key=key) as waybill:
        job = waybill.submit([70000, 70001])
        job.wait()
        job.save("report.zip")

Its errors are the server's own by their codes (shared/errors.py), and ClientError (errors.py) for what no server said.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.client.asynchronous import AsyncWaybill
    from gateway.client.blocking import Waybill

__all__ = ["AsyncWaybill", "Waybill"]


def __getattr__(name: str) -> Any:
    # The command must say its version without an event loop having been imported.
    if name == "Waybill":
        from gateway.client.blocking import Waybill

        return Waybill
    if name == "AsyncWaybill":
        from gateway.client.asynchronous import AsyncWaybill

        return AsyncWaybill
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
