"""Who calls, and what they may do. Pure.

An owner becomes a part of Redis keys, of log lines, of the catalogue's keys and of an operator's terminal, so that not
every text is one: no white space, no quotes, no braces, nothing that is not ASCII (two names that look alike must be
the same), and nothing that begins with a dot or a dash.
"""

import re
from enum import StrEnum

import msgspec

from shared import limits

_OWNER = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._@+:|~=/-]{{0,{limits.MAX_OWNER_CHARS - 1}}}")
OWNER_MAY_BE = (
    f"1 to {limits.MAX_OWNER_CHARS} of the letters A to Z and a to z, digits, and . _ @ + : | ~ = / -, "
    "the first one a letter or a digit"
)


class Scope(StrEnum):
    """What a key or a token is for: one's own jobs, or the calls of operators. Neither has the other in it."""

    USER = "user"
    ADMIN = "admin"


class Caller(msgspec.Struct, frozen=True):
    """Who calls. `key_id` names the key, or what has signed the token or ticket; None without authentication.

    Of a ticket: `job_ids` are all that it opens, until `expires_at_ms` (since 1970). None: whatever is the owner's.
    """

    owner: str
    scopes: frozenset[Scope]
    key_id: str | None = None
    job_ids: frozenset[str] | None = None
    expires_at_ms: int | None = None

    def may_see(self, job_id: str) -> bool:
        """Tell whether this job, if it is the owner's, is among those that were opened to the caller."""
        return self.job_ids is None or job_id in self.job_ids

    def audit(self) -> dict[str, str]:
        """Say who it was, for a log line."""
        return {"owner": self.owner} | ({"key_id": self.key_id} if self.key_id else {})


# Without authentication whoever reaches the loopback interface is the one owner there is.
LOCAL = Caller("local", frozenset({Scope.USER}))


def is_owner(text: object) -> bool:
    """Tell whether this may be an owner."""
    return isinstance(text, str) and _OWNER.fullmatch(text) is not None


def known_scopes(words: object, *, prefix: str = "") -> frozenset[Scope]:
    """Read the scopes that are ours out of words: a list of them, or one text (RFC 8693 §4.2); others mean nothing."""
    listed = words.split() if isinstance(words, str) else words if isinstance(words, list | tuple) else ()
    return frozenset(scope for scope in Scope if prefix + scope in listed)
