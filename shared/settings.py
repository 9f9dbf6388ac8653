"""What an operator may set, as frozen structs; environment.py reads them.

A field `lease_ms` is the variable WAYBILL_LEASE_MS; the REDIS_ variables have no prefix. Its annotation describes it
(setting.py); a new field is in `--help` by itself, and in docs/settings.md after `make docs`.
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared import limits
from shared.jobstore.location import RedisLocation, parse_location
from shared.objects.location import DirectoryOptions, Keys, StoreLocation, with_keys
from shared.objects.location import parse_location as parse_store_location

Port = Annotated[int, Meta(ge=0, le=65_535)]
Directory = Annotated[str, Meta(min_length=1, extra={"form": "the path of a directory"})]


class RedisSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where all job state is: what every program needs, and all that the operators' commands do."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"  # secrets are among the values, and a repr ends in tracebacks and logs

    redis_url: Annotated[
        str,
        Meta(
            description="The Redis or Valkey (7.0 or newer) that keeps all job state: one server, Sentinel or a "
            "cluster, with or without TLS. See docs/redis.md.",
            examples=["redis://127.0.0.1:6379/0"],
            extra={"form": "a URL as docs/redis.md describes it"},
        ),
    ] = "redis://127.0.0.1:6379/0"
    redis_username: Annotated[
        str, Meta(description="The Redis user, when REDIS_URL names none.", examples=["waybill"])
    ] = ""
    redis_password: Annotated[
        str,
        Meta(
            description="The Redis user's password, when REDIS_URL has none.",
            examples=["correct horse"],
            extra={"secret": True},
        ),
    ] = ""

    def redis_location(self) -> RedisLocation:
        """Tell where Redis is; raises SettingsError for a URL that does not say it clearly."""
        return parse_location(self.redis_url, username=self.redis_username, password=self.redis_password)


class CommonSettings(RedisSettings, frozen=True, kw_only=True):
    """What gateway and processor both need."""

    partitions: Annotated[
        int,
        Meta(
            ge=1,
            le=limits.MAX_PARTITIONS,
            description="Into how many parts job state is divided: 1 on one server, 16 on a cluster. "
            "The same for all processes; it can be raised, not lowered.",
            examples=[16],
        ),
    ] = 1
    admin_host: Annotated[
        str,
        Meta(
            min_length=1,
            description="The address on which health and metrics are served; 0.0.0.0 for all networks.",
            examples=["0.0.0.0"],
            extra={"form": "an address of this machine"},
        ),
    ] = "127.0.0.1"
    catalogue: Annotated[
        str,
        Meta(
            pattern=r"^((?!template:|hook:)(?s:.)+|template:.*\{file_id\}.*|hook:[A-Za-z_][\w.]*:[A-Za-z_]\w*)$",
            description="How a file id is turned into a source, and who may have it: a manifest's path, a template "
            "of keys, or a Python hook. See docs/catalogue.md.",
            examples=["template:files/{file_id}"],
            extra={"form": "the path of a manifest, template:… with {file_id} in it, or hook:module:name"},
        ),
    ] = ".waybill/catalogue.jsonl"
    sources_dir: Annotated[
        Directory, Meta(description="The directory of the files to be bundled.", examples=["/srv/waybill/sources"])
    ] = ".waybill/sources"
    objects_dir: Annotated[
        Directory, Meta(description="The directory in which archives are kept.", examples=["/srv/waybill/objects"])
    ] = ".waybill/objects"
    sources_url: Annotated[
        str,
        Meta(
            description="Where the files to be bundled are, as a URL; it goes before the directory: "
            "file:///… or s3://bucket/prefix?endpoint=…&region=…&profile=… See docs/object-store.md.",
            examples=["s3://originals/files?region=eu-central-1"],
        ),
    ] = ""
    objects_url: Annotated[
        str,
        Meta(
            description="Where archives are kept, as a URL like that; it goes before the directory.",
            examples=["s3://bundles?region=eu-central-1"],
        ),
    ] = ""
    sources_access_key_id: Annotated[
        str,
        Meta(
            description="The access key for the bucket of the files to be bundled, when it is not "
            "AWS_ACCESS_KEY_ID or a profile.",
            examples=["AKIAIOSFODNN7EXAMPLE"],
            extra={"secret": True},
        ),
    ] = ""
    sources_secret_access_key: Annotated[
        str,
        Meta(description="The secret of that key.", examples=["wJalrXUtnFEMI/EXAMPLEKEY"], extra={"secret": True}),
    ] = ""
    sources_session_token: Annotated[
        str,
        Meta(
            description="The session token of that key, when it is temporary.",
            examples=["FwoGZXIvYXdzEXAMPLETOKEN"],
            extra={"secret": True},
        ),
    ] = ""
    objects_access_key_id: Annotated[
        str,
        Meta(
            description="The access key for the bucket of the archives, in the same way.",
            examples=["AKIAIOSFODNN7EXAMPLE"],
            extra={"secret": True},
        ),
    ] = ""
    objects_secret_access_key: Annotated[
        str,
        Meta(description="The secret of that key.", examples=["wJalrXUtnFEMI/EXAMPLEKEY"], extra={"secret": True}),
    ] = ""
    objects_session_token: Annotated[
        str,
        Meta(
            description="The session token of that key, when it is temporary.",
            examples=["FwoGZXIvYXdzEXAMPLETOKEN"],
            extra={"secret": True},
        ),
    ] = ""
    keep_seconds: Annotated[
        int,
        Meta(ge=60, le=31 * 86_400, description="How long a finished archive can be fetched.", examples=[86_400]),
    ] = 86_400
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="The least important log lines that are written.", examples=["debug"]),
    ] = "info"

    @property
    def sources(self) -> StoreLocation:
        """Give where the files are that are bundled. Raises SettingsError."""
        keys = Keys(
            "WAYBILL_SOURCES", self.sources_access_key_id, self.sources_secret_access_key, self.sources_session_token
        )
        return with_keys(_location(self.sources_url, self.sources_dir, variable="WAYBILL_SOURCES_URL"), keys)

    @property
    def objects(self) -> StoreLocation:
        """Give where archives are kept. Raises SettingsError."""
        keys = Keys(
            "WAYBILL_OBJECTS", self.objects_access_key_id, self.objects_secret_access_key, self.objects_session_token
        )
        return with_keys(_location(self.objects_url, self.objects_dir, variable="WAYBILL_OBJECTS_URL"), keys)


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


class ProcessorSettings(CommonSettings, frozen=True, kw_only=True):
    """The processor's settings."""

    admin_port: Annotated[
        Port, Meta(description="The port of /livez, /readyz and /metrics; 0 takes a free one.", examples=[9091])
    ] = 9091
    slots: Annotated[int, Meta(ge=1, le=1_000, description="Jobs that are worked on at once.", examples=[8])] = 4
    lease_ms: Annotated[
        int,
        Meta(
            ge=100,
            le=3_600_000,
            description="How long a processor may be silent before its jobs are given to others.",
            examples=[15_000],
        ),
    ] = 15_000
    renew_every_ms: Annotated[
        int,
        Meta(
            ge=100,
            le=3_600_000,
            description="How often a lease is renewed; at most half of the lease.",
            examples=[5_000],
        ),
    ] = 5_000
    max_failures: Annotated[
        int, Meta(ge=1, le=100, description="Failed runs after which a job fails for good.", examples=[3])
    ] = limits.MAX_FAILURES
    retry_base_ms: Annotated[
        int,
        Meta(
            ge=1,
            le=limits.RETRY_CAP_MS,
            description="The longest wait before the first new try; it doubles with each failure.",
            examples=[2_000],
        ),
    ] = limits.RETRY_BASE_MS
    handler: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z_][\w.]*:[A-Za-z_]\w*)?$",
            description="What is done for a job: a Python coroutine function that takes the place of the built-in "
            "bundle. See docs/handlers.md.",
            examples=["reports.daily:handle"],
            extra={"form": "module:name"},
        ),
    ] = ""
    copy_rate_bytes_per_second: Annotated[
        int,
        Meta(
            ge=0,
            description="Slows each job's copying down to this; 0 is as fast as it goes. An archive must be copied "
            "within a week: an older upload is taken for an orphan. 1 MB/s is enough for 600 GB.",
            examples=[5_000_000],
        ),
    ] = 0
    stop_grace_seconds: Annotated[
        float,
        Meta(
            ge=limits.STOP_MARGIN_SECONDS,
            le=3600,
            description="When whoever runs the processor kills it after SIGTERM (Kubernetes: "
            f"terminationGracePeriodSeconds). Running jobs may go on until {limits.STOP_MARGIN_SECONDS} seconds before "
            "that; those are for handing back what has not ended by then.",
            examples=[30],
        ),
    ] = 30.0
    admin_callback_url: Annotated[
        str,
        Meta(
            # A port has at most five digits, and is at most 65535.
            pattern=r"^https?://([^\s/?#@]+@)?(\[[0-9a-fA-F:.]+\]|[^\s/?#@:\[\]]+)"
            r"(:(0*[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?([/?#]\S*)?$",
            description="Where each job that fails for good is told, by a POST; none: nowhere. See docs/operations.md.",
            examples=["https://ops.example.org/waybill"],
            extra={"form": "an http:// or https:// URL", "secret": True},
        ),
    ] = ""

    @property
    def drain_seconds(self) -> float:
        """Give how long running jobs may go on after SIGTERM."""
        return self.stop_grace_seconds - limits.STOP_MARGIN_SECONDS


PROGRAMS: dict[str, type[CommonSettings]] = {"gateway": GatewaySettings, "processor": ProcessorSettings}


def _location(url: str, directory: str, *, variable: str) -> StoreLocation:
    return parse_store_location(url, variable=variable) if url else DirectoryOptions(directory)
