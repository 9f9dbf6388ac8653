"""How long an ended job is kept. Pure.

ended ── keep_seconds ──▶ expires_at ── TOMBSTONE_SECONDS ──▶ forgotten     (Redis itself forgets an hour later)
        archive and link          410
"""

import msgspec

from shared import limits


class Retention(msgspec.Struct, frozen=True):
    """`keep_seconds`: the life of an archive and its link."""

    keep_seconds: int

    @property
    def redis_ms(self) -> int:
        """How long Redis remembers an ended job, should no janitor come: archive, tombstone, and some slack."""
        return (self.keep_seconds + limits.TOMBSTONE_SECONDS + limits.RETENTION_SLACK_SECONDS) * 1000

    @property
    def idempotency_ms(self) -> int:
        """How long an Idempotency-Key is kept: never longer than any job, or its repetition would make a second one.

        A job that is deleted right after its creation has no archive to keep, only its tombstone.
        """
        return min(limits.IDEMPOTENCY_KEY_SECONDS, limits.TOMBSTONE_SECONDS) * 1000

    def expires_at_ms(self, ended_at_ms: int) -> int:
        """Give the end of an archive's life (milliseconds since 1970)."""
        return ended_at_ms + self.keep_seconds * 1000
