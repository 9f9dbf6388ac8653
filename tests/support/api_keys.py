"""API keys for tests, kept as the operators' command keeps them."""

import secrets

from gateway.auth.api_key import digest_of, write_api_key
from shared.clock import now_ms
from shared.jobstore.api_key import ApiKey
from shared.jobstore.api_keys import ApiKeys
from tests.support.stores import running_commands


async def make_api_key(url: str, owner: str) -> str:
    """Keep a new key for an owner's own jobs; give its text."""
    key_id, text = write_api_key(secrets.token_bytes(8), secrets.token_bytes(32))
    async with running_commands(url) as commands:
        kept = ApiKey(owner=owner, scopes=("user",), digest=digest_of(text), created_at_ms=now_ms())
        await ApiKeys(commands).add(key_id, kept)
    return text
