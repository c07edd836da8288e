"""Which servers are the program's own."""

import pytest
from pydantic import ValidationError

from seed_pipelines.adapters.tripwire import Site
from seed_pipelines.orchestration.infrastructure import infrastructure
from seed_pipelines.orchestration.settings import Settings


def sites(environ: dict[str, str] | None = None, **settings: str) -> set[Site]:
    found = infrastructure(Settings.model_validate(settings), environ or {})
    return {site for site in found if site.host not in ("localhost", "127.0.0.1", "::1", "prism", "pact", "stub")}


AWS = Site(".amazonaws.com", 443)


def test_each_server_of_the_settings_is_named_with_its_port() -> None:
    assert sites(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "SENTRY_DSN": "https://key@sentry.internal/1"},
        database_url="postgresql://seed_app@db-1:6432,db-2:6433/seed_{environment}",
        control_database_url="host=control port=5433 dbname=seed",
        dagster_postgres_url="postgresql+psycopg2://dagster@dagster-db/dagster",
        vault_addr="https://vault.internal",
        s3_endpoint_url="http://minio:9000",
        evidence_endpoint_url="http://worm:9001",
        oidc_jwks="https://issuer.internal:8443/keys",
        infrastructure_hosts="rabbitmq:5672, [fd00::1]:443",
    ) == {
        Site("collector", 4318),
        Site("sentry.internal", 443),
        Site("db-1", 6432),
        Site("db-2", 6433),
        Site("control", 5433),
        Site("dagster-db", 5432),
        Site("vault.internal", 443),
        Site("minio", 9000),
        Site("worm", 9001),
        Site("issuer.internal", 8443),
        Site("rabbitmq", 5672),
        Site("fd00::1", 443),
    }


def test_sockets_need_no_permission_and_aws_has_it_where_no_other_s3_is_named() -> None:
    assert sites(database_url="postgresql:///seed?host=/run/postgresql") == {AWS}
    assert sites({"PGHOST": "db", "PGPORT": "6000"}) == {AWS, Site("db", 6000)}


def test_the_keys_of_tokens_are_fetched_where_the_setting_says_unless_it_is_a_file() -> None:
    here = "postgresql:///seed?host=/run/postgresql"
    assert Site("login.example", 8443) in sites(database_url=here, oidc_jwks="https://login.example:8443/keys")
    assert sites(database_url=here, oidc_jwks="keys/https.json") == {AWS}


def test_a_server_without_a_port_is_refused_when_the_settings_are_read() -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"infrastructure_hosts": "rabbitmq"})


def test_a_host_may_depend_on_the_environment() -> None:
    found = sites(database_url="postgresql://db-{environment}:6000/seed")
    assert {Site("db-dev", 6000), Site("db-staging", 6000), Site("db-dr", 6000)} <= found


def test_stubs_are_reached_at_their_ports() -> None:
    found = set(infrastructure(Settings.model_validate({"stub_ports": "4010"}), {}))
    assert Site("prism", 4010) in found
    assert Site("prism", 4011) not in found
