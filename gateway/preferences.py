"""What a caller prefers, from its Prefer header (RFC 7240). Pure."""

import re

from shared import limits

_WAIT = re.compile(r'wait\s*=\s*"?([0-9]{1,9})"?', re.ASCII | re.IGNORECASE)


def preferred_wait_seconds(header: str | None) -> int:
    """Give how long the answer may wait for news (RFC 7240 §4.3); 0 without such a wish, at most the bound.

    What is not understood is not there (RFC 7240 §2); of two wishes the first counts.
    """
    for preference in (header or "").split(","):
        if match := _WAIT.fullmatch(preference.split(";")[0].strip()):
            return min(int(match[1]), limits.MAX_LONG_POLL_SECONDS)
    return 0
