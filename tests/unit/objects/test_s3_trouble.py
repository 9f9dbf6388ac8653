import aiohttp
import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)

from shared.errors import StoreUnavailable
from shared.objects.s3_login import Login
from shared.objects.s3_trouble import S3Trouble

URL = "https://s3.example"
UNREACHABLE, LATE, BROKEN = "it cannot be reached; check", "it did not answer in time", "the connection broke"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (EndpointConnectionError(endpoint_url=URL), UNREACHABLE),
        (ConnectTimeoutError(endpoint_url=URL), UNREACHABLE),
        (ReadTimeoutError(endpoint_url=URL), LATE),
        (TimeoutError(), LATE),
        (ConnectionClosedError(endpoint_url=URL), BROKEN),
        (HTTPClientError(error="a secret of it"), BROKEN),
        (aiohttp.ClientPayloadError("a secret of it"), BROKEN),
        (ConnectionResetError(), BROKEN),
    ],
)
def test_why_there_was_no_answer_is_said_without_a_class_or_a_secret(error: Exception, why: str) -> None:
    told = S3Trouble("bundles", "tenant/a/", URL, Login).explain(error, "create", "b.zip")

    assert isinstance(told, StoreUnavailable)
    begun = "The store at https://s3.example could not begin the upload of tenant/a/b.zip in the bucket bundles: "
    assert told.message.startswith(begun + why)
    assert "secret" not in told.message
