"""The name that a server gives an archive (RFC 6266, RFC 8187), made safe: it must not leave its directory. Pure."""

import re
from urllib.parse import unquote

_EXTENDED = re.compile(r"filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)
_QUOTED = re.compile(r'filename\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"\\/:*?<>|]')
MAX_NAME_BYTES = 255


def name_in(disposition: str) -> str | None:
    """Read the name out of a Content-Disposition; None when there is none that can be used."""
    if match := _EXTENDED.search(disposition):
        return safe_name(unquote(match[1]))
    if match := _QUOTED.search(disposition):
        return safe_name(re.sub(r"\\(.)", r"\1", match[1]))
    return None


def saved_name(archive_name: str) -> str:
    """Give the name under which the server has an archive saved that was asked for by this one."""
    return archive_name if archive_name.lower().endswith(".zip") else f"{archive_name}.zip"


def safe_name(name: str) -> str | None:
    """Make a name one that stays in its directory and is not hidden; None when nothing is left of it."""
    safe = _UNSAFE.sub("_", name).strip(" .")
    return safe if safe and len(safe.encode("utf-8", "replace")) <= MAX_NAME_BYTES else None
