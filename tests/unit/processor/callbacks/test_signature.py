"""The signature of callbacks, as Standard Webhooks 1.0 and its reference implementation have it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from processor.callbacks.signature import signed_headers
from shared.callbacks.signing_secret import SigningSecret, read_signing_secrets

[OLD, NEW, FOREIGN] = [SigningSecret(bytes([number]) * 32) for number in (1, 2, 3)]
BODY = json.dumps({"type": "job.completed", "data": {"archive_name": "Übersicht – ①.zip"}}, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("secret", "message_id", "at_seconds", "body", "signature"),
    [
        # Of the tests of the reference implementations.
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330,
         b'{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ],
)  # fmt: skip
def test_the_vectors_of_the_specification(
    secret: str, message_id: str, at_seconds: int, body: bytes, signature: str
) -> None:
    sent_at = datetime.fromtimestamp(at_seconds, UTC)

    headers = signed_headers(message_id, body, read_signing_secrets(secret, variable="V"), sent_at=sent_at)

    assert headers == {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_seconds),
        "webhook-signature": signature,
    }


@pytest.mark.parametrize("signing", [[OLD], [OLD, NEW], [NEW, OLD]])
def test_a_receiver_verifies_with_any_of_the_secrets(signing: list[SigningSecret]) -> None:
    headers = signed_headers("job-1", BODY, signing, sent_at=datetime.now(UTC))

    for secret in signing:
        assert Webhook(secret.text).verify(BODY, headers) == json.loads(BODY)


@pytest.mark.parametrize(
    "change",
    [
        lambda body, headers: (body + b" ", headers),
        lambda body, headers: (body, headers | {"webhook-id": "job-2"}),
        lambda body, headers: (body, headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
    ],
    ids=["body", "id", "timestamp"],
)
def test_a_receiver_sees_each_change(change: object) -> None:
    body, headers = change(BODY, signed_headers("job-1", BODY, [OLD], sent_at=datetime.now(UTC)))  # type: ignore[operator]

    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(OLD.text).verify(body, headers)


def test_a_receiver_with_another_secret_is_not_content() -> None:
    headers = signed_headers("job-1", BODY, [OLD, NEW], sent_at=datetime.now(UTC))

    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(FOREIGN.text).verify(BODY, headers)


def test_the_time_is_that_of_the_try_so_that_an_old_callback_cannot_be_played_again() -> None:
    headers = signed_headers("job-1", BODY, [OLD], sent_at=datetime.now(UTC) - timedelta(minutes=6))

    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(OLD.text).verify(BODY, headers)


def test_without_secrets_a_callback_has_its_id_and_its_time_and_no_signature() -> None:
    headers = signed_headers("job-1", BODY, [], sent_at=datetime.fromtimestamp(1.9, UTC))

    assert headers == {"webhook-id": "job-1", "webhook-timestamp": "1"}


def test_an_id_that_could_be_read_as_another_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        signed_headers("job.1", BODY, [OLD], sent_at=datetime.now(UTC))
