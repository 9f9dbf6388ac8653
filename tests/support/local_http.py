"""HTTP clients for this machine's own servers."""

import httpx

from tests.support.promised import insist_on_promise

CALL_WITHIN_SECONDS = 10.0


def local_client(*, within_seconds: float = CALL_WITHIN_SECONDS) -> httpx.Client:
    """Make a client that asks no proxy and loads no certificates, which alone would take 20 ms for each client."""
    return httpx.Client(timeout=within_seconds, trust_env=False, verify=False)


def strict_client(*, within_seconds: float = CALL_WITHIN_SECONDS) -> httpx.Client:
    """Make a client of gateways that fails with any answer which the OpenAPI document does not promise."""
    client = local_client(within_seconds=within_seconds)
    client.event_hooks["response"].append(insist_on_promise)
    return client
