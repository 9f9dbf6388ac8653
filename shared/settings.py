"""What an operator may set for every program, as frozen structs; environment.py reads them.

A field `lease_ms` is the variable WAYBILL_LEASE_MS; the REDIS_ and OTEL_ variables have no prefix. Its annotation
describes it (setting.py); a new field is in `--help` by itself, and in docs/settings.md after `make docs`.
"""

import re
from ipaddress import ip_network
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared import limits
from shared.callbacks.addresses import Network
from shared.callbacks.target import CallbackRules
from shared.errors import SettingsError
from shared.jobstore.location import RedisLocation, parse_location
from shared.objects.location import DirectoryOptions, Keys, StoreLocation, with_keys
from shared.objects.location import parse_location as parse_store_location

_BETWEEN = r"[ ,]+"
_PORTS = r"[0-9]{1,5}(-[0-9]{1,5})?"
# No address, whose last part would be a number.
_CALLBACK_HOST = r"(\*\.)?([A-Za-z0-9_-]+\.)*[A-Za-z_][A-Za-z0-9_-]*"

_TICKET_SECRET = rf"[A-Za-z0-9_-]{{1,{limits.MAX_TICKET_KEY_ID_CHARS}}}:\S{{{limits.MIN_TICKET_SECRET_CHARS},}}"

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
    deadline_seconds: Annotated[
        int,
        Meta(
            ge=60,
            le=limits.MAX_WAITING_MS // 1000,
            description="When an accepted job is to have ended, whatever its end: the level of service is measured by "
            "it (docs/service-level.md). It ends no job. The same for all processes.",
            examples=[900],
        ),
    ] = limits.DEADLINE_SECONDS
    ticket_secrets: Annotated[
        str,
        Meta(
            pattern=rf"^({_TICKET_SECRET}( +{_TICKET_SECRET})*)?$",
            description="The secrets with which tickets are signed, each behind an id: the first signs, all are taken, "
            "so that one can take another's place. Without them, and with authentication, there are no tickets. "
            "Processors need those of the gateways for the links in callbacks, which have no ticket otherwise.",
            examples=["k1:EXAMPLE-of-random-text-of-32-characters-or-more"],
            extra={
                "secret": True,
                "form": f"keyid:secret, once or several times, with spaces between them: ids of 1 to "
                f"{limits.MAX_TICKET_KEY_ID_CHARS} letters, digits, - and _, secrets of "
                f"{limits.MIN_TICKET_SECRET_CHARS} characters or more",
            },
        ),
    ] = ""
    callback_http: Annotated[
        bool,
        Meta(
            description="Whether the callback_url of a job may begin with http:// too. What is sent there, links to "
            "archives among it, everybody on the way can read. See docs/callbacks.md.",
            examples=["true"],
        ),
    ] = False
    callback_ports: Annotated[
        str,
        Meta(
            pattern=rf"^{_PORTS}({_BETWEEN}{_PORTS})*$",
            description="The ports that the callback_url of a job may have.",
            examples=["443 8000-8999"],
            extra={"form": "one or several ports or ranges of them, with spaces or commas between them"},
        ),
    ] = "80 443"
    callback_networks: Annotated[
        str,
        Meta(
            description="Networks to which callbacks may go although they are not public: every owner may then have "
            "anything called in them. Metadata addresses of clouds stay refused.",
            examples=["10.20.30.0/24 fd12:3456::/48"],
            extra={"form": "one or several addresses or networks, with spaces or commas between them"},
        ),
    ] = ""
    callback_refused_networks: Annotated[
        str,
        Meta(
            description="Networks to which no callback goes, whatever else is allowed: public addresses of your own "
            "that trust their neighbours, for one.",
            examples=["198.51.100.0/24 2001:db8::/32"],
            extra={"form": "one or several addresses or networks, with spaces or commas between them"},
        ),
    ] = ""
    callback_hosts: Annotated[
        str,
        Meta(
            pattern=rf"^({_CALLBACK_HOST}({_BETWEEN}{_CALLBACK_HOST})*)?$",
            description="Host names to which callbacks may go whatever they lead to, but for metadata addresses; "
            "*.example.net for all below it. Those whose names you give out yourself alone.",
            examples=["hooks.internal *.svc.cluster.local"],
            extra={"form": "one or several names, with spaces or commas between them"},
        ),
    ] = ""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="The least important log lines that are written.", examples=["debug"]),
    ] = "info"
    otel_exporter_otlp_endpoint: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$",
            description="The collector that spans are sent to (OTLP over HTTP, to v1/traces below it); none: nowhere. "
            "Its headers, certificates and timeout are OpenTelemetry's own variables. See docs/operations.md.",
            examples=["http://collector:4318"],
            extra={"form": "an http:// or https:// URL"},
        ),
    ] = ""
    trace_ratio: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="How much of what is asked for leaves a trace at the collector: 1 is all of it. The gateway "
            "that accepts a job decides, and its processors follow.",
            examples=[0.1],
        ),
    ] = 1.0

    @property
    def sources_variable(self) -> str:
        """Name the variable that says where the files are."""
        return "WAYBILL_SOURCES_URL" if self.sources_url else "WAYBILL_SOURCES_DIR"

    @property
    def objects_variable(self) -> str:
        """Name the variable that says where archives are kept."""
        return "WAYBILL_OBJECTS_URL" if self.objects_url else "WAYBILL_OBJECTS_DIR"

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

    @property
    def callback_port_ranges(self) -> tuple[range, ...]:
        """Give the ports of `callback_ports`. Raises SettingsError."""
        return tuple(map(_port_range, listed(self.callback_ports)))

    @property
    def networks_for_callbacks(self) -> tuple[Network, ...]:
        """Give the networks of `callback_networks`. Raises SettingsError."""
        return networks_in(self.callback_networks, variable="WAYBILL_CALLBACK_NETWORKS")

    @property
    def networks_without_callbacks(self) -> tuple[Network, ...]:
        """Give the networks of `callback_refused_networks`. Raises SettingsError."""
        return networks_in(self.callback_refused_networks, variable="WAYBILL_CALLBACK_REFUSED_NETWORKS")

    @property
    def callback_rules(self) -> CallbackRules:
        """Give where the callbacks of jobs may go. Raises SettingsError."""
        return CallbackRules(
            takes_http=self.callback_http,
            ports=self.callback_port_ranges,
            networks=self.networks_for_callbacks,
            hosts=listed(self.callback_hosts.lower()),
            refused=self.networks_without_callbacks,
        )


def listed(text: str) -> tuple[str, ...]:
    """Take apart what stands in one variable with spaces or commas between it."""
    return tuple(filter(None, re.split(_BETWEEN, text)))


def networks_in(text: str, *, variable: str) -> tuple[Network, ...]:
    """Read networks, an address being one of itself alone. Raises SettingsError."""
    return tuple(_network(word, variable) for word in listed(text))


def _network(text: str, variable: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        raise SettingsError(
            [f"{variable} has {text!r}, which is neither an address nor a network such as 10.0.0.0/8."]
        ) from None


def _port_range(text: str) -> range:
    first, _, last = text.partition("-")
    ports = range(int(first), int(last or first) + 1)
    if not ports or not 1 <= ports[0] <= ports[-1] <= 65_535:
        raise SettingsError([f"WAYBILL_CALLBACK_PORTS has {text!r}; ports are from 1 to 65535, the lower one first."])
    return ports


def _location(url: str, directory: str, *, variable: str) -> StoreLocation:
    return parse_store_location(url, variable=variable) if url else DirectoryOptions(directory)
