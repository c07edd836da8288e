"""A stack with manifests of its own, whose windows are open now, and Dagster's webserver and daemon on it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from seed_pipelines.domain.catalogue import ENVIRONMENTS, Catalogue
from seed_pipelines.domain.manifest import manifest_hash
from seed_pipelines.domain.manifest_baseline import minimal_baseline
from seed_pipelines.local.dagster_ui import DagsterUi
from seed_pipelines.local.paths import StackPaths
from seed_pipelines.local.s3_server import find_emulator
from seed_pipelines.local.stack import LocalStack, Purpose
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack, stack_directory
from seed_pipelines_tests.e2e.dagster.webserver import Webserver
from seed_pipelines_tests.worlds import REFERENCE, catalogue

PROGRAM: Final = [sys.executable, "-c", "from seed_pipelines.cli import main; main()"]

ONE_SHARD = "seed__staging__tenant_a"
CLOSED = "seed__staging__tenant_b"
THREE_SHARDS = "seed__perf__tenant_a"
SCHEDULED = "seed__dev__tenant_a"
CUSTOMERS, BANK_ACCOUNTS = 10_000, 12_000
MANY_ROWS = {"customers": {"cap": CUSTOMERS}, "bank_accounts": {"cap": BANK_ACCOUNTS}}
CROWD = ("tenant-a", "tenant-b", "tenant-c")
"""Tenants of homolog, whose windows are open."""


def write_manifests(folder: Path, limits: Catalogue, now: datetime) -> None:
    """One of a single shard, one of three, some whose window is closed, several tenants of one environment, a broken one."""
    opened = window(now, -1, 3)
    write(folder, limits, "tenant-a", "staging", {"window": opened})
    write(folder, limits, "tenant-b", "staging", {"window": window(now, 6, 2)})
    write(folder, limits, "tenant-a", "perf", {"window": opened, "volumetry": MANY_ROWS})
    write(folder, limits, "tenant-a", "dev", {"window": window(now, 6, 2), "volumetry": MANY_ROWS})
    for tenant in CROWD:
        write(folder, limits, tenant, "homolog", {"window": opened})
    write(folder, limits, "tenant-c", "staging", {"window": opened, "colour": "blue"})


def window(now: datetime, start: float, hours: float) -> dict[str, str]:
    """One that begins some hours from now."""
    begins = now + timedelta(hours=start)
    return {"start_utc": f"{begins:%H:%M}", "end_utc": f"{begins + timedelta(hours=hours):%H:%M}"}


def write(folder: Path, limits: Catalogue, tenant: str, environment: str, changes: dict[str, Any]) -> None:
    """A sealed manifest."""
    document = minimal_baseline(tenant, environment, reference_datetime=REFERENCE, catalogue=limits)
    document |= {"volumetry": {"customers": {"cap": 100}, "bank_accounts": {"cap": 120}}} | changes
    document["integrity"] = {"manifest_hash": manifest_hash(document)}
    path = folder / environment / f"{tenant}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture(scope="package")
def dagster_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack whose catalogue makes three shards of ten thousand customers."""
    directory = tmp_path_factory.mktemp("manifests")
    limits = catalogue(rows_per_shard=9_000)
    file = directory / "catalogue.json"
    file.write_text(limits.model_dump_json(), encoding="utf-8")
    manifests = directory / "manifests"
    manifests.mkdir()
    write_manifests(manifests, limits, datetime.now(UTC))
    with stack_directory() as state_dir:
        stack = LocalStack(StackPaths.of(state_dir), find_emulator(PROJECT_DIR, None))
        purpose = Purpose(project_dir=PROJECT_DIR, manifests_dir=manifests, catalogue_file=file)
        stack.up(purpose)
        yield RunningStack(stack, purpose)


@pytest.fixture(scope="package")
def webserver(dagster_stack: RunningStack) -> Iterator[Webserver]:
    """The webserver of `seed-data ui`, with the daemon beside it; SIGTERM must end them and all they started."""
    ui = DagsterUi(dagster_stack.stack.paths)
    command, environment = [*PROGRAM, "ui"], {**os.environ, **dagster_stack.service_environment}
    with subprocess.Popen(command, env=environment, cwd=PROJECT_DIR, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith("Dagster UI:") for line in process.stdout)
        child = ui.record.running()
        assert child is not None
        yield Webserver(ui.address)
        family = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
        process.terminate()
        assert process.wait(60) == 0
        assert len(family) > 2 + len(ENVIRONMENTS)
        assert not [member for member in family if member.is_running()]
