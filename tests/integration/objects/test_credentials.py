"""Whose keys a store is used with: its own, a profile's, a web identity's; and how it connects by HTTPS."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError

from shared.environment import load
from shared.errors import ObjectError, ObjectForbidden, SettingsError, StoreRefused
from shared.objects.location import S3Options
from shared.objects.opening import open_store
from shared.objects.s3_credentials import LateCredentials
from shared.processor_settings import ProcessorSettings
from tests.integration.objects.uploads import put, read_all
from tests.support.certificates import Authority
from tests.support.depots import S3Depot
from tests.support.s3_server import ACCESS_KEY, SECRET_KEY, Certificate, S3Server, require_s3_server, running_server


@pytest.fixture
def bring_file(tmp_path: Path) -> Callable[[], object]:
    """Put right keys into the credentials file, once it is called."""
    keys = f"aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    return lambda: (tmp_path / "credentials").write_text(f"[default]\n{keys}")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which AWS clients find no keys at all."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def without_keys(options: S3Options, **changed: Any) -> S3Options:
    """Leave the keys to AWS clients' own ways."""
    return msgspec.structs.replace(options, access_key_id=None, secret_access_key=None, **changed)


async def why_not(options: S3Options) -> ObjectError:
    """Give what is said when an object is asked for."""
    async with open_store(options) as store:
        with pytest.raises(ObjectError) as caught:
            await store.head("a")
    assert SECRET_KEY not in caught.value.message
    return caught.value


# ── keys of each store ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_two_stores_are_used_by_two_users_who_may_use_one_bucket_each(s3_server: S3Server) -> None:
    environment: dict[str, str] = {}
    for name in ("SOURCES", "OBJECTS"):
        bucket, user, secret = s3_server.new_bucket(), f"user-of-{name.lower()}", f"secret-of-{name.lower()}"
        s3_server.add_user(user, secret)
        s3_server.give(bucket, user)
        environment |= {
            f"WAYBILL_{name}_URL": f"s3://{bucket}?endpoint={s3_server.url}&style=path",
            f"WAYBILL_{name}_ACCESS_KEY_ID": user,
            f"WAYBILL_{name}_SECRET_ACCESS_KEY": secret,
        }
    settings = load(ProcessorSettings, environment)
    sources_url, objects_url = environment["WAYBILL_SOURCES_URL"], environment["WAYBILL_OBJECTS_URL"]
    exchanged = {"WAYBILL_SOURCES_URL": objects_url, "WAYBILL_OBJECTS_URL": sources_url}
    swapped = load(ProcessorSettings, environment | exchanged)

    async with open_store(settings.sources) as sources, open_store(settings.objects) as objects:
        await put(sources, "a", b"hello")
        await put(objects, "a", await read_all(sources, "a"))
        assert await read_all(objects, "a") == b"hello"
    async with open_store(swapped.objects) as forbidden:
        with pytest.raises(ObjectForbidden, match="Grant it s3:GetObject"):
            await forbidden.head("a")


@pytest.mark.parametrize("variables", ["WAYBILL_SOURCES", "WAYBILL_OBJECTS"])
async def test_wrong_keys_are_told_by_the_variables_of_their_store(s3_depot: S3Depot, variables: str) -> None:
    own = msgspec.structs.replace(s3_depot.location, key_variables=variables)

    wrong_secret = await why_not(msgspec.structs.replace(own, secret_access_key="a-wrong-one"))
    wrong_key = await why_not(msgspec.structs.replace(own, access_key_id="nobody"))

    assert f"Check {variables}_SECRET_ACCESS_KEY." in wrong_secret.message
    assert f"Check {variables}_ACCESS_KEY_ID, " in wrong_key.message


# ── profiles ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_named_profile_goes_before_the_variables_of_aws(
    s3_depot: S3Depot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3_depot.put("a", b"hello")
    keys = f"aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    (tmp_path / "credentials").write_text(f"[archive]\n{keys}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")

    async with open_store(without_keys(s3_depot.location, profile="archive")) as store:
        assert (await store.head("a")).size_bytes == 5


async def test_wrong_keys_of_a_profile_are_told_with_its_name(s3_depot: S3Depot, tmp_path: Path) -> None:
    keys = f"aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = a-wrong-one\n"
    (tmp_path / "credentials").write_text(f"[archive]\n{keys}")

    error = await why_not(without_keys(s3_depot.location, profile="archive"))

    assert "Check the profile archive of the AWS config files" in error.message


async def test_a_profile_that_is_in_no_file_stops_the_start_with_its_name(s3_depot: S3Depot) -> None:
    with pytest.raises(SettingsError, match=r"The config profile \(archive\) could not be found.*profile=archive"):
        async with open_store(without_keys(s3_depot.location, profile="archive")):
            pass


