"""Everything that a use case reaches, one port each; the adapters fit them, and so do the fakes of the tests."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.masking_keys import MaskingKeySource
from seed_pipelines.seeding.control_database import ControlDatabase
from seed_pipelines.seeding.evidence_services import EvidenceServices
from seed_pipelines.seeding.integration_services import IntegrationServices
from seed_pipelines.seeding.target_database import RowFiles, TargetDatabase
from seed_pipelines.seeding.telemetry import NOWHERE, Telemetry


@dataclass(frozen=True)
class Services:
    """Everything a use case reaches beyond its arguments."""

    control: ControlDatabase
    target: TargetDatabase
    keys: MaskingKeySource
    row_files: RowFiles
    catalogue: Catalogue
    clock: Callable[[], datetime]
    """Now, in UTC."""
    evidence: EvidenceServices
    integrations: IntegrationServices
    lease_ttl_seconds: float
    holder_finished: Callable[[str], bool]
    """Whether the run or backfill that holds a lease is known to be over."""
    connections_kept: Callable[[], AbstractContextManager[None]] = nullcontext
    """Within it, the databases keep a connection for the next call instead of opening one for each."""
    telemetry: Telemetry = NOWHERE
    """Where traces and metrics go."""
