"""The headers of answers, each declared once. Pure."""

from gateway.contract.call import Header, Schema
from shared.limits import POLL_AFTER_SECONDS

_TEXT: Schema = {"type": "string"}
_SECONDS: Schema = {"type": "integer", "minimum": 0, "examples": [POLL_AFTER_SECONDS]}

ACCEPT_RANGES = Header("Accept-Ranges", "Ranges of bytes are given out (RFC 9110 §14.3).", {"const": "bytes"})
ALLOW = Header("Allow", "The methods that this path takes.", _TEXT)
CACHE_CONTROL = Header("Cache-Control", "Whether a copy may be kept (RFC 9111).", _TEXT)
CONTENT_DISPOSITION = Header("Content-Disposition", "The name to save the archive under (RFC 6266).", _TEXT)
CONTENT_RANGE = Header("Content-Range", "Which bytes of how many (RFC 9110 §14.4).", _TEXT)
CONTENT_SECURITY_POLICY = Header("Content-Security-Policy", "The page loads nothing and runs nothing.", _TEXT)
ETAG = Header("ETag", "Send it back in `If-None-Match`, as it is.", {"type": "string", "pattern": '^(W/)?".+"$'})
IDEMPOTENCY_KEY_EXPIRES = Header("Idempotency-Key-Expires", "Until when the key is kept: an HTTP date.", _TEXT)
IDEMPOTENT_REPLAYED = Header("Idempotent-Replayed", "This repeats the first answer to the key.", {"const": "true"})
LOCATION = Header("Location", "The path of the job.", {"type": "string", "format": "uri-reference"})
NOSNIFF = Header("X-Content-Type-Options", "The media type is what it says.", {"const": "nosniff"})
PREFERENCE_APPLIED = Header(
    "Preference-Applied", "The wait that was granted (RFC 7240).", {"type": "string", "pattern": "^wait=[0-9]+$"}
)
REFERRER_POLICY = Header("Referrer-Policy", "No referrer is sent on.", {"const": "no-referrer"})
RETRY_AFTER = Header("Retry-After", "Seconds after which to ask again.", _SECONDS)
SIGNED_LOCATION = Header("Location", "A URL signed at this moment.", {"type": "string", "format": "uri"})
VARY = Header("Vary", "The request headers that choose the answer.", _TEXT)
WWW_AUTHENTICATE = Header("WWW-Authenticate", "How to say who calls (RFC 6750 §3).", _TEXT)
X_ACCEL_BUFFERING = Header("X-Accel-Buffering", "Proxies that know it pass each frame on at once.", {"const": "no"})

OF_ANY_ANSWER: tuple[Header, ...] = ()
"""What every answer has, whatever it is; stands in no row."""

OF_ANY_ANSWER_AT_TIMES: tuple[Header, ...] = ()
"""What any answer may have."""

OF_REFUSALS: dict[int, tuple[Header, ...]] = {
    401: (WWW_AUTHENTICATE,),
    405: (ALLOW,),
    412: (ETAG, ACCEPT_RANGES, NOSNIFF),
    416: (ETAG, ACCEPT_RANGES, NOSNIFF, CONTENT_RANGE),
    503: (RETRY_AFTER,),
}
"""What each problem of a status has, besides Cache-Control."""

OF_REFUSALS_AT_TIMES: dict[int, tuple[Header, ...]] = {403: (WWW_AUTHENTICATE,)}
"""What some problems of a status have."""
