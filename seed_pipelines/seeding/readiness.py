"""Whether a run that is about to begin could be proven: its report signed and sealed."""

from typing import Final

from seed_pipelines.errors import WormUnavailable
from seed_pipelines.seeding.services import Services

PROBE_SECONDS: Final = 300
"""How old what the sensor found of the bucket may be."""


def can_seal(services: Services, environment: str) -> None:
    """Reports could be signed and sealed now; WormUnavailable, VaultUnavailable.

    Where only the sensor may write into the bucket, what it last found counts.
    """
    evidence = services.evidence
    evidence.signer.public_keys()
    if evidence.seal_by == "run":
        evidence.bucket.preflight()
        return
    probe = evidence.log.last_probe(environment)
    if probe is None or probe.age_seconds > PROBE_SECONDS:
        said = "has found nothing of it yet" if probe is None else f"last looked {probe.age_seconds:.0f} s ago"
        raise WormUnavailable(
            f"Reports of {environment} are sealed by the sensor, which {said}: start it, or set SEED_SEAL_BY=run."
        )
    if probe.problem is not None:
        raise WormUnavailable(f"The sensor that seals says: {probe.problem['detail']}")
