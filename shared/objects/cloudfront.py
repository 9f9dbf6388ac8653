"""Signs CloudFront URLs with a canned policy.

Amazon CloudFront Developer Guide, "Create a signed URL using a canned policy": RSA, SHA-1, PKCS #1 v1.5, and a base64
whose +, = and / are written as -, _ and ~.
"""

import base64
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from shared.errors import SettingsError

_URL_SAFE = bytes.maketrans(b"+=/", b"-_~")


class CloudFrontSigner:
    """Signs for one key pair; `key_id` is the public key's id at CloudFront."""

    def __init__(self, key_id: str, private_key: rsa.RSAPrivateKey) -> None:
        self._key_id = key_id
        self._private_key = private_key

    @classmethod
    def load(cls, key_id: str, path: Path) -> "CloudFrontSigner":
        """Read the private key (PEM, no passphrase). Blocks: for the start. Raises SettingsError."""
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise SettingsError([f"The CloudFront key {path} cannot be read: {error.strerror}."]) from error
        except (ValueError, TypeError) as error:  # never the error's own words: they may quote the key
            raise SettingsError([f"{path} is not a private key in PEM form without a passphrase."]) from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise SettingsError([f"{path} is not an RSA key, and CloudFront takes canned policies with RSA only."])
        return cls(key_id, key)

    def sign(self, url: str, *, expires_at_seconds: int) -> str:
        """Give the URL with its signature; it can be opened until then (seconds since 1970). About a millisecond."""
        condition = f'{{"DateLessThan":{{"AWS:EpochTime":{expires_at_seconds}}}}}'
        policy = f'{{"Statement":[{{"Resource":"{url}","Condition":{condition}}}]}}'
        signature = self._private_key.sign(policy.encode(), padding.PKCS1v15(), hashes.SHA1())
        encoded = base64.b64encode(signature).translate(_URL_SAFE).decode()
        separator = "&" if "?" in url else "?"
        return f"{url}{separator}Expires={expires_at_seconds}&Signature={encoded}&Key-Pair-Id={self._key_id}"
