"""Where an object store is, as an operator says it. Pure: one URL in, frozen options or clear sentences out.

    file:///srv/waybill/objects
    s3://bundles/tenant-a?endpoint=https://minio.example:9000&region=eu-central-1&style=path

Secrets never stand in the URL. The keys of a store are, first to last: its own (WAYBILL_SOURCES_ACCESS_KEY_ID and
…_SECRET_ACCESS_KEY, the same with OBJECTS), the profile of the AWS config files that its URL names (`profile=`: roles,
SSO), and what every AWS client finds: AWS_ACCESS_KEY_ID, AWS_PROFILE, web identity, the role of a container or machine.
"""

import posixpath
import re
from typing import Annotated, Any, Literal, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
from msgspec import Meta

from shared.errors import ObjectError, SettingsError
from shared.objects.info import MAX_KEY_BYTES, check_key

MAX_LINK_SECONDS = 7 * 86_400  # Amazon S3, "Sharing objects with presigned URLs": the most that version 4 signs
BUCKET = r"^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$"  # or an access point's ARN would be one; those have an alias for it
ADDRESS = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"

Address = Annotated[str, Meta(pattern=ADDRESS)]
Links = Literal["presigned", "cloudfront", "domain", "gateway"]
Style = Literal["auto", "path", "virtual"]
Encryption = Literal["AES256", "aws:kms"]


class DirectoryOptions(msgspec.Struct, frozen=True):
    """A store in a directory of this machine."""

    path: Annotated[str, Meta(min_length=1)]


