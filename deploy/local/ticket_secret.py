"""The secret of tickets of a run that asks who calls: the page gives its links and streams by tickets.

It is made once and kept in the home, so that a link works after the next start as well.
"""

import os
import secrets
from pathlib import Path

VARIABLE = "WAYBILL_TICKET_SECRETS"


def kept_ticket_secret(path: Path) -> str:
    """Give the secret in this file, as WAYBILL_TICKET_SECRETS has it; a new one where there is none. Raises OSError."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        secret = f"local:{secrets.token_hex(24)}"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(secret + "\n")
        return secret
