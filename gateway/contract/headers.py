"""The headers of answers, each declared once. Pure."""

from gateway.contract.call import Header, Schema
from shared.limits import MAX_REQUEST_ID_CHARS, POLL_AFTER_SECONDS

_TEXT: Schema = {"type": "string"}
_SECONDS: Schema = {"type": "integer", "minimum": 0, "examples": [POLL_AFTER_SECONDS]}

ACCEPT_RANGES = Header("Accept-Ranges", "Ranges of bytes are given out (RFC 9110 §14.3).", {"const": "bytes"})
ACCESS_CONTROL_ALLOW_CREDENTIALS = Header(
    "Access-Control-Allow-Credentials", "That page may send cookies and `Authorization`.", {"const": "true"}
)
ACCESS_CONTROL_ALLOW_HEADERS = Header(
    "Access-Control-Allow-Headers", "What a page may send; to a browser that asks.", _TEXT
)
ACCESS_CONTROL_ALLOW_METHODS = Header(
    "Access-Control-Allow-Methods", "How a page may call; to a browser that asks.", _TEXT
)
ACCESS_CONTROL_MAX_AGE = Header("Access-Control-Max-Age", "Seconds for which a browser need not ask again.", _SECONDS)
ACCESS_CONTROL_ALLOW_ORIGIN = Header("Access-Control-Allow-Origin", "The page that may read this (CORS).", _TEXT)
ACCESS_CONTROL_EXPOSE_HEADERS = Header(
    "Access-Control-Expose-Headers", "The headers that it may read ([which](#every-call)).", _TEXT
)
ALLOW = Header("Allow", "The methods that this path takes.", _TEXT)
CACHE_CONTROL = Header("Cache-Control", "Whether a copy may be kept (RFC 9111).", _TEXT)
CONTENT_DISPOSITION = Header("Content-Disposition", "The name to save the archive under (RFC 6266).", _TEXT)
CONTENT_RANGE = Header("Content-Range", "Which bytes of how many (RFC 9110 §14.4).", _TEXT)
CONTENT_SECURITY_POLICY = Header(
    "Content-Security-Policy",
    "What is shown of it in a browser loads nothing, and stands in no frame.",
    {"const": "default-src 'none'; frame-ancestors 'none'"},
)
CONTENT_SECURITY_POLICY_OF_PAGE = Header(
    "Content-Security-Policy",
    "The page loads nothing and runs nothing; its own style is let through.",
    {"type": "string", "pattern": "^default-src 'none'; style-src 'sha256-"},
)
CROSS_ORIGIN_RESOURCE_POLICY = Header(
    "Cross-Origin-Resource-Policy",
    "`cross-origin` where pages of others may read answers.",
    {"enum": ["same-origin", "cross-origin"]},
)
ETAG = Header("ETag", "Send it back in `If-None-Match`, as it is.", {"type": "string", "pattern": '^(W/)?".+"$'})
IDEMPOTENCY_KEY_EXPIRES = Header("Idempotency-Key-Expires", "Until when the key is kept: an HTTP date.", _TEXT)
IDEMPOTENT_REPLAYED = Header("Idempotent-Replayed", "This repeats the first answer to the key.", {"const": "true"})
LOCATION = Header("Location", "The path of the job.", {"type": "string", "format": "uri-reference"})
NOSNIFF = Header("X-Content-Type-Options", "The media type is what it says.", {"const": "nosniff"})
PREFERENCE_APPLIED = Header(
    "Preference-Applied", "The wait that was granted (RFC 7240).", {"type": "string", "pattern": "^wait=[0-9]+$"}
)
RATE_LIMIT = Header("RateLimit", "What is left of your limits ([more](#limits)).", _TEXT)
RATE_LIMIT_POLICY = Header("RateLimit-Policy", "Your limits, where some are set.", _TEXT)
REFERRER_POLICY = Header("Referrer-Policy", "No referrer is sent on.", {"const": "no-referrer"})
RETRY_AFTER = Header("Retry-After", "Seconds after which to ask again.", _SECONDS)
SEC_WEBSOCKET_ACCEPT = Header("Sec-WebSocket-Accept", "Shows that `Sec-WebSocket-Key` was read.", _TEXT)
SEC_WEBSOCKET_VERSION = Header("Sec-WebSocket-Version", "The version that is spoken here.", {"const": "13"})
SIGNED_LOCATION = Header("Location", "A URL signed at this moment.", {"type": "string", "format": "uri"})
STRICT_TRANSPORT_SECURITY = Header(
    "Strict-Transport-Security",
    "Come by HTTPS alone (RFC 6797); where operators set it.",
    {"type": "string", "pattern": "^max-age=[0-9]+$"},
)
UPGRADE = Header("Upgrade", "The protocol from here on (RFC 6455 §4.2.2).", {"const": "websocket"})
VARY = Header("Vary", "The request headers that choose the answer.", _TEXT)
WWW_AUTHENTICATE = Header("WWW-Authenticate", "How to say who calls (RFC 6750 §3).", _TEXT)
X_ACCEL_BUFFERING = Header("X-Accel-Buffering", "Proxies that know it pass each frame on at once.", {"const": "no"})
X_REQUEST_ID = Header(
    "X-Request-Id",
    "The id that you sent, or one that was drawn: tell it to the operators.",
    {"type": "string", "pattern": f"^[A-Za-z0-9._~+/=:-]{{1,{MAX_REQUEST_ID_CHARS}}}$"},
)

OF_ANY_ANSWER: tuple[Header, ...] = (
    X_REQUEST_ID, NOSNIFF, REFERRER_POLICY, CONTENT_SECURITY_POLICY, CROSS_ORIGIN_RESOURCE_POLICY,
)  # fmt: skip
"""What every answer has, whatever it is; stands in no row, but where an answer says one of them itself."""

OF_ANY_ANSWER_AT_TIMES: tuple[Header, ...] = (
    STRICT_TRANSPORT_SECURITY, VARY, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
)  # fmt: skip
"""What any answer may have: as the operators have set it, and for pages of other origins."""

OF_REFUSALS: dict[int, tuple[Header, ...]] = {
    401: (WWW_AUTHENTICATE,),
    405: (ALLOW,),
    412: (ETAG, ACCEPT_RANGES),
    416: (ETAG, ACCEPT_RANGES, CONTENT_RANGE),
    429: (RETRY_AFTER,),
    503: (RETRY_AFTER,),
}
"""What each problem of a status has, besides Cache-Control."""

OF_REFUSALS_AT_TIMES: dict[int, tuple[Header, ...]] = {
    400: (SEC_WEBSOCKET_VERSION,),
    403: (WWW_AUTHENTICATE,),
    429: (RATE_LIMIT, RATE_LIMIT_POLICY),
}
"""What some problems of a status have."""
