"""Bearer tokens (RFC 6750): JSON Web Tokens that an OpenID Connect provider has signed, and what they say."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import jwt
from anyio import to_thread

from seed_pipelines.errors import Unauthenticated

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
"""Signatures that are believed; none by a shared secret."""
SUBJECT_PREFIX: Final = "token:"
"""Of a token's subject in the grants, so that no token can be mistaken for a login of the database."""

_LEEWAY_SECONDS: Final = 5
_REMEMBERED_SECONDS: Final = 60.0
_MOST_REMEMBERED: Final = 1_024
_REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub"]
_REFUSAL: Final = "The request needs a bearer token of this deployment's issuer that holds now."


class KeySource(Protocol):
    """Where the public keys of the issuer come from."""

    def key(self, key_id: str) -> jwt.PyJWK | None:
        """The key of an id, None if there is none; IdentityUnavailable."""


@dataclass(frozen=True)
class Token:
    """What a token says."""

    subject: str
    """As it stands in the grants."""
    tenant_id: UUID
    environment: str
    roles: tuple[str, ...]
    """The only ones that it may be used for; none for all that its subject was granted."""
    holds_until: float
    """Seconds since 1970, the leeway included."""


@dataclass(frozen=True)
class TokenVerifier:
    """Believes the tokens of one issuer for one audience."""

    keys: KeySource
    issuer: str
    audience: str

    def verify(self, authorization: str | None) -> Token:
        """The token in an Authorization header; Unauthenticated, without a reason, or IdentityUnavailable."""
        scheme, _, credentials = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated(_REFUSAL)
        try:
            return _token(self._claims(credentials.strip()))
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unauthenticated(_REFUSAL, error="invalid_token") from error

    def _claims(self, encoded: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(encoded)
        key = self.keys.key(str(header.get("kid", "")))
        if key is None or key.algorithm_name not in ALGORITHMS:
            raise jwt.InvalidKeyError("no such key")
        return jwt.decode(
            encoded,
            key,
            algorithms=[key.algorithm_name],
            issuer=self.issuer,
            audience=self.audience,
            leeway=_LEEWAY_SECONDS,
            options={"require": _REQUIRED},
        )


class RememberedTokens:
    """Believes what a verifier believed of the same token less than a minute ago, as long as the token holds.

    Belongs to one event loop. A key that the issuer takes back is believed for that minute longer.
    """

    def __init__(self, verifier: TokenVerifier, clock: Callable[[], float] = time.time) -> None:
        """`clock` counts seconds since 1970."""
        self._verifier = verifier
        self._clock = clock
        self._believed: OrderedDict[bytes, tuple[Token, float]] = OrderedDict()

    async def verify(self, authorization: str | None) -> Token:
        """The token in an Authorization header; Unauthenticated, without a reason, or IdentityUnavailable."""
        digest = hashlib.sha256((authorization or "").encode()).digest()
        now = self._clock()
        token, until = self._believed.get(digest, (None, now))
        if token is not None and now < until:
            return token
        # The verifier may wait for the issuer's keys.
        token = await to_thread.run_sync(self._verifier.verify, authorization)
        self._believed[digest] = (token, min(token.holds_until, now + _REMEMBERED_SECONDS))
        self._believed.move_to_end(digest)
        if len(self._believed) > _MOST_REMEMBERED:
            self._believed.popitem(last=False)
        return token


def _token(claims: dict[str, Any]) -> Token:
    subject, environment, roles = claims["sub"], claims.get("environment"), claims.get("roles", [])
    if not (isinstance(subject, str) and subject and isinstance(environment, str)):
        raise ValueError("the subject or the environment is missing")
    if not (isinstance(roles, list) and all(isinstance(role, str) for role in roles)):
        raise ValueError("the roles are no list of names")
    if not all(name.isprintable() for name in (subject, *roles)):
        raise ValueError("a name holds what no database takes")
    tenant_id = UUID(str(claims.get("tenant_id")))
    return Token(SUBJECT_PREFIX + subject, tenant_id, environment, tuple(roles), float(claims["exp"]) + _LEEWAY_SECONDS)
