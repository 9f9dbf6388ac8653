"""What is served of the contract: written once, when a gateway starts, and the same until it ends."""

import hashlib
from importlib.metadata import version
from typing import NamedTuple

import msgspec

from gateway.contract.document import API_VERSION, openapi
from gateway.contract.page import reference_as_html
from gateway.contract.schemas import Release

_MAY_BE_KEPT = "public, max-age=300"
"""For five minutes: so long a rolling deploy may show two releases anyway."""


class Publication(NamedTuple):
    """A body as it is served, and its headers."""

    body: bytes
    media_type: str
    headers: dict[str, str]


class Contract(NamedTuple):
    """The document, the page, and which release speaks."""

    document: Publication
    page: Publication
    release: Release


def publish() -> Contract:
    """Write the contract of the installed release."""
    release = version("waybill")
    html, security_policy = reference_as_html(release)
    document = msgspec.json.encode(openapi(release)) + b"\n"
    policies = {"content-security-policy": security_policy, "referrer-policy": "no-referrer"}
    return Contract(
        document=_publication(document, "application/json"),
        page=_publication(html, "text/html", policies),
        release=Release("waybill", release, API_VERSION),
    )


def _publication(body: bytes, media_type: str, more: dict[str, str] | None = None) -> Publication:
    headers = {
        "etag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "cache-control": _MAY_BE_KEPT,
        "x-content-type-options": "nosniff",
    }
    return Publication(body, media_type, headers | (more or {}))
