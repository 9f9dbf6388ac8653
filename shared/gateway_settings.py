"""The gateway's settings."""

import re
from typing import Annotated, Literal

from msgspec import Meta

from shared import limits
from shared.settings import CommonSettings, Port


class GatewaySettings(CommonSettings, frozen=True, kw_only=True):
    """The gateway's settings. Without authentication it listens on loopback only."""

    auth: Annotated[
        Literal["none", "keys", "jwt", "keys,jwt"],
        Meta(
            description="How callers say who they are: API keys (python -m gateway keys), JSON Web Tokens, or either. "
            "With none everybody is the owner local. See docs/operations.md.",
            examples=["keys"],
        ),
    ] = "none"
    jwt_secrets: Annotated[
        str,
        Meta(
            pattern=rf"^(\S{{{limits.MIN_JWT_SECRET_BYTES},}}( +\S{{{limits.MIN_JWT_SECRET_BYTES},}})*)?$",
            description="The secrets with which tokens are signed (HS256); each of several is taken, so that one can "
            "take another's place.",
            examples=["EXAMPLE-of-random-text-of-32-characters-or-more"],
            extra={
                "secret": True,
                "form": f"one or several texts of {limits.MIN_JWT_SECRET_BYTES} characters or more, "
                "with spaces between them",
            },
        ),
    ] = ""
    jwt_jwks: Annotated[
        str,
        Meta(
            pattern=r"^(https://[^\s/]\S*|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?(/[^\s@]*)?|(?![A-Za-z][\w+.-]*://)[^\x00]+)?$",
            description="The public keys of the tokens' issuer (RS256, ES256, EdDSA), as a JWK set: a file, or a URL, "
            "which is asked every five minutes and for each new key.",
            examples=["https://id.example.org/.well-known/jwks.json"],
            extra={"form": "the path of a file, or an https:// URL (http:// on this machine alone)"},
        ),
    ] = ""
    jwt_issuer: Annotated[
        str, Meta(description="What a token's iss must be.", examples=["https://id.example.org/"])
    ] = ""
    jwt_audience: Annotated[
        str,
        Meta(
            description="What a token's aud must be, or hold. Without it tokens that have one are refused.",
            examples=["waybill"],
        ),
    ] = ""
    jwt_leeway_seconds: Annotated[
        int, Meta(ge=0, le=300, description="How far the issuer's clock may be from ours.", examples=[30])
    ] = 30
    jwt_owner_claim: Annotated[
        str,
        Meta(
            min_length=1,
            description="The claim of a token that names the owner; one that users cannot change.",
            examples=["oid"],
        ),
    ] = "sub"
    jwt_scope_claim: Annotated[
        str,
        Meta(
            description="The claim of a token with its scopes, of which waybill:user and waybill:admin are read. "
            "Without it every good token has the scope user.",
            examples=["scope"],
        ),
    ] = ""
    host: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9.:-]+$",
            description="The address to listen on; 0.0.0.0 for all networks. Loopback only, without authentication.",
            examples=["127.0.0.1"],
            extra={"form": "an address of this machine"},
        ),
    ] = "127.0.0.1"
    port: Annotated[Port, Meta(description="The port of the API; 0 takes a free one.", examples=[8080])] = 8080
    admin_port: Annotated[
        Port, Meta(description="The port of /livez, /readyz and /metrics; 0 takes a free one.", examples=[9090])
    ] = 9090
    drain_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=300,
            description="The time over which open streams are sent to other gateways after SIGTERM.",
            examples=[3],
        ),
    ] = 3.0
    max_streams: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Streams and long polls that this process holds open; more are sent away for a moment. About "
            "9 KB each, and one file descriptor.",
            examples=[20_000],
        ),
    ] = 20_000
    list_files: Annotated[
        bool,
        Meta(
            description="Whether callers may list the files that they may have (GET /v1/download/files), where the "
            "catalogue is a manifest. Off, nobody learns names or ids here.",
            examples=["true"],
        ),
    ] = False
    stop_grace_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=3600,
            description="When whoever runs the gateway kills it after SIGTERM (Kubernetes: "
            "terminationGracePeriodSeconds). Changes nothing; the drain is checked against it.",
            examples=[30],
        ),
    ] = 30.0

    @property
    def takes_api_keys(self) -> bool:
        """Tell whether API keys let callers in."""
        return self.auth in ("keys", "keys,jwt")

    @property
    def takes_tokens(self) -> bool:
        """Tell whether JSON Web Tokens let callers in."""
        return self.auth in ("jwt", "keys,jwt")

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can reach the gateway."""
        return re.fullmatch(r"127(\.[0-9]{1,3}){3}|::1|localhost", self.host) is not None
