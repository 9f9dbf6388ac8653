"""Turns what botocore and aiohttp raise into our errors, for one bucket."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    SSLError,
)

from shared.errors import ObjectError, StoreRefused, StoreUnavailable
from shared.objects import s3_errors
from shared.objects.s3_errors import MAX_SERVER_WORDS_CHARS
from shared.objects.s3_login import Login

TROUBLE = (BotoCoreError, ClientError, aiohttp.ClientError, OSError, TimeoutError)


class S3Trouble:
    """Names the bucket, the prefix of its keys, and the place where it is."""

    def __init__(self, bucket: str, prefix: str, place: str, login: Callable[[], Login]) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._place = place
        self._login = login

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
            return StoreRefused(f"{sentence}{self._why_none(error)}", key=key)
        if isinstance(error, SSLError):
            sentence = f"The certificate of {self._place} is not trusted here. Name the file of its CA in the settings."
            return StoreRefused(sentence, key=key)
        return self.unavailable(action, key, _why(error))

    def _why_none(self, error: Exception) -> str:
        if isinstance(error, NoCredentialsError):
            return f". {self._login().remedy}"
        # botocore's words name a provider, and a file or a variable; what it could not read is not among them.
        return f": {str(error)[:MAX_SERVER_WORDS_CHARS].rstrip('.')}. Check {self._login().access_key}."

    def unavailable(self, action: str, key: str, why: str) -> StoreUnavailable:
        """Say that the store did not do something, and may in a moment."""
        what = f"{self._prefix}{key} in the bucket {self._bucket}" if key else f"the bucket {self._bucket}"
        sentence = f"The store at {self._place} could not {s3_errors.deed(action)} {what}: {why}."
        return StoreUnavailable(sentence, key=key)

    def refusal(self, code: str, action: str, key: str, **more: Any) -> s3_errors.Refusal:
        """Describe a refusal for s3_errors; `more` are its other fields."""
        more.setdefault("status", 0)
        return s3_errors.Refusal(
            code=code,
            action=action,
            key=key,
            prefix=self._prefix,
            bucket=self._bucket,
            place=self._place,
            login=self._login(),
            **more,
        )

    def ignored_range(self, key: str) -> StoreRefused:
        """Say that a server answers a range with something else."""
        return StoreRefused(f"The server at {self._place} ignores ranges (asked for {key}).", key=key)


def _why(error: Exception) -> str:
    """Say why there was no answer; the order matters, because each kind is one of the next."""
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError):
        return "it cannot be reached; check that it is up, and the endpoint"
    if isinstance(error, ReadTimeoutError | TimeoutError):
        return "it did not answer in time"
    if isinstance(error, HTTPClientError | aiohttp.ClientError | OSError):
        return "the connection broke"
    return type(error).__name__  # of botocore's checks of our own call: its words may hold what was sent