# ── keys that come late ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_half_a_pair_of_variables_stops_no_start_and_is_told(
    s3_depot: S3Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)

    error = await why_not(without_keys(s3_depot.location))

    assert isinstance(error, StoreRefused)
    assert "AWS_SECRET_ACCESS_KEY" in error.message


async def test_keys_that_appear_after_the_start_are_found_without_a_restart(
    s3_depot: S3Depot, bring_file: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.limits.CREDENTIALS_EVERY_SECONDS", 0)
    s3_depot.put("a", b"hello")

    async with open_store(without_keys(s3_depot.location)) as store:
        with pytest.raises(StoreRefused, match="has no credentials"):
            await store.head("a")
        bring_file()

        assert (await store.head("a")).size_bytes == 5


async def test_missing_keys_are_told_with_the_variables_of_their_store(s3_depot: S3Depot) -> None:
    error = await why_not(without_keys(s3_depot.location, key_variables="WAYBILL_OBJECTS"))

    assert "Set WAYBILL_OBJECTS_ACCESS_KEY_ID and WAYBILL_OBJECTS_SECRET_ACCESS_KEY, or" in error.message


@pytest.mark.parametrize(("status", "kind"), [(403, CredentialRetrievalError), (503, ClientError)])
async def test_a_refusal_of_the_token_service_is_not_taken_for_one_of_the_store(
    status: int, kind: type[Exception]
) -> None:
    class Refused:
        method = "assume-role"

        async def get_frozen_credentials(self) -> None:
            answer: Any = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(answer, "AssumeRole")

    class Finds:
        async def load_credentials(self) -> Refused:
            return Refused()

    with pytest.raises(kind, match="AccessDenied"):
        await LateCredentials(Finds()).get_frozen_credentials()


async def test_a_chain_that_finds_nothing_is_not_asked_for_every_request() -> None:
    asked: list[None] = []

    class Empty:
        async def load_credentials(self) -> None:
            asked.append(None)

    late = LateCredentials(Empty())

    assert [await late.get_frozen_credentials() for _ in range(3)] == [None, None, None]
    assert len(asked) == 1


# ── web identity ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def bring_token(moto_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], object]:
    """A machine like a pod of EKS: a role, and a token in a file, once it is called; moto is its token service."""
    token_file = tmp_path / "token"
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/waybill")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token_file))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto_url)
    return lambda: token_file.write_text("a-token")


async def test_a_web_identity_is_exchanged_for_keys(moto_depot: S3Depot, bring_token: Callable[[], object]) -> None:
    bring_token()
    moto_depot.put("a", b"hello")

    async with open_store(without_keys(moto_depot.location)) as store:
        assert (await store.head("a")).size_bytes == 5
        url = await store.link("a", content_disposition="x", content_type="text/plain", longest_seconds=60)

    assert url is not None
    assert "X-Amz-Security-Token=" in url  # the keys are the temporary ones of the role


async def test_a_token_file_that_is_not_there_yet_stops_no_start(
    moto_depot: S3Depot, bring_token: Callable[[], object]
) -> None:
    moto_depot.put("a", b"hello")

    async with open_store(without_keys(moto_depot.location)) as store:
        with pytest.raises(StoreRefused, match=r"/token'. Check the role in AWS_ROLE_ARN"):
            await store.head("a")
        bring_token()

        assert (await store.head("a")).size_bytes == 5


# ── HTTPS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def https_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[S3Server, Certificate]]:
    """The real server, with a certificate of an authority that nobody knows."""
    authority = Authority(tmp_path_factory.mktemp("https") / "authority")
    certificate = Certificate(*authority.issue("server"), ca_file=authority.ca_file)
    with running_server(require_s3_server(), certificate) as server:
        yield server, certificate


async def test_a_server_of_an_own_authority_is_used_with_its_ca(
    https_server: tuple[S3Server, Certificate],
) -> None:
    server, certificate = https_server

    async with open_store(server.options(server.new_bucket(), ca_bundle=str(certificate.ca_file))) as store:
        await put(store, "a", b"hello")
        assert await read_all(store, "a") == b"hello"


async def test_a_certificate_of_an_unknown_authority_is_told_as_one(
    https_server: tuple[S3Server, Certificate], tmp_path: Path
) -> None:
    server, _ = https_server
    bucket = server.new_bucket()
    stranger = Authority(tmp_path / "stranger").ca_file

    for options in (server.options(bucket), server.options(bucket, ca_bundle=str(stranger))):
        error = await why_not(options)
        assert isinstance(error, StoreRefused)
        assert f"The certificate of {server.url} is not trusted here" in error.message
