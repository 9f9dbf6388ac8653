"""The Authorization header: one, with one bearer credential in it (RFC 6750 §2.1). Pure."""

import re
from collections.abc import Sequence

from shared import limits
from shared.caller_errors import Unauthenticated

_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")  # a scheme is not case-sensitive
_HOW = "Send one header Authorization: Bearer, with an API key or a token behind it."


def read_bearer(headers: Sequence[str], *, has_ticket: bool = False) -> str:
    """Read the credential from all Authorization headers of a request. Raises Unauthenticated.

    `has_ticket`: there is a ticket in its address, which does not open this call.
    Nothing of what was sent is repeated: it may be a secret with a slip in it.
    """
    if not headers and has_ticket:
        raise Unauthenticated(
            "A ticket opens only calls that read jobs which it names; this one takes a key or a token. " + _HOW,
            is_refused=False,
        )
    if not headers:
        raise Unauthenticated(f"This call needs to know who you are. {_HOW}", is_refused=False)
    if len(headers) > 1:
        raise Unauthenticated(f"There is more than one Authorization header. {_HOW}", is_refused=True)
    if len(headers[0]) > limits.MAX_CREDENTIAL_CHARS:
        raise Unauthenticated(
            f"The credential is longer than {limits.MAX_CREDENTIAL_CHARS:,} characters. {_HOW}", is_refused=True
        )
    match = _BEARER.fullmatch(headers[0])
    if match is None:
        raise Unauthenticated(f"The Authorization header is none that is taken here. {_HOW}", is_refused=True)
    return match[1]
