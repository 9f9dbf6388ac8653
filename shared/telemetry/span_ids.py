"""The id of a run's span follows from its job's trace and its epoch, so a link to it needs nothing that is kept. Pure.

A retry, which another processor begins days later, points at the first attempt in this way, and so may a callback point
at the run that has ended its job.
"""

import hashlib

FIRST_EPOCH = 1


def run_span_id(traceparent: str, epoch: int) -> int:
    """Give the span id (64 bits, never 0: W3C Trace Context §3.2.2.4) of the run under this epoch of a job's claims.

    Nobody who calls us can choose it: the traceparent ends in the span id that the gateway has drawn.
    """
    digest = hashlib.blake2b(f"{traceparent}/{epoch}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1
