"""What an S3 server's refusals mean, in sentences that name the object and say what to do. Pure.

Codes: Amazon S3 API Reference, "Error responses"; those of other servers are named where they differ. What a server
writes beside its code is passed on only where it cannot hold a secret.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from shared.errors import (
    ObjectArchived,
    ObjectChanged,
    ObjectError,
    ObjectForbidden,
    ObjectMissing,
    StoreFull,
    StoreRefused,
    StoreUnavailable,
    UploadInvalid,
)
from shared.objects.s3_login import Login

MAX_SERVER_WORDS_CHARS = 200

_BUSY = frozenset(
    "SlowDown SlowDownRead SlowDownWrite ServiceUnavailable InternalError InternalFailure RequestTimeout Throttling "
    "ThrottlingException RequestLimitExceeded BandwidthLimitExceeded OperationAborted TooManyRequests "
    "ServerNotInitialized XMinioServerNotInitialized 429 500 502 503 504".split()
)
_DAMAGED = frozenset(
    "BadDigest InvalidDigest InvalidChecksum XAmzContentSHA256Mismatch XAmzContentChecksumMismatch "
    "IncompleteBody".split()
)
_WRONG_KEY = frozenset(
    "InvalidAccessKeyId InvalidAccessKey InvalidToken ExpiredToken ExpiredTokenException TokenRefreshRequired "
    "UnrecognizedClientException InvalidClientTokenId InvalidSecurity XAdminUserNotFound".split()
)
_WRONG_REGION = frozenset(
    "AuthorizationHeaderMalformed PermanentRedirect TemporaryRedirect IllegalLocationConstraintException "
    "301 307".split()
)
_FULL = frozenset(
    "InsufficientStorage QuotaExceeded XMinioStorageFull XMinioAdminBucketQuotaExceeded StorageFull 507".split()
)
_NO_SUCH_PART = frozenset("InvalidPart InvalidPartOrder EntityTooSmall".split())
_DEEDS = {
    "head": "look up",
    "create": "begin the upload of",
    "upload": "upload a part of",
    "complete": "complete the upload of",
    "abort": "abort the upload of",
    "list": "list the uploads of",
    "list parts": "list the parts of the upload of",
}
_PERMISSIONS = {
    "head": "s3:GetObject",
    "read": "s3:GetObject",
    "delete": "s3:DeleteObject",
    "abort": "s3:AbortMultipartUpload",
    "list": "s3:ListBucketMultipartUploads",
    "list parts": "s3:ListMultipartUploadParts",
    "look at": "s3:ListBucket",
}


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What a server said: its code (a bare status where it had none), its words, and its clock (HTTP `Date`).

    `action` is one of head, read, create, upload, complete, abort, delete, list, list parts, look at. `key` is the
    store's: the bucket has the object under `prefix` and key. `login`: the keys' origin.
    """

    code: str
    status: int
    words: str = ""
    date: str | None = None
    action: str
    key: str
    bucket: str
    place: str
    login: Login = Login()
    prefix: str = ""

    @property
    def where(self) -> str:
        """Name the object for people."""
        return f"{self.prefix}{self.key} in the bucket {self.bucket}" if self.key else f"the bucket {self.bucket}"


def deed(action: str) -> str:
    """Say for people what an action does to the object that is named next."""
    return _DEEDS.get(action, action)


def explain(refusal: Refusal, *, now: datetime | None = None) -> ObjectError:
    """Turn a refusal into one of our errors; `now` is this machine's clock, to compare with the server's."""
    return (
        _about_object(refusal)
        or _about_access(refusal, now)
        or _about_set_up(refusal)
        or _about_the_moment(refusal)
        or _unknown(refusal)
    )


def _about_object(refusal: Refusal) -> ObjectError | None:
    key, where = refusal.key, refusal.where
    match refusal.code:
        case "NoSuchKey" | "404":
            return ObjectMissing(f"There is no object {where}.", key=key)
        case "PreconditionFailed" | "412" | "InvalidRange" | "416":
            return ObjectChanged(f"The object {where} changed while it was being used.", key=key)
        case "NoSuchUpload":
            sentence = f"The upload of {where} does not exist any more: it was aborted, or a lifecycle rule removed it."
            return UploadInvalid(sentence, key=key)
        case "InvalidObjectState":
            return archived(refusal)
    # InvalidRequest: a part that came with a checksum, and is named without it.
    if refusal.code in _NO_SUCH_PART or (refusal.action == "complete" and refusal.code == "InvalidRequest"):
        sentence = f"The upload of {where} cannot be completed: the store does not have the parts as they were sent"
        return UploadInvalid(f"{sentence} ({refusal.code}).", key=key)
    return None