class S3Options(msgspec.Struct, frozen=True, kw_only=True):
    """A store in an S3 bucket, or in one of a server that speaks the same protocol.

    `prefix`: goes before every key, with a slash between. `endpoint_url`: None is Amazon's own for the region.
    `public_endpoint_url`: the same server as browsers reach it, where that is another address; links are signed for it.
    `access_key_id`, `secret_access_key`, `session_token`: None takes botocore's chain (environment, profile, web
    identity, role), `profile` names one of the AWS config files. `key_variables`: what the variables of its own keys
    begin with, for sentences about them. `ca_bundle`: path of a PEM file. `checksums`: send a CRC-32 with every part;
    off for servers that refuse it. `links`: what a download is answered with: a presigned URL, a CloudFront signed URL,
    an unsigned URL below `cdn_url`, or the bytes themselves, through the gateway. `link_seconds`: how long a signed URL
    can be opened.
    """

    bucket: Annotated[str, Meta(pattern=BUCKET)]
    prefix: Annotated[str, Meta(max_length=MAX_KEY_BYTES // 2)] = ""
    endpoint_url: Address | None = None
    public_endpoint_url: Address | None = None
    region: Annotated[str, Meta(pattern="^[a-z0-9-]+$")] | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    key_variables: str = "AWS"
    profile: str | None = None
    addressing_style: Style = "auto"
    ca_bundle: str | None = None
    checksums: bool = True
    sse: Encryption | None = None
    sse_kms_key_id: str | None = None
    links: Links = "presigned"
    link_seconds: Annotated[int, Meta(ge=1, le=MAX_LINK_SECONDS)] = 900
    cdn_url: Address | None = None
    cloudfront_key_id: str | None = None
    cloudfront_key_file: str | None = None

    def __repr__(self) -> str:
        """Name the place alone: secrets stay out of logs and tracebacks."""
        return f"S3Options({self.bucket}/{self.prefix} at {self.endpoint_url or 'Amazon S3'})"


StoreLocation = DirectoryOptions | S3Options

OPTIONS = {
    "endpoint": "endpoint_url",
    "public_endpoint": "public_endpoint_url",
    "region": "region",
    "profile": "profile",
    "style": "addressing_style",
    "ca": "ca_bundle",
    "checksums": "checksums",
    "sse": "sse",
    "kms_key": "sse_kms_key_id",
    "links": "links",
    "link_seconds": "link_seconds",
    "cdn": "cdn_url",
    "cloudfront_key_id": "cloudfront_key_id",
    "cloudfront_key_file": "cloudfront_key_file",
}
"""The options of an s3:// URL, each with its field; docs/object-store.md has them all."""
_SWITCH = {"on": "true", "off": "false"}
_ADDRESS_FORM = "an http:// or https:// address without a query"
_MAY_BE = {
    "endpoint": _ADDRESS_FORM,
    "public_endpoint": _ADDRESS_FORM,
    "cdn": _ADDRESS_FORM,
    "region": "the name of a region, such as eu-central-1",
    "style": f"one of {', '.join(get_args(Style))}",
    "checksums": f"one of {', '.join(_SWITCH)}",
    "sse": f"one of {', '.join(get_args(Encryption))}",
    "links": f"one of {', '.join(get_args(Links))}",
    "link_seconds": f"a whole number from 1 to {MAX_LINK_SECONDS:,}",
}
"""What the options may be that cannot be any text, for people."""


def parse_location(url: str, *, variable: str) -> StoreLocation:
    """Read the URL of a store. Raises SettingsError with one sentence for each problem; each names `variable`."""
    try:
        parts = urlsplit(url)
        has_login = parts.username is not None or parts.password is not None
    except ValueError as error:
        raise SettingsError([f"{variable} is not a URL: {error}."]) from error
    if has_login:
        own = variable.removesuffix("_URL")
        sentence = f"holds a login. Take it out and set {own}_ACCESS_KEY_ID and {own}_SECRET_ACCESS_KEY instead."
        raise SettingsError([f"{variable} {sentence}"])
    if parts.scheme == "file":
        return _parse_directory(url, variable)
    if parts.scheme != "s3":
        example = "file:///srv/waybill/objects or s3://bucket/prefix?region=eu-central-1"
        raise SettingsError([f"{variable}={url!r}: it must be a URL such as {example}."])
    if not parts.netloc:
        raise SettingsError([f"{variable}={url!r} names no bucket; write s3://bucket/prefix."])
    return _parse_s3(parts.netloc, unquote(parts.path).strip("/"), parts.query, variable)


class Keys(msgspec.Struct, frozen=True):
    """The keys of one store alone, as set; "" is unset. `variables` is what the names of all three begin with."""

    variables: str
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""

    def __repr__(self) -> str:
        """Name the variables alone: secrets stay out of logs and tracebacks."""
        return f"Keys({self.variables}_ACCESS_KEY_ID)"


def with_keys(location: StoreLocation, keys: Keys) -> StoreLocation:
    """Give the store with keys of its own, where some are set, and in any case with the names that they have or lack.

    Raises SettingsError when they do not fit together, or not to the store; both variables are named.
    """
    given = [name for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN") if getattr(keys, name.lower())]
    if not given:
        is_bucket = isinstance(location, S3Options)
        return msgspec.structs.replace(location, key_variables=keys.variables) if is_bucket else location
    own, one = keys.variables, f"{keys.variables}_{given[0]}"
    if isinstance(location, DirectoryOptions):
        raise SettingsError([f"{one} is set, and {own}_URL names no S3 bucket: a directory has no keys. Unset one."])
    if location.profile is not None:
        sentence = f"{one} is set, and {own}_URL names profile={location.profile}: a store has one login."
        raise SettingsError([f"{sentence} Take one of the two out."])
    if not (keys.access_key_id and keys.secret_access_key):
        missing = [f"{own}_{name}" for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY") if name not in given]
        raise SettingsError([f"{one} is set without {' and '.join(missing)}: they go together. Set all or none."])
    return msgspec.structs.replace(
        location,
        access_key_id=keys.access_key_id,
        secret_access_key=keys.secret_access_key,
        session_token=keys.session_token or None,
        key_variables=own,
    )


def lies_in(inner: StoreLocation, outer: StoreLocation) -> bool:
    """Tell whether one place is the other, or below it, as far as their names say: links and aliases are not seen."""
    if isinstance(inner, DirectoryOptions) and isinstance(outer, DirectoryOptions):
        return _is_below(posixpath.normpath(inner.path), posixpath.normpath(outer.path).rstrip("/"))
    if isinstance(inner, S3Options) and isinstance(outer, S3Options):
        is_same_bucket = (inner.bucket, inner.endpoint_url) == (outer.bucket, outer.endpoint_url)
        return is_same_bucket and _is_below(inner.prefix, outer.prefix)
    return False


def _is_below(inner: str, outer: str) -> bool:
    return not outer or f"{inner}/".startswith(f"{outer}/")


def problems_of(options: S3Options) -> list[str]:
    """Say which fields contradict each other or cannot be used, a sentence each; none when the options are sound."""
    problems: list[str] = []
    if options.sse_kms_key_id is not None and options.sse != "aws:kms":
        problems.append("sse_kms_key_id is used with sse=aws:kms only.")
    if options.links in ("cloudfront", "domain") and options.cdn_url is None:
        problems.append(f"links={options.links} needs cdn_url, for example https://downloads.example.com.")
    if options.links == "cloudfront" and not (options.cloudfront_key_id and options.cloudfront_key_file):
        problems.append("links=cloudfront needs cloudfront_key_id and cloudfront_key_file (the private key, PEM).")
    if options.prefix:
        try:
            check_key(options.prefix)
        except ObjectError as error:
            problems.append(error.message)
    return problems


def _parse_directory(url: str, variable: str) -> DirectoryOptions:
    path = unquote(url.partition("://")[2])
    if "?" in url or "#" in url or not path.startswith("/"):
        raise SettingsError([f"{variable}={url!r}: a directory is written as file:///an/absolute/path."])
    return DirectoryOptions(path)


def _parse_s3(bucket: str, prefix: str, query: str, variable: str) -> S3Options:
    problems: list[str] = []
    values: dict[str, Any] = {}
    if not re.match(BUCKET, bucket):
        problems.append(f"{variable}: {bucket!r} is not the name of a bucket; write s3://bucket/prefix.")
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS:
            problems.append(f"{variable}: {name!r} is not known; it takes {', '.join(OPTIONS)}.")
        elif name in values:
            problems.append(f"{variable}: {name} stands there twice.")
        elif problem := _problem_with(name, value):
            problems.append(f"{variable}: {name}={value!r}: it {problem}.")
        else:
            values[name] = value
    if not problems:
        fields = {OPTIONS[name]: _SWITCH.get(value, value) for name, value in values.items()}
        options = msgspec.convert({"bucket": bucket, "prefix": prefix, **fields}, S3Options, strict=False)
        problems = [f"{variable}: {sentence}" for sentence in problems_of(options)]
        if not problems:
            return options
    raise SettingsError(problems)


def _problem_with(name: str, value: str) -> str | None:
    """Say what is wrong with one parameter alone."""
    if not value:
        return "is empty"
    field = OPTIONS[name]
    try:
        msgspec.convert({"bucket": "bucket", field: _SWITCH.get(value, value)}, S3Options, strict=False)
    except msgspec.ValidationError:
        return f"must be {_MAY_BE[name]}"
    return None
