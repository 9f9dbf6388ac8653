"""The headers by which a receiver knows that a callback is ours: Standard Webhooks 1.0. Pure.

webhook-id: 0193…            the same at each try: a receiver knows a repetition by it
webhook-timestamp: 1674087231    of this try, in seconds since 1970
webhook-signature: v1,K5oZ… v1,g0hM…    one for each secret, over "id.timestamp.body"
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from shared.callbacks.signing_secret import SigningSecret


def signed_headers(
    message_id: str, body: bytes, secrets: Sequence[SigningSecret], *, sent_at: datetime
) -> dict[str, str]:
    """Write the three headers for a body as it is sent, byte by byte; without secrets the first two.

    While secrets change, both sign: a receiver is content with either. `message_id` must have no full stop in it, or
    two messages could have one signature (Standard Webhooks 1.0, "Signature scheme").
    """
    assert "." not in message_id, "a message id with a full stop can be read as another one"
    timestamp = int(sent_at.timestamp())
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if secrets:
        signed = f"{message_id}.{timestamp}.".encode() + body
        headers["webhook-signature"] = " ".join(f"v1,{_mac(secret, signed)}" for secret in secrets)
    return headers


def _mac(secret: SigningSecret, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(secret.key, signed, hashlib.sha256)).decode()
