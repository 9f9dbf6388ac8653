"""The API keys of all owners, in Redis: added, found, listed, revoked."""

from typing import NamedTuple, cast

import msgspec

from shared import limits
from shared.errors import KeyForeign, SettingsError
from shared.jobstore import keys
from shared.jobstore.access import Commands
from shared.jobstore.api_key import ApiKey, read_api_key


class ListedKey(NamedTuple):
    """A key as it is listed; `kept` is None when what is kept of it cannot be read: it opens nothing."""

    key_id: str
    kept: ApiKey | None


class ApiKeys:
    """All API keys. Every method raises as the job store does, and may be repeated."""

    def __init__(self, connection: Commands) -> None:
        self._connection = connection

    async def find(self, key_id: str) -> ApiKey | None:
        """Give what is kept of a key: one HGET, so that a revoked key is unknown at once, in every gateway.

        Raises KeyForeign for what cannot be read.
        """
        kept = await self._connection.execute("HGET", keys.API_KEYS, key_id)
        if kept is None:
            return None
        if (found := read_api_key(cast(bytes, kept))) is None:
            raise KeyForeign(keys.API_KEYS)
        return found

    async def add(self, key_id: str, key: ApiKey) -> None:
        """Keep a new key. Raises SettingsError when there are as many as there may be, RedisFull."""
        if cast(int, await self._connection.execute("HLEN", keys.API_KEYS)) >= limits.MAX_API_KEYS:
            raise SettingsError([f"There are {limits.MAX_API_KEYS:,} keys already. Revoke those that nobody needs."])
        # Not NX: ids are random, and the repetition after a lost reply must find nothing wrong.
        await self._connection.execute("HSET", keys.API_KEYS, key_id, msgspec.json.encode(key))

    async def list(self) -> list[ListedKey]:
        """Give all keys, the oldest first; those that cannot be read stand before them."""
        reply = cast("list[bytes]", await self._connection.execute("HGETALL", keys.API_KEYS))
        pairs = zip(reply[::2], reply[1::2], strict=True)
        found = [ListedKey(key_id.decode(errors="replace"), read_api_key(kept)) for key_id, kept in pairs]
        return sorted(found, key=lambda listed: (listed.kept.created_at_ms if listed.kept else 0, listed.key_id))

    async def revoke(self, key_id: str) -> bool:
        """Forget a key; tell whether it was there. The repetition of a call whose reply was lost is told False."""
        return cast(int, await self._connection.execute("HDEL", keys.API_KEYS, key_id)) == 1
