"""Turns what botocore and aiohttp raise into our errors, for one bucket."""

from datetime import UTC, datetime
from typing import Any

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)

from shared.errors import ObjectError, StoreRefused, StoreUnavailable
from shared.objects import s3_errors

TROUBLE = (BotoCoreError, ClientError, aiohttp.ClientError, OSError, TimeoutError)


class S3Trouble:
    """Names the bucket, the prefix of its keys, and the place where it is."""

    def __init__(self, bucket: str, prefix: str, place: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._place = place

    def explain(self, error: Exception, action: str, key: str) -> ObjectError:
        """Turn what botocore and aiohttp raise into one of our errors."""
        if isinstance(error, ClientError):
            answer: Any = error.response
            said = answer.get("Error", {})
            status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
            refusal = self.refusal(
                said.get("Code", str(status)), action, key, status=status, words=said.get("Message") or "", date=date
            )
            return s3_errors.explain(refusal, now=datetime.now(UTC))
        if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
            sentence = f"This process has no credentials for the bucket {self._bucket} at {self._place}"
            return StoreRefused(f"{sentence}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role.", key=key)
        if isinstance(error, SSLError):
            sentence = f"The certificate of {self._place} is not trusted here. Name the file of its CA in the settings."
            return StoreRefused(sentence, key=key)
        return self.unavailable(action, key, type(error).__name__)

    def unavailable(self, action: str, key: str, why: str) -> StoreUnavailable:
        """Say that the store did not do something, and may in a moment."""
        what = f"{key} in the bucket {self._bucket}" if key else f"the bucket {self._bucket}"
        return StoreUnavailable(f"The store at {self._place} could not {action} {what}: {why}.", key=key)

    def refusal(self, code: str, action: str, key: str, **more: Any) -> s3_errors.Refusal:
        """Describe a refusal for s3_errors; `more` are its other fields."""
        more.setdefault("status", 0)
        return s3_errors.Refusal(
            code=code, action=action, key=key, prefix=self._prefix, bucket=self._bucket, place=self._place, **more
        )

    def ignored_range(self, key: str) -> StoreRefused:
        """Say that a server answers a range with something else."""
        return StoreRefused(f"The server at {self._place} ignores ranges (asked for {key}).", key=key)
