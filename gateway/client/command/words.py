"""What people type as arguments, before it is sent: text, job ids, idempotency keys. Refused with what is wrong."""

from typing import Any

import click

from shared import limits

MAX_JOB_ID_CHARS = 64
"""A UUID has 36; what is longer was pasted by mistake, and is not shown again."""


class Text(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4, and 8.3 will do
    """Text that can be sent: a shell passes on any bytes."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give it as it is. Raises BadParameter for what is no UTF-8."""
        try:
            str(value).encode()
        except UnicodeEncodeError:
            self.fail("It is no text: its bytes are not UTF-8.", param, ctx)
        return str(value)


class JobId(Text):
    """What may be a job's id; whether it is one is the server's to say."""

    name = "job"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give it without the space around it. Raises BadParameter for what can be none."""
        job_id = super().convert(value, param, ctx).strip()
        if not (job_id.isprintable() and 0 < len(job_id) <= MAX_JOB_ID_CHARS):
            self.fail("That is no job id. It looks like 7f3a1c00-0000-8000-8000-00000000cafe.", param, ctx)
        return job_id


class IdempotencyKey(Text):
    """What the header Idempotency-Key may hold."""

    name = "key"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give it as it is. Raises BadParameter for what the server would not take either."""
        most = limits.MAX_IDEMPOTENCY_KEY_CHARS
        if not (0 < len(value) <= most and all("!" <= character <= "~" for character in value)):
            self.fail(f"It must be 1 to {most} visible ASCII characters, such as a UUID.", param, ctx)
        return str(value)


TEXT, JOB_ID, IDEMPOTENCY_KEY = Text(), JobId(), IdempotencyKey()
