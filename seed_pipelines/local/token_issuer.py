"""Bearer tokens of the local stack: what an OpenID Connect provider would issue, for a quarter of an hour."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.logins import AUDIENCE, ISSUER, TOKEN_SUBJECT
from seed_pipelines.local.paths import StackPaths, write_private

LIFETIME: Final = timedelta(minutes=15)
_ALGORITHM: Final = "ES256"


def provision(paths: StackPaths) -> None:
    """Make the signing key, where there is none, and the key set of its public half; both for their owner only."""
    if not paths.token_key.exists():
        made = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(paths.token_key, made.decode())
    key = _key(paths)
    public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    described = {**public, "kid": _key_id(key), "alg": _ALGORITHM, "use": "sig"}
    write_private(paths.token_keys, json.dumps({"keys": [described]}, indent=2) + "\n")


def issue(paths: StackPaths, tenant_id: UUID, environment: str, roles: Sequence[str]) -> str:
    """A token for one tenant and environment, for some roles or all that are granted; StackUnavailable without a key."""
    key = _key(paths)
    now = datetime.now(UTC)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": TOKEN_SUBJECT,
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
        "jti": str(uuid4()),
        "tenant_id": str(tenant_id),
        "environment": environment,
        "roles": list(roles),
    }
    return jwt.encode(claims, key, algorithm=_ALGORITHM, headers={"kid": _key_id(key)})


def _key(paths: StackPaths) -> ec.EllipticCurvePrivateKey:
    try:
        content = paths.token_key.read_bytes()
    except FileNotFoundError as error:
        raise StackUnavailable("The local stack has no key for tokens: run `seed-data up` again.") from error
    key = serialization.load_pem_private_key(content, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise StackUnavailable(f"{paths.token_key} is no key on P-256: remove it and run `seed-data up` again.")
    return key


def _key_id(key: ec.EllipticCurvePrivateKey) -> str:
    """A digest of the public half."""
    encoded = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(encoded)
    return digest.finalize().hex()[:16]
