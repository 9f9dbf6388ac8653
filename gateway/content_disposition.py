"""The name under which a browser saves an archive (RFC 6266, RFC 8187). Pure."""

import re
import unicodedata
from urllib.parse import quote

_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f"\\/:*?<>|\u202a-\u202e\u2066-\u2069]')


def attachment(name: str) -> str:
    """Build a Content-Disposition: an ASCII name for everybody, and `filename*` when the real one has more.

    `.zip` is added when it is missing; characters that file systems or headers refuse become `_`.
    """
    safe = _UNSAFE.sub("_", unicodedata.normalize("NFC", name)).strip(" .") or "download"
    safe = safe.encode("utf-8", "replace").decode()  # a lone surrogate cannot be sent
    if not safe.lower().endswith(".zip"):
        safe += ".zip"
    # Compatibility forms of quotes and slashes become real ones only now.
    plain = _UNSAFE.sub("_", unicodedata.normalize("NFKD", safe).encode("ascii", "ignore").decode())
    if plain.lower() in ("zip", ".zip"):
        plain = "download.zip"
    disposition = f'attachment; filename="{plain}"'
    return disposition if plain == safe else f"{disposition}; filename*=UTF-8''{quote(safe, safe='')}"
