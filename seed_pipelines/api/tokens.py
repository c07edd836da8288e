"""Bearer tokens (RFC 6750): JSON Web Tokens that an OpenID Connect provider has signed, and what they say."""

from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import jwt

from seed_pipelines.errors import Unauthenticated

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
"""Signatures that are believed; none by a shared secret."""
SUBJECT_PREFIX: Final = "token:"
"""Of a token's subject in the grants, so that no token can be mistaken for a login of the database."""

_LEEWAY_SECONDS: Final = 5
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


def _token(claims: dict[str, Any]) -> Token:
    subject, environment, roles = claims["sub"], claims.get("environment"), claims.get("roles", [])
    if not (isinstance(subject, str) and subject and isinstance(environment, str)):
        raise ValueError("the subject or the environment is missing")
    if not (isinstance(roles, list) and all(isinstance(role, str) for role in roles)):
        raise ValueError("the roles are no list of names")
    return Token(SUBJECT_PREFIX + subject, UUID(str(claims.get("tenant_id"))), environment, tuple(roles))
