from datetime import UTC, datetime

import msgspec
import pytest

from shared import errors
from shared.objects.s3_errors import Refusal, explain
from shared.objects.s3_login import Login


def refusal(code: str, *, status: int = 400, action: str = "read", words: str = "", date: str | None = None) -> Refusal:
    return Refusal(
        code=code,
        status=status,
        words=words,
        date=date,
        action=action,
        key="p/a.bin",
        bucket="bundles",
        place="https://s3.example",
    )


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        ("NoSuchKey", errors.ObjectMissing, "There is no object"),
        ("NoSuchBucket", errors.StoreRefused, "Check the bucket's name, the endpoint and the region"),
        ("AccessDenied", errors.ObjectForbidden, "Grant it s3:GetObject"),
        ("SignatureDoesNotMatch", errors.StoreRefused, "Check AWS_SECRET_ACCESS_KEY"),
        ("InvalidAccessKeyId", errors.StoreRefused, "Check AWS_ACCESS_KEY_ID"),
        ("ExpiredToken", errors.StoreRefused, "AWS_SESSION_TOKEN"),
        ("RequestTimeTooSkewed", errors.StoreRefused, "Set this machine's clock"),
        ("PreconditionFailed", errors.ObjectChanged, "changed while it was being used"),
        ("InvalidRange", errors.ObjectChanged, "changed"),
        ("NoSuchUpload", errors.UploadInvalid, "does not exist any more"),
        ("InvalidPart", errors.UploadInvalid, "does not have the parts"),
        ("InvalidObjectState", errors.ObjectArchived, "Restore it first"),
        ("SlowDown", errors.StoreUnavailable, "at the moment"),
        ("BadDigest", errors.StoreUnavailable, "arrived damaged"),
        ("XMinioStorageFull", errors.StoreFull, "no room left"),
        ("KMS.DisabledException", errors.StoreRefused, "Check the KMS key"),
        ("PermanentRedirect", errors.StoreRefused, "Set its region"),
        ("NotImplemented", errors.StoreRefused, "checksums=off"),
        ("SomethingElse", errors.StoreRefused, "(SomethingElse)"),
    ],
)
def test_each_refusal_names_object_and_bucket_and_says_what_to_do(
    code: str, kind: type[errors.ObjectError], advice: str
) -> None:
    error = explain(refusal(code))

    assert type(error) is kind
    assert "p/a.bin" in error.message
    assert "bundles" in error.message
    assert advice in error.message


@pytest.mark.parametrize(
    ("login", "secret", "key"),
    [
        (Login(), "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        (Login(variables="WAYBILL_SOURCES"), "WAYBILL_SOURCES_SECRET_ACCESS_KEY", "WAYBILL_SOURCES_ACCESS_KEY_ID"),
        (Login(method="shared-credentials-file"), "the AWS credentials file", "the AWS credentials file"),
        (Login(profile="archive", method="sso"), "the profile archive", "aws sso login"),
        (Login(method="iam-role"), "the role of this machine", "the role of this machine"),
    ],
)
def test_wrong_keys_are_called_by_the_name_of_where_they_came_from(login: Login, secret: str, key: str) -> None:
    wrong_secret = msgspec.structs.replace(refusal("SignatureDoesNotMatch"), login=login)
    wrong_key = msgspec.structs.replace(refusal("InvalidAccessKeyId"), login=login)

    assert f"Check {secret}" in explain(wrong_secret).message.replace("Check the keys in ", "Check ")
    assert key in explain(wrong_key).message


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_what_a_server_cannot_do_now_may_be_tried_again(status: int) -> None:
    assert isinstance(explain(refusal("Whatever", status=status)), errors.StoreUnavailable)


@pytest.mark.parametrize(
    ("action", "permission"), [("upload", "s3:PutObject"), ("delete", "s3:DeleteObject"), ("head", "s3:GetObject")]
)
def test_a_missing_permission_is_named_after_the_call(action: str, permission: str) -> None:
    assert f"Grant it {permission}" in explain(refusal("AccessDenied", action=action)).message


@pytest.mark.parametrize(
    ("hour", "words"), [(13, "clock is 3,600 s ahead of the store's"), (11, "clock is 3,600 s behind the store's")]
)
def test_a_wrong_clock_is_measured(hour: int, words: str) -> None:
    skewed = refusal("RequestTimeTooSkewed", date="Mon, 23 Nov 2026 12:00:00 GMT")

    assert words in explain(skewed, now=datetime(2026, 11, 23, hour, tzinfo=UTC)).message


@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "InvalidAccessKeyId", "AccessDenied"])
def test_the_words_of_a_server_about_keys_are_not_passed_on(code: str) -> None:
    assert "AKIAEXAMPLE" not in explain(refusal(code, words="The key AKIAEXAMPLE is unknown")).message


def test_long_words_are_cut() -> None:
    assert len(explain(refusal("SomethingElse", words="x" * 10_000)).message) < 400
