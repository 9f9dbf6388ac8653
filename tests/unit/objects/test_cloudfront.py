import base64
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from shared.errors import SettingsError
from shared.objects.cloudfront import CloudFrontSigner

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
URL = "https://cdn.example.com/bundles/a.zip?response-content-type=application%2Fzip"


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def verify(url: str, policy: str) -> None:
    query = parse_qs(urlsplit(url).query)
    signature = base64.b64decode(query["Signature"][0].translate(str.maketrans("-_~", "+=/")))
    KEY.public_key().verify(signature, policy.encode(), padding.PKCS1v15(), hashes.SHA1())


def test_a_signed_url_proves_its_policy(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(pem(KEY))

    signed = CloudFrontSigner.load("K123", tmp_path / "key.pem").sign(URL, expires_at_seconds=1_800_000_000)

    query = parse_qs(urlsplit(signed).query)
    assert signed.startswith(f"{URL}&Expires=1800000000&Signature=")
    assert query["Key-Pair-Id"] == ["K123"]
    policy = '{"Statement":[{"Resource":"%s","Condition":{"DateLessThan":{"AWS:EpochTime":%d}}}]}'
    verify(signed, policy % (URL, 1_800_000_000))
    with pytest.raises(InvalidSignature):
        verify(signed, policy % (URL, 1_800_000_001))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"not a key", "is not a private key in PEM form"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "is not an RSA key"),
        (None, "cannot be read"),
    ],
)
def test_a_key_that_cannot_sign_is_told_at_the_start(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError, match=problem):
        CloudFrontSigner.load("K123", path)
