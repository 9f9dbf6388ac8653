import pytest

from shared.errors import SettingsError
from shared.objects.location import DirectoryOptions, Keys, S3Options, StoreLocation, parse_location, with_keys


def parse(url: str) -> object:
    return parse_location(url, variable="WAYBILL_OBJECTS_URL")


def test_a_directory_is_an_absolute_path() -> None:
    assert parse("file:///srv/with%20space/objects") == DirectoryOptions("/srv/with space/objects")


def test_a_bucket_alone_is_amazons() -> None:
    assert parse("s3://bundles") == S3Options(bucket="bundles")


def test_every_parameter_reaches_its_field() -> None:
    url = (
        "s3://bundles/tenant/a/?endpoint=https://minio.example:9000&public_endpoint=https://files.example.com"
        "&region=eu-central-1&profile=archive&style=path&ca=/etc/ca.pem&checksums=off&sse=aws:kms&kms_key=alias/waybill"
        "&links=cloudfront&link_seconds=60&cdn=https://cdn.example.com&cloudfront_key_id=K1&cloudfront_key_file=/k.pem"
    )

    assert parse(url) == S3Options(
        bucket="bundles",
        prefix="tenant/a",
        endpoint_url="https://minio.example:9000",
        public_endpoint_url="https://files.example.com",
        region="eu-central-1",
        profile="archive",
        addressing_style="path",
        ca_bundle="/etc/ca.pem",
        checksums=False,
        sse="aws:kms",
        sse_kms_key_id="alias/waybill",
        links="cloudfront",
        link_seconds=60,
        cdn_url="https://cdn.example.com",
        cloudfront_key_id="K1",
        cloudfront_key_file="/k.pem",
    )


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("/srv/objects", "must be a URL such as file:///srv/waybill/objects or s3://bucket/prefix"),
        ("https://bucket.s3.amazonaws.com", "must be a URL such as"),
        ("file://objects", "written as file:///an/absolute/path"),
        ("s3://", "='s3://' names no bucket; write s3://bucket/prefix"),
        ("s3:/nobucket", "='s3:/nobucket' names no bucket; write s3://bucket/prefix"),
        ("s3://bundles?style=pat", "style='pat': it must be one of auto, path, virtual"),
        ("s3://bundles?sse=yes", "sse='yes': it must be one of AES256, aws:kms"),
        ("s3://bundles?links=direct", "links='direct': it must be one of presigned, cloudfront, domain, gateway"),
        ("s3://bundles?checksums=no", "checksums='no': it must be one of on, off"),
        ("s3://bundles?link_seconds=0", "link_seconds='0': it must be a whole number from 1 to 604,800"),
        ("s3://bundles?endpoint=minio", "endpoint='minio': it must be an http:// or https:// address"),
        ("s3://bundles?region=Frankfurt!", "region='Frankfurt!': it must be the name of a region"),
        ("s3://a_bucket!", "'a_bucket!' is not the name of a bucket"),
        ("s3://bundles/../other", "only dots"),
        ("s3://bundles?regoin=eu", "'regoin' is not known; it takes endpoint, public_endpoint, region"),
        ("s3://bundles?region=", "region='': it is empty"),
        ("s3://bundles?region=a&region=b", "region stands there twice"),
        ("s3://bundles?endpoint=minio:9000", "endpoint='minio:9000': "),
        ("s3://bundles?endpoint=https://user:pw@minio", "endpoint='https://user:pw@minio': "),
        ("s3://bundles?style=virtual-hosted", "style='virtual-hosted': "),
        ("s3://bundles?link_seconds=999999999", "link_seconds='999999999': "),
        ("s3://bundles?checksums=maybe", "checksums='maybe': "),
        ("s3://bundles?sse=AES256&kms_key=x", "sse_kms_key_id is used with sse=aws:kms only"),
        ("s3://bundles?links=domain", "links=domain needs cdn_url"),
        ("s3://bundles?links=cloudfront&cdn=https://cdn", "needs cloudfront_key_id and cloudfront_key_file"),
    ],
)
def test_a_wrong_url_is_told_with_its_variable_and_the_way_out(url: str, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(url)

    [sentence] = caught.value.problems
    assert sentence.startswith("WAYBILL_OBJECTS_URL")
    assert problem in sentence


def test_a_login_in_the_url_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        parse("s3://AKIAEXAMPLE:hush@bundles")

    assert "WAYBILL_OBJECTS_ACCESS_KEY_ID" in caught.value.message
    assert "hush" not in caught.value.message


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse("s3://x?style=a&sse=b")

    assert len(caught.value.problems) == 3


def test_secrets_are_not_shown() -> None:
    options = S3Options(bucket="bundles", access_key_id="id", secret_access_key="hush", session_token="hush")

    assert "hush" not in f"{options} {options!r}"


def test_keys_of_its_own_go_with_the_store_and_are_called_by_their_variables() -> None:
    found = with_keys(S3Options(bucket="bundles"), Keys("WAYBILL_OBJECTS", "id", "hush", "token"))

    assert isinstance(found, S3Options)
    assert (found.access_key_id, found.secret_access_key, found.session_token) == ("id", "hush", "token")
    assert found.key_variables == "WAYBILL_OBJECTS"


def test_a_store_without_keys_of_its_own_knows_only_what_they_would_be_called() -> None:
    found = with_keys(S3Options(bucket="bundles"), Keys("WAYBILL_OBJECTS"))

    assert found == S3Options(bucket="bundles", key_variables="WAYBILL_OBJECTS")
    assert with_keys(DirectoryOptions("/srv"), Keys("WAYBILL_OBJECTS")) == DirectoryOptions("/srv")


BUCKET = S3Options(bucket="bundles")
BUCKET_OF_PROFILE = S3Options(bucket="bundles", profile="p")


@pytest.mark.parametrize(
    ("location", "keys", "named"),
    [
        (BUCKET, Keys("X", access_key_id="hush"), ("X_ACCESS_KEY_ID", "X_SECRET_ACCESS_KEY")),
        (BUCKET, Keys("X", secret_access_key="hush"), ("X_SECRET_ACCESS_KEY", "X_ACCESS_KEY_ID")),
        (BUCKET, Keys("X", session_token="hush"), ("X_SESSION_TOKEN", "X_ACCESS_KEY_ID and X_SECRET_ACCESS_KEY")),
        (
            S3Options(bucket="bundles", profile="p"),
            Keys("X", "hush", "hush"),
            ("X_ACCESS_KEY_ID", "X_URL names profile=p"),
        ),
        (DirectoryOptions("/srv"), Keys("X", "hush", "hush"), ("X_ACCESS_KEY_ID", "X_URL names no S3 bucket")),
    ],
)
def test_keys_that_do_not_fit_are_refused_with_both_variables(
    location: StoreLocation, keys: Keys, named: tuple[str, str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        with_keys(location, keys)

    [sentence] = caught.value.problems
    assert all(name in sentence for name in named)
    assert "hush" not in sentence
    assert "hush" not in repr(keys)
