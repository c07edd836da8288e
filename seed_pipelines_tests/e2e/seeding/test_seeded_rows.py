"""An entity that was seeded into a bucket, read back by somebody's own Dagster asset."""

import dagster as dg
import pandas as pd
import psycopg
import pytest

from seed_pipelines.local.s3_server import BUCKET
from seed_pipelines.orchestration.code_location import location_definitions
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines_tests.e2e.seeding.staging import OVERRIDE, TENANT_A, Staging

pytestmark = pytest.mark.e2e

CUSTOMERS = dg.AssetKey(["staging", "tenant-a", "default", "customers"])
SEEDED_ROWS = dg.AssetIn(key=CUSTOMERS, input_manager_key="seeded_rows")


def test_rows_of_a_bucket_reach_an_asset_as_they_landed(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a bucket that is not there is a reason, not a data frame."""
    url = f"s3://{BUCKET}/rows"
    done = staging.seed(*OVERRIDE, SEED_DATA_URL=url)
    assert done.exit_code == 0, done.stderr
    for name, value in staging.variables.items():
        monkeypatch.setenv(name, value)
    got: list[pd.DataFrame] = []

    @dg.asset(ins={"customers": SEEDED_ROWS})
    def mine(customers: pd.DataFrame) -> None:
        got.append(customers)

    assert materialize(mine, url).success
    with staging.superuser() as connection:
        assert landed(connection) == list(
            got[0][["id", "document_number", "monthly_income"]].itertuples(index=False, name=None)
        )

    refused = materialize(mine, "s3://no-such-bucket/rows")
    (failed,) = (event for event in refused.all_events if event.is_step_failure)
    data = failed.step_failure_data.user_failure_data
    assert data is not None
    assert "s3://no-such-bucket/rows/staging/tenant-a/default/customers/0000.parquet" in str(data.description)
    assert len(got) == 1


def materialize(asset: dg.AssetsDefinition, data_url: str) -> dg.ExecuteInProcessResult:
    jobs = [dg.define_asset_job("mine", dg.AssetSelection.assets(asset))]
    seeds = location_definitions(Settings(data_url=data_url), "staging")
    definitions = dg.Definitions.merge(seeds, dg.Definitions(assets=[asset], jobs=jobs))
    with dg.DagsterInstance.ephemeral() as instance:
        return definitions.resolve_job_def("mine").execute_in_process(instance=instance, raise_on_error=False)


def landed(connection: "psycopg.Connection[tuple[object, ...]]") -> list[tuple[object, ...]]:
    query = "SELECT id::text, document_number, monthly_income FROM banking.customer WHERE tenant_id = %s ORDER BY id"
    return connection.execute(query, [TENANT_A]).fetchall()