def archived(refusal: Refusal, storage_class: str = "an archive class") -> ObjectArchived:
    """Say that an object cannot be read before somebody restores it."""
    sentence = f"The object {refusal.where} lies in {storage_class} and cannot be read. Restore it first."
    return ObjectArchived(sentence, key=refusal.key)


def _about_access(refusal: Refusal, now: datetime | None) -> ObjectError | None:
    key, where = refusal.key, refusal.where
    if refusal.code in ("AccessDenied", "AllAccessDisabled", "403", "401", "MethodNotAllowed", "Forbidden"):
        needed = _PERMISSIONS.get(refusal.action, "s3:PutObject")
        sentence = f"The store forbids this service to {deed(refusal.action)} {where}. Grant it {needed}"
        hint = ", or the file does not exist and s3:ListBucket is not granted" if needed == "s3:GetObject" else ""
        return ObjectForbidden(f"{sentence}{hint}.", key=key)
    if refusal.code == "SignatureDoesNotMatch":
        sentence = (
            f"The store does not accept the signature of this service ({where}): the secret access key is wrong, or a "
            f"proxy changes Host or path of its requests. Check {refusal.login.secret}."
        )
        return StoreRefused(sentence, key=key)
    if refusal.code in _WRONG_KEY:
        sentence = (
            f"The store does not know the credentials of this service ({where}; {refusal.code}). "
            f"Check {refusal.login.access_key}."
        )
        return StoreRefused(sentence, key=key)
    if refusal.code in ("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"):
        sentence = f"The store refuses requests about {where}: {_skew(refusal, now)}. Set this machine's clock (NTP)."
        return StoreRefused(sentence, key=key)
    return None


def _skew(refusal: Refusal, now: datetime | None) -> str:
    try:
        theirs = parsedate_to_datetime(refusal.date or "").astimezone(UTC)
    except (TypeError, ValueError):
        return "the clocks of the two differ too much"
    if now is None:
        return "the clocks of the two differ too much"
    seconds = round((now - theirs).total_seconds())
    return f"this machine's clock is {abs(seconds):,} s {'ahead of' if seconds > 0 else 'behind'} the store's"


def _about_set_up(refusal: Refusal) -> ObjectError | None:
    key, where = refusal.key, refusal.where
    if refusal.code in ("NoSuchBucket", "InvalidBucketName"):
        asked = f" (asked for {key})" if key else ""
        sentence = f"The bucket {refusal.bucket} does not exist at {refusal.place}{asked}."
        return StoreRefused(f"{sentence} Check the bucket's name, the endpoint and the region.", key=key)
    if refusal.code in _WRONG_REGION:
        sentence = f"The bucket {refusal.bucket} does not belong to the region that requests are signed for"
        return StoreRefused(f"{sentence} ({refusal.code}; asked for {key or 'itself'}). Set its region.", key=key)
    if refusal.code.startswith(("KMS.", "Kms")):
        sentence = (
            f"The store cannot use the encryption key of {where} ({refusal.code}). Check the KMS key and its policy."
        )
        return StoreRefused(sentence, key=key)
    if refusal.code in _FULL:
        sentence = f"The object store has no room left for {where}. Free some, or wait for old bundles to go."
        return StoreFull(sentence, key=key)
    if refusal.code == "NotImplemented":
        sentence = (
            f"The server at {refusal.place} lacks what is needed to {deed(refusal.action)} {where}: {_words(refusal)}"
        )
        return StoreRefused(f"{sentence} If it means checksums, set checksums=off.", key=key)
    return None


def _about_the_moment(refusal: Refusal) -> ObjectError | None:
    if refusal.code in _DAMAGED:
        sentence = f"What was sent of {refusal.where} arrived damaged: the store's checksum is another one"
        return StoreUnavailable(f"{sentence} ({refusal.code}).", key=refusal.key)
    if refusal.code in _BUSY or refusal.status >= 500 or refusal.status == 429:
        sentence = f"The store cannot {deed(refusal.action)} {refusal.where} at the moment ({refusal.code})."
        return StoreUnavailable(sentence, key=refusal.key)
    return None


def _unknown(refusal: Refusal) -> ObjectError:
    sentence = f"The store refused to {deed(refusal.action)} {refusal.where} ({refusal.code}): {_words(refusal)}"
    return StoreRefused(sentence, key=refusal.key)


def _words(refusal: Refusal) -> str:
    return refusal.words[:MAX_SERVER_WORDS_CHARS].rstrip(".") + "."
