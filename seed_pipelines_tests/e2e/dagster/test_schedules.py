"""Schedules, deferred runs and the daily removal, launched by the real daemon."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from seed_pipelines.domain.catalogue import Catalogue
from seed_pipelines.domain.daily_start import delay
from seed_pipelines.domain.window import Window
from seed_pipelines.local.postgres_server import SUPERUSER
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack
from seed_pipelines_tests.e2e.dagster.conftest import BANK_ACCOUNTS, CUSTOMERS, MANY_ROWS, window, write
from seed_pipelines_tests.e2e.dagster.test_concurrency import asked
from seed_pipelines_tests.e2e.dagster.test_launches import landed
from seed_pipelines_tests.e2e.dagster.webserver import PARTITION, Webserver

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SCHEDULE = "off_peak__dev__tenant_a"
RANGE_END = "dagster/asset_partition_range_end"
TAG = (
    "import sys; from seed_pipelines.orchestration.instance import dagster_instance;"
    " dagster_instance().add_run_tags(sys.argv[1], {sys.argv[2]: sys.argv[3]})"
)


@pytest.fixture
def rewritten(webserver: Webserver, dagster_stack: RunningStack) -> Callable[[dict[str, str]], None]:
    """Gives the manifest of dev another window and loads its location anew."""
    catalogue = dagster_stack.purpose.catalogue_file
    assert catalogue is not None
    limits = Catalogue.from_json(catalogue.read_bytes())

    def rewrite(opened: dict[str, str]) -> None:
        changes = {"window": opened, "volumetry": MANY_ROWS}
        write(dagster_stack.purpose.manifests_dir, limits, "tenant-a", "dev", changes)
        webserver.reload("dev")

    return rewrite


def test_a_schedule_seeds_every_shard_in_one_run(
    webserver: Webserver, dagster_stack: RunningStack, rewritten: Callable[[dict[str, str]], None]
) -> None:
    """At its minute of the window, once switched on: one Dagster run, one seed run, three shards."""
    soon = datetime.now(UTC) + timedelta(minutes=2)
    identity = ("dev", "tenant-a", "default")
    wait = delay(Window.model_validate({"start_utc": "00:00", "end_utc": "06:00"}), identity)
    opening = soon - wait
    rewritten(window(opening, 0, 6))
    webserver.switch("dev", SCHEDULE, on=True)
    try:
        (run,) = webserver.runs_with("dagster/schedule_name", SCHEDULE)
    finally:
        webserver.switch("dev", SCHEDULE, on=False)

    assert run.status == "SUCCESS", run
    assert run.tags[RANGE_END] == "0002"
    assert run.tags["dagster/run_key"] == f"window:{opening:%Y-%m-%dT%H:%MZ}"
    found = asked(dagster_stack, "seed_dev", f"SELECT status FROM seed.seed_run WHERE origin = '{run.run_id}'")  # noqa: S608 # ours
    assert found == [("succeeded",)]
    assert landed(dagster_stack, "dev") == (CUSTOMERS, BANK_ACCOUNTS)


def test_a_deferred_run_is_launched_by_the_sensor_when_its_window_is_open(
    webserver: Webserver, dagster_stack: RunningStack, rewritten: Callable[[dict[str, str]], None]
) -> None:
    """Some assets of one shard were refused outside the window: those, and no others, are launched anew in the next."""
    now = datetime.now(UTC)
    rewritten(window(now, 6, 2))
    assets = [["dev", "tenant-a", "default", name] for name in ("validated_manifest", "customers")]
    refused = webserver.launch("dev", "__ASSET_JOB", "0001", assets)
    assert refused.problem is not None
    assert refused.problem["code"] == "outside_window"
    assert "seed/deferred_to" not in refused.tags

    opened = window(now, -1, 4)
    rewritten(opened)
    opening = f"{now - timedelta(hours=1):%Y-%m-%dT%H:%MZ}"
    environment = {**os.environ, **dagster_stack.service_environment}
    command = [sys.executable, "-c", TAG, refused.run_id, "seed/deferred_to", opening]
    subprocess.run(command, env=environment, cwd=PROJECT_DIR, check=True)
    (run,) = webserver.runs_with("seed/deferred_from", refused.run_id)

    assert run.status == "SUCCESS", run
    assert run.tags[PARTITION] == "0001"
    query = f"SELECT asset_key FROM event_logs WHERE run_id = '{run.run_id}' AND asset_key IS NOT NULL"  # noqa: S608 # ours
    made = {json.loads(key)[-1] for (key,) in asked(dagster_stack, "dagster", query)}
    assert made == {"validated_manifest", "customers"}


def test_the_removal_of_what_has_expired_runs_as_the_service(webserver: Webserver, dagster_stack: RunningStack) -> None:
    """Launched from the UI: the dataset goes, and a row of the database says who removed it."""
    seeded = webserver.launch("homolog", "seed__homolog__tenant_b", "0000")
    assert seeded.status == "SUCCESS", seeded
    with psycopg.connect(dagster_stack.stack.postgres.provisioning_url(SUPERUSER, "seed_homolog")) as connection:
        for moment in ("shard_checkpoint SET loaded_at", "shard_report SET recorded_at"):
            connection.execute(f"UPDATE seed.{moment} = clock_timestamp() - interval '400 days'".encode())

    purged = webserver.launch("homolog", "purge_expired_datasets")

    assert purged.status == "SUCCESS", purged
    assert purged.tags["seed/environment"] == "homolog"
    query = (
        "SELECT slug, reason, subject, (rows->>'customers')::int FROM seed.dataset_removal JOIN seed.tenant USING (tenant_id)"
        " WHERE slug = 'tenant-b'"
    )
    assert asked(dagster_stack, "seed_homolog", query) == [("tenant-b", "expired", "seed_service", 100)]
