"""A JSON Web Token: judged against keys and rules (RFC 7519, RFC 8725). Does no I/O but to look at the clock.

Signature, times, issuer and audience are PyJWT's affair. What a caller is told does not repeat what was sent.
"""

from collections.abc import Iterable
from typing import Any

import jwt
import msgspec

from gateway.auth.caller import LOCAL, OWNER_MAY_BE, Caller, Scope, is_owner, known_scopes
from gateway.auth.jwks import SignatureKey
from shared.caller_errors import OwnerRefused, Unauthenticated

SCOPE_PREFIX = "waybill:"
"""Of the scopes in a token, which other services read too: their `admin` must not be ours by chance."""

# What PyJWT and json raise for texts that are no token: nested a thousand deep, numbers that are infinite.
_NO_TOKEN = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class TokenRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a token must say. `issuer` and `audience`: empty ones are not asked for, but a token that
    names an audience is then refused.

    `owner_claim` names the claim with the owner, `scope_claim` that with the scopes; without the latter every good
    token has the scope user.
    """

    issuer: str = ""
    audience: str = ""
    leeway_seconds: int = 0
    owner_claim: str = "sub"
    scope_claim: str = ""


def key_id_of(token: str) -> str | None:
    """Read which key a token names, before anything of it is believed; None when it names none.

    Raises Unauthenticated for what is no token, or must be read in a way that PyJWT does not know (`crit`).
    """
    try:
        key_id: str | None = jwt.get_unverified_header(token).get("kid")
    except _NO_TOKEN:
        raise _refused("This is neither an API key nor a JSON Web Token.") from None
    return key_id


def caller_by_token(token: str, keys: Iterable[SignatureKey], rules: TokenRules) -> Caller:
    """Say who calls with a token that one of the keys has signed. Raises Unauthenticated, OwnerRefused."""
    for key in keys:
        claims = _claims(token, key, rules)
        if claims is not None:
            return _caller(claims, key, rules)
    raise _refused("No key that is trusted here has signed this token.")


def _claims(token: str, key: SignatureKey, rules: TokenRules) -> dict[str, Any] | None:
    """Give what a token claims; None when it was not signed by this key. Raises Unauthenticated."""
    try:
        return jwt.decode(
            token,
            key.material,
            algorithms=[key.algorithm],
            audience=rules.audience or None,
            issuer=rules.issuer or None,
            leeway=rules.leeway_seconds,
            # That the owner's claim is a text is seen by us; the others are nobody's business here.
            options={"require": ["exp"], "verify_sub": False, "verify_jti": False},
        )
    except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
        return None
    # From here on its signature was good: it may be told what is wrong.
    except jwt.ExpiredSignatureError:
        raise _refused("The token has expired. Get a new one.") from None
    except jwt.ImmatureSignatureError:
        raise _refused("The token is not valid yet. Is the clock of its issuer right?") from None
    except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
        raise _refused("The token is of another issuer, or for another audience.") from None
    except jwt.MissingRequiredClaimError as error:
        raise _refused(f"The token has no claim {error.claim!r}.") from None
    except _NO_TOKEN:
        raise _refused("The token cannot be read.") from None


def _caller(claims: dict[str, Any], key: SignatureKey, rules: TokenRules) -> Caller:
    owner = claims.get(rules.owner_claim)
    if not isinstance(owner, str) or not is_owner(owner):
        raise OwnerRefused(
            f"The token's claim {rules.owner_claim!r} is no owner. It must be {OWNER_MAY_BE}. Tell the operators."
        )
    if owner == LOCAL.owner:
        raise OwnerRefused(f"The owner {owner!r} is whoever called before there was authentication; no token is that.")
    if rules.owner_claim == "email" and claims.get("email_verified") is not True:
        raise OwnerRefused("The token's email is not said to be verified (email_verified): it may be anybody's.")
    scopes = known_scopes(claims.get(rules.scope_claim), prefix=SCOPE_PREFIX) if rules.scope_claim else {Scope.USER}
    return Caller(owner, frozenset(scopes), f"jwt:{key.key_id}" if key.key_id else "jwt")


def _refused(sentence: str) -> Unauthenticated:
    return Unauthenticated(sentence, is_refused=True)
