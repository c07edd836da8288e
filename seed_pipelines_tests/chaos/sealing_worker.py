"""`python -m seed_pipelines_tests.chaos.sealing_worker run MANIFEST TENANT | seal`: one process of a storm, until it is killed.

`run` seeds a tenant's dataset over and over, as a command does without Dagster; `seal` does what the sensor does at each tick.
"""

import itertools
import os
import random
import sys
import time
from pathlib import Path
from uuid import UUID, uuid4

from dagster import DagsterInstance

from seed_pipelines.errors import SeedError
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines.seeding.doctor import Diagnosis
from seed_pipelines.seeding.ending import abandon
from seed_pipelines.seeding.outbox import report_ended_runs, seal_waiting
from seed_pipelines.seeding.request import SeedRequest
from seed_pipelines.seeding.sealing import finish
from seed_pipelines.seeding.seed_run import enter, held
from seed_pipelines.seeding.services import Services
from seed_pipelines_tests.in_process import seed_shards

_PAUSE_SECONDS = 0.2
_FAILING_SHARE = 0.2


def run_for_ever(services: Services, seeding: SeedingFromSettings, manifest: Path, tenant: UUID) -> None:
    """Begin, work, end: well, or in vain; what is refused is asked for again."""
    diagnosis: Diagnosis | None = None
    drawn = random.Random()  # noqa: S311  # which runs fail is of no consequence
    for _ in itertools.count():
        origin = str(uuid4())
        request = SeedRequest(
            origin=origin,
            tenant=tenant,
            environment="staging",
            read_manifest=lambda: seeding.read_manifest(manifest),
            idempotency_key=origin,
            window_override="a storm at any hour",
        )
        try:
            session = enter(services, request)
            with held(session):
                diagnosis = seed_shards(session, diagnosis)
                if drawn.random() < _FAILING_SHARE:
                    abandon(session, RuntimeError("drawn to fail"))
                else:
                    finish(session)
        except SeedError:
            time.sleep(_PAUSE_SECONDS)  # somebody else is at work, or a server is away


def seal_for_ever(services: Services) -> None:
    """One tick after the other."""
    for _ in itertools.count():
        try:
            report_ended_runs(services, "staging")
            seal_waiting(services, "staging", due_only=False)
        except SeedError as error:
            print(error.detail, file=sys.stderr)
        time.sleep(_PAUSE_SECONDS)  # as a sensor's ticks are apart


def main() -> None:
    """Take the part that the arguments name."""
    seeding = SeedingFromSettings(Settings())
    with DagsterInstance.ephemeral() as instance:
        services = seeding.services("staging", instance)
        with services.connections_kept():
            if sys.argv[1] == "run":
                run_for_ever(services, seeding, Path(sys.argv[2]), UUID(sys.argv[3]))
            else:
                seal_for_ever(services)


if __name__ == "__main__":
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    main()
