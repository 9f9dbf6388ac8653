"""Takes secrets of callers out of a text: the last thing that is done to each log line. Pure.

Nothing here writes one down on purpose. This is for what nobody thought of: a URL in a library's message, a header in
the words of an exception.
"""

import re

HIDDEN = "***"

# An escaped character (of JSON, or of repr) belongs to what is hidden; a quote that ends the text does not.
_REST = r"""(?:\\[ux][0-9A-Fa-f]+|[^\s&"'\\#<>])*"""
_IS = r"(?:=|%3D)"
# What may stand between a scheme and its credential: a space as headers, URLs, JSON and repr write it.
_GAP = r"(?:\s|\+|%20|%09|\\+[tnr]|\\+u00(?:20|09))++"
# Nothing says that they begin a word: before them may stand the letter of such an escape (a tab's t). The first line
# says the same once more, by first letters: most places of a line are passed over at once.
_SECRETS = re.compile(
    rf"""(?=[twbexs])(?P<kept>
        ticket {_IS} (?=.)                           # in a URL
      | wt\d_ (?=[A-Za-z0-9_-]{{16}})             # a ticket by itself (shared/ticket.py)
      | wb_[0-9a-f]{{16}}_                        # an API key, without its public id (gateway/auth/api_key.py)
      | whsec_ (?=[A-Za-z0-9+/]{{16}})             # a secret of callbacks (shared/callbacks/signing_secret.py)
      | bearer {_GAP} (?!realm=)                    # a header, and not the challenge
      | (?-i:eyJ) (?=[\w-]{{16}})                 # a JSON Web Token by itself: an object in base64 (RFC 7515 §3.1)
      | x-amz-(?:signature|security-token) {_IS}    # in a URL that S3 takes (SigV4)
      | signature {_IS} (?=[\w~%/+-]{{16}})         # in one that CloudFront takes, and in AWS' header
    ){_REST}""",
    re.IGNORECASE | re.VERBOSE,
)


def without_secrets(text: str) -> str:
    """Hide tickets, bearer credentials, tokens, API keys and signatures of URLs; what is public of them stays."""
    return _SECRETS.sub(rf"\g<kept>{HIDDEN}", text)
