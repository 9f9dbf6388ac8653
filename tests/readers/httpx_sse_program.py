"""httpx-sse, used as its README shows: `python -m tests.readers.httpx_sse_program <url>`.

Follows a stream until it is told to stop, and prints what it sees as node/follow.mjs does.
"""

import json
import sys
import time

import httpx
import httpx_sse

from tests.support.waiting import PATIENCE_SECONDS


def tell(kind: str, **more: object) -> None:
    """Print one line."""
    print(json.dumps({"kind": kind, "at_ms": time.monotonic() * 1000, **more}), flush=True)


def follow(client: httpx.Client, url: str) -> None:
    """Come back after every cut, after the time that the stream asks for, with the last id."""
    cursor, retry_ms = "", 1000
    while True:
        try:
            headers = {"Last-Event-ID": cursor} if cursor else {}
            with httpx_sse.connect_sse(client, "GET", url, headers=headers) as source:
                if source.response.status_code != 200:
                    tell("stopped", status=source.response.status_code)
                    return
                tell("open")
                for event in source.iter_sse():
                    cursor = event.id or cursor
                    retry_ms = event.retry or retry_ms
                    tell("message", type=event.event, id=event.id, text=event.data)
        except httpx.TransportError:
            pass  # cut
        tell("trouble")
        time.sleep(retry_ms / 1000)


if __name__ == "__main__":
    with httpx.Client(timeout=PATIENCE_SECONDS, trust_env=False, verify=False) as client:
        follow(client, sys.argv[1])
