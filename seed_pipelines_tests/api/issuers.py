"""An OpenID Connect provider whose keys are made for the test."""

import json
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from seed_pipelines_tests.worlds import TENANT

ISSUER = "https://issuer.example"
AUDIENCE = "seed-pipelines"
SUBJECT = "ci"


class Issuer:
    """Three keys, one for each algorithm that is believed."""

    def __init__(self) -> None:
        self.rsa = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        self.okp = ed25519.Ed25519PrivateKey.generate()

    @cached_property
    def key_set(self) -> dict[str, Any]:
        """The public halves, and a shared secret that must not be believed."""
        public = {
            "RS256": RSAAlgorithm.to_jwk(self.rsa.public_key(), as_dict=True),
            "ES256": ECAlgorithm.to_jwk(self.ec.public_key(), as_dict=True),
            "EdDSA": OKPAlgorithm.to_jwk(self.okp.public_key(), as_dict=True),
        }
        keys = [{**key, "kid": name, "alg": name} for name, key in public.items()]
        secret = {"kty": "oct", "k": jwt.utils.base64url_encode(b"a secret of 32 bytes that is used").decode()}
        return {"keys": [*keys, {**secret, "kid": "HS256", "alg": "HS256"}]}

    @property
    def text(self) -> str:
        """The key set as it is published."""
        return json.dumps(self.key_set)

    @property
    def public_pem(self) -> bytes:
        """The RSA key as those have it who would sign with it as a shared secret."""
        return self.rsa.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def token(self, algorithm: str = "ES256", *, key: Any = None, kid: str | None = None, **changes: Any) -> str:
        """A token for tenant-a in staging that holds for a minute; a claim changed to None is left out."""
        now = datetime.now(UTC)
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": SUBJECT,
            "iat": now,
            "exp": now + timedelta(minutes=1),
            "tenant_id": str(TENANT.tenant_id),
            "environment": "staging",
            **changes,
        }
        keys: dict[str, Any] = {"RS256": self.rsa, "ES256": self.ec, "EdDSA": self.okp}
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, key or keys[algorithm], algorithm, headers={"kid": kid or algorithm})
