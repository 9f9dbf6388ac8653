"""The gateway's settings."""

import re
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta

from shared import limits
from shared.callbacks.addresses import Network
from shared.settings import CommonSettings, Port, listed, networks_in

_BETWEEN = r"[ ,]+"
_HOST = r"([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])"
_ORIGIN = r"https?://([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"


class Allowance(NamedTuple):
    """What an owner may have, on all gateways together; None: as much as it likes."""

    jobs_in_flight: int | None = None
    creates_per_minute: int | None = None
    callbacks_waiting: int | None = None
    streams: int | None = None


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
    ticket_seconds: Annotated[
        int,
        Meta(
            ge=1, le=86_400, description="How long a ticket is good, and a stream that it has opened.", examples=[900]
        ),
    ] = 900
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
    hosts: Annotated[
        str,
        Meta(
            pattern=rf"^({_HOST}({_BETWEEN}{_HOST})*)?$",
            description="The names by which callers may call this gateway (their Host header), without ports; others "
            "are answered with 421. Without authentication those of loopback are always among them; with it, and with "
            "nothing here, every name is taken.",
            examples=["downloads.example.org"],
            extra={"form": "one or several names or addresses, with spaces or commas between them"},
        ),
    ] = ""
    cors_origins: Annotated[
        str,
        Meta(
            pattern=rf"^(\*|{_ORIGIN}({_BETWEEN}{_ORIGIN})*)?$",
            description="The origins of other servers' pages that may use the API in a browser, with credentials; * "
            "for all, then without. Exactly as a browser sends them: no path, no default port.",
            examples=["https://app.example.org"],
            extra={"form": "one or several origins in small letters, with spaces or commas between them, or *"},
        ),
    ] = ""
    trusted_proxies: Annotated[
        str,
        Meta(
            description="The addresses and networks of the proxies before this gateway. What they say of a request's "
            "origin (X-Forwarded-For, X-Forwarded-Proto, Forwarded) is believed, and nobody else's word.",
            examples=["10.0.0.0/8"],
            extra={"form": "one or several addresses or networks, with spaces or commas between them"},
        ),
    ] = ""
    hsts_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=366 * 86_400,
            description="For how long browsers shall come by https alone (Strict-Transport-Security); 0 does not say "
            "so. Said where a proxy of WAYBILL_TRUSTED_PROXIES tells that the request came by https; without any it is "
            "never said here: whatever has the TLS must say it.",
            examples=[31_536_000],
        ),
    ] = 0
    admin_port: Annotated[
        Port,
        Meta(description="The port of /livez, /readyz, /startedz and /metrics; 0 takes a free one.", examples=[9090]),
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
            description="Streams and long polls that this process holds open; more are sent away for a moment. "
            "8.8 KB each (docs/benchmarks.md), and one file descriptor.",
            examples=[20_000],
        ),
    ] = 20_000
    owner_jobs_in_flight: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=10_000_000,
                description="Unfinished jobs that an owner may have; more are refused with 429. 0: any number. Unset: "
                f"{limits.DEFAULT_JOBS_IN_FLIGHT:,} with authentication; any number without: there is one owner.",
                examples=[1_000],
            ),
        ]
        | None
    ) = None
    owner_creates_per_minute: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=100_000,
                description="Jobs that an owner may create within a minute; 0 and unset as above, with "
                f"{limits.DEFAULT_CREATES_PER_MINUTE:,}.",
                examples=[600],
            ),
        ]
        | None
    ) = None
    owner_callbacks_waiting: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=10_000_000,
                description="Callbacks of an owner that may wait to be delivered; beyond it creates with a "
                "callback_url are refused with 429, others are not. About 0.9 KB of Redis each, for days. "
                f"0 and unset as above, with {limits.DEFAULT_CALLBACKS_WAITING:,}.",
                examples=[10_000],
            ),
        ]
        | None
    ) = None
    owner_streams: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=1_000_000,
                description="Streams and long polls that an owner may have open, on all gateways together; each job of "
                f"a stream of many counts. 0 and unset as above, with {limits.DEFAULT_STREAMS:,}.",
                examples=[1_000],
            ),
        ]
        | None
    ) = None
    max_backlog: Annotated[
        int,
        Meta(
            ge=0,
            le=100_000_000,
            description="Unfinished jobs of all owners together, each partition having its share; creates beyond it "
            "are refused with 503. Each takes 2.3 KB of Redis while it waits, and 0.19 KB more with each event of its "
            "runs (docs/benchmarks.md). 0: any number.",
            examples=[100_000],
        ),
    ] = 100_000
    memory_headroom_percent: Annotated[
        int,
        Meta(
            ge=0,
            le=90,
            description="How much of Redis' maxmemory new jobs leave free, for those that are there to come to their "
            "end; beyond it creates are refused with 503. 0: none. Without a maxmemory it means nothing.",
            examples=[10],
        ),
    ] = 10
    websockets: Annotated[
        bool,
        Meta(
            description="Whether a job's stream may be had as a WebSocket too, and answers name it (websocket_url). "
            "Turn it off where a proxy before this gateway passes no upgrades on.",
            examples=["false"],
        ),
    ] = True
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
    def allowance(self) -> Allowance:
        """Give what an owner may have; without authentication everybody is one owner, bounded only when asked."""
        return Allowance(
            self._allowed(self.owner_jobs_in_flight, limits.DEFAULT_JOBS_IN_FLIGHT),
            self._allowed(self.owner_creates_per_minute, limits.DEFAULT_CREATES_PER_MINUTE),
            self._allowed(self.owner_callbacks_waiting, limits.DEFAULT_CALLBACKS_WAITING),
            self._allowed(self.owner_streams, limits.DEFAULT_STREAMS),
        )

    def _allowed(self, asked: int | None, otherwise: int) -> int | None:
        if asked is None:
            return None if self.auth == "none" else otherwise
        return asked or None

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

    @property
    def host_names(self) -> tuple[str, ...]:
        """Give the names of `hosts`."""
        return listed(self.hosts)

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Give the origins of `cors_origins`; `*` alone means all."""
        return listed(self.cors_origins)

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        """Give the networks of `trusted_proxies`, an address being one of itself alone. Raises SettingsError."""
        return networks_in(self.trusted_proxies, variable="WAYBILL_TRUSTED_PROXIES")
