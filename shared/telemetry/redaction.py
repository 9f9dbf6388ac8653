"""Takes secrets of callers out of a text: the last thing that is done to each log line. Pure.

Nothing here writes one down on purpose. This is for what nobody thought of: a URL in a library's message, a header in
the words of an exception.
"""

import re

HIDDEN = "***"

# An escaped character (of JSON, or of repr) belongs to what is hidden; a quote that ends the text does not.
_REST = r"""(?:\\[ux][0-9A-Fa-f]+|[^\s&"'\\#<>])*"""
# Nothing says that they begin a word: before them may stand the letter of such an escape (a tab's t).
_SECRETS = re.compile(
    rf"""(?P<kept>
        ticket = (?=.)                               # in a URL
      | wt\d_ (?=[A-Za-z0-9_-]{{16}})             # a ticket by itself (gateway/auth/ticket.py)
      | wb_[0-9a-f]{{16}}_                        # an API key, without its public id (gateway/auth/api_key.py)
      | bearer \s+ (?!realm=)                     # a header, and not the challenge
    ){_REST}""",
    re.IGNORECASE | re.VERBOSE,
)


def without_secrets(text: str) -> str:
    """Hide tickets, bearer credentials and API keys; what is public of them stays."""
    return _SECRETS.sub(rf"\g<kept>{HIDDEN}", text)
