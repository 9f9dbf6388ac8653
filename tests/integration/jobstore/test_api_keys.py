"""API keys in Redis: kept, found, listed, revoked; on each kind of server."""

import msgspec
import pytest

from shared import limits
from shared.errors import KeyForeign, SettingsError
from shared.jobstore import keys
from shared.jobstore.api_key import ApiKey
from shared.jobstore.api_keys import ApiKeys, ListedKey
from shared.jobstore.store import JobStore

KEY = ApiKey(owner="anna", scopes=("user",), digest="d", created_at_ms=2, expires_at_ms=3)
OLDER = msgspec.structs.replace(KEY, owner="bert", created_at_ms=1, expires_at_ms=None)


async def test_keys_are_found_listed_by_age_and_unknown_once_revoked(store: JobStore) -> None:
    api_keys = ApiKeys(store.connection)
    await api_keys.add("k1", KEY)
    await api_keys.add("k2", OLDER)

    assert (await api_keys.find("k1"), await api_keys.find("k3")) == (KEY, None)
    assert await api_keys.list() == [ListedKey("k2", OLDER), ListedKey("k1", KEY)]

    assert await api_keys.revoke("k1")
    assert await api_keys.find("k1") is None
    assert not await api_keys.revoke("k1")


async def test_adding_a_key_again_after_a_lost_reply_changes_nothing(store: JobStore) -> None:
    api_keys = ApiKeys(store.connection)
    for _ in range(2):
        await api_keys.add("k1", KEY)

    assert await api_keys.list() == [ListedKey("k1", KEY)]


@pytest.mark.parametrize("foreign", [b"", b"anna", b"{}", b"\xff", b'{"owner":7}'])
async def test_what_another_program_wrote_opens_nothing_and_can_be_revoked(store: JobStore, foreign: bytes) -> None:
    api_keys = ApiKeys(store.connection)
    await store.connection.execute("HSET", keys.API_KEYS, "k1", foreign)

    with pytest.raises(KeyForeign):
        await api_keys.find("k1")
    assert await api_keys.list() == [ListedKey("k1", None)]
    assert await api_keys.revoke("k1")


async def test_there_are_no_more_keys_than_can_be_listed(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_API_KEYS", 1)
    api_keys = ApiKeys(store.connection)
    await api_keys.add("k1", KEY)

    with pytest.raises(SettingsError, match="1 keys already"):
        await api_keys.add("k2", KEY)
