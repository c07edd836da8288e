"""Bringing one's own key to Vault Transit."""

import base64
import secrets

import hvac  # type: ignore[import-untyped]  # ships no type information
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from seed_pipelines.errors import StackUnavailable


def import_key(client: hvac.Client, mount: str, key: str, material: bytes) -> None:
    """Make a Transit key of type `hmac` from material; StackUnavailable if Vault offers no RSA wrapping key.

    The material travels under a fresh AES-256 key (AES-KWP, RFC 5649), and that key under Vault's RSA key
    (RSAES-OAEP with SHA-256, RFC 8017 section 7.1).
    """
    offered = client.read(f"{mount}/wrapping_key")["data"]["public_key"]
    wrapping_key = load_pem_public_key(offered.encode())
    if not isinstance(wrapping_key, RSAPublicKey):
        raise StackUnavailable(f"The wrapping key of {mount} is no RSA key.")
    once = secrets.token_bytes(32)
    sealed = wrapping_key.encrypt(once, OAEP(mgf=MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None))
    ciphertext = base64.b64encode(sealed + aes_key_wrap_with_padding(once, material)).decode()
    client.write_data(
        f"{mount}/keys/{key}/import",
        data={"type": "hmac", "hash_function": "SHA256", "ciphertext": ciphertext},
    )
