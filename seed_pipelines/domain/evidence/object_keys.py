"""Where in the bucket evidence is: keys that name their content, so that nothing else can be sealed under them."""

import hashlib

from seed_pipelines.domain.evidence.log import Checkpoint
from seed_pipelines.domain.evidence.public_key import PublicKey


def report_object(environment: str, tenant: str, sequence: int, sha256: str) -> str:
    """The key of a report without its ending; `sha256` is that of its envelope, in hex."""
    return f"{environment}/{tenant}/reports/{sequence:010d}-{sha256}"


def reports_of(environment: str, tenant: str) -> str:
    """The prefix of every report of a tenant."""
    return f"{environment}/{tenant}/reports/"


def public_key_object(environment: str, key: PublicKey) -> str:
    """The key of a public key."""
    return f"{environment}/keys/{key.name}-v{key.version}-{key.fingerprint}.pem"


def public_keys_of(environment: str) -> str:
    """The prefix of every public key of an environment."""
    return f"{environment}/keys/"


def checkpoint_object(taken: Checkpoint, envelope: bytes) -> str:
    """The key of a signed head of the log."""
    return f"{taken.environment}/log/{taken.tree_size:010d}-{hashlib.sha256(envelope).hexdigest()}.dsse.json"


def checkpoints_of(environment: str) -> str:
    """The prefix of every signed head of an environment's log."""
    return f"{environment}/log/"
