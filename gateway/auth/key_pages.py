"""API keys as operators read them. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from gateway.auth.caller import is_owner
from shared import limits
from shared.jobstore.api_key import ApiKey

_HEAD = ("ID", "OWNER", "SCOPES", "CREATED (UTC)", "EXPIRES (UTC)", "STATE")
_LIFE = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class KeyView(msgspec.Struct, frozen=True, kw_only=True):
    """A key as `--json` shows it; times are RFC 3339. `api_key` is the key itself, shown by its creation alone."""

    key_id: str
    owner: str | None
    scopes: tuple[str, ...]
    created_at: str | None
    expires_at: str | None
    state: str
    api_key: str | msgspec.UnsetType = msgspec.UNSET


def view_of(key_id: str, kept: ApiKey | None, *, now_ms: int, api_key: str | None = None) -> KeyView:
    """Describe a key; its state is `good`, `expired`, or `unreadable`, which opens nothing either."""
    if kept is None or not is_owner(kept.owner):
        return KeyView(key_id=key_id, owner=None, scopes=(), created_at=None, expires_at=None, state="unreadable")
    is_over = kept.expires_at_ms is not None and kept.expires_at_ms <= now_ms
    return KeyView(
        key_id=key_id,
        owner=kept.owner,
        scopes=kept.scopes,
        created_at=_moment(kept.created_at_ms),
        expires_at=None if kept.expires_at_ms is None else _moment(kept.expires_at_ms),
        state="expired" if is_over else "good",
        api_key=api_key or msgspec.UNSET,
    )


def table(views: Sequence[KeyView]) -> list[str]:
    """Lay keys out, one a line. What another program wrote into Redis does not reach the terminal as it is."""
    rows = [_HEAD, *map(_row, views)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def read_life_seconds(text: str) -> int:
    """Read `90s`, `30m`, `12h` or `90d` as seconds. Raises ValueError with a sentence."""
    match = _LIFE.fullmatch(text)
    life_seconds = int(match[1]) * _UNIT_SECONDS[match[2]] if match else 0
    if not 0 < life_seconds <= limits.MAX_API_KEY_LIFE_SECONDS:
        raise ValueError(f"{text!r} is no life of a key. Write 90s, 30m, 12h or 90d; ten years at most.")
    return life_seconds


def _row(view: KeyView) -> tuple[str, ...]:
    cells = (view.key_id, view.owner or "-", ",".join(view.scopes), view.created_at, view.expires_at, view.state)
    return tuple(ascii(cell or "never")[1:-1] for cell in cells)


def _moment(at_ms: int) -> str | None:
    try:
        return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return None
