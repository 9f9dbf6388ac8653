"""What callbacks are signed with, as Standard Webhooks 1.0 writes it: `whsec_` and base64 of 24 to 64 bytes. Pure.

The operators' secrets sign nothing themselves: of each of them every owner has one of their own. So no receiver can
sign what another one believes (the specification: "Signing keys should be unique"), nothing has to be kept, and a new
secret of the operators is a new one for every owner.
"""

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple

from shared import limits
from shared.errors import SettingsError

PREFIX = "whsec_"

_MADE_FOR = b"waybill callback secret 1\0"


class SigningSecret(NamedTuple):
    """A secret; `key` is what the HMAC takes."""

    key: bytes

    def __repr__(self) -> str:
        return "SigningSecret(…)"

    @property
    def text(self) -> str:
        """Write it as receivers' libraries read it."""
        return PREFIX + base64.b64encode(self.key).decode()

    def of_owner(self, owner: str) -> "SigningSecret":
        """Make the secret of one owner, always the same; nobody can tell the other owners' from it."""
        return SigningSecret(hmac.digest(self.key, _MADE_FOR + owner.encode(), hashlib.sha256))


def read_signing_secrets(text: str, *, variable: str) -> tuple[SigningSecret, ...]:
    """Read secrets with spaces between them. Raises SettingsError, which never has their text in it."""
    words = text.split()
    problems = [
        f"{variable}: secret {place}: {trouble}" for place, word in enumerate(words, 1) if (trouble := _trouble(word))
    ]
    if len(words) > limits.MAX_CALLBACK_SECRETS:
        problems.append(f"{variable} has {len(words)} secrets; the limit is {limits.MAX_CALLBACK_SECRETS}.")
    if problems:
        raise SettingsError(problems)
    return tuple(SigningSecret(_key(word)) for word in words)


def _trouble(word: str) -> str | None:
    if not word.startswith(PREFIX):
        return f"it must begin with {PREFIX}."
    try:
        size_bytes = len(_key(word))
    except binascii.Error:
        return f"behind {PREFIX} there must be base64 (RFC 4648 §4)."
    lowest, highest = limits.MIN_CALLBACK_SECRET_BYTES, limits.MAX_CALLBACK_SECRET_BYTES
    return None if lowest <= size_bytes <= highest else f"it has {size_bytes} bytes; {lowest} to {highest} are taken."


def _key(word: str) -> bytes:
    return base64.b64decode(word.removeprefix(PREFIX), validate=True)
