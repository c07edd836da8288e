"""The program's own servers: what a process may reach besides its own machine."""

import os
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from seed_pipelines.adapters import tripwire
from seed_pipelines.adapters.tripwire import Site
from seed_pipelines.domain.catalogue import ENVIRONMENTS
from seed_pipelines.domain.outbound import STUB_HOSTS
from seed_pipelines.orchestration.settings import Settings

_POSTGRES_PORT: Final = "5432"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_TELEMETRY: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    "SENTRY_DSN",
)
_AWS: Final = Site(".amazonaws.com", 443)


def close_process() -> None:
    """Let this process reach its own machine and the program's own servers alone; see `adapters.tripwire` for its limits."""
    tripwire.install(own_servers)


def admit_database(database_url: str) -> None:
    """Let a database be reached that the settings do not name."""
    tripwire.admit(lambda: _databases(database_url, os.environ))


def own_servers() -> tuple[Site, ...]:
    """Those that the settings and the variables of OpenTelemetry and Sentry name, as they are now."""
    return tuple(infrastructure(Settings(), os.environ))


def infrastructure(settings: Settings, environ: Mapping[str, str]) -> Iterator[Site]:
    """PostgreSQL, Vault, S3, stubs, telemetry, the keys of tokens, and what SEED_INFRASTRUCTURE_HOSTS adds."""
    for template in (settings.database_url, settings.control_database_url, settings.dagster_postgres_url or ""):
        for url in {template.replace("{environment}", environment) for environment in ENVIRONMENTS}:
            yield from _databases(url, environ)
    buckets = (settings.s3_endpoint_url, settings.evidence_endpoint_url)
    keys = settings.oidc_jwks if (settings.oidc_jwks or "").startswith("https:") else None
    for address in (settings.vault_addr, keys, *buckets, *(environ.get(name) for name in _TELEMETRY)):
        if address:
            yield from _of_url(address)
    if None in buckets:
        yield _AWS
    yield from (Site(host, port) for host in STUB_HOSTS for port in settings.stubs.ports)
    yield from settings.infrastructure_hosts


def _databases(url: str, environ: Mapping[str, str]) -> Iterator[Site]:
    """Each server of a connection string (libpq, section 32.1.1); those on a Unix socket need no permission."""
    known = conninfo_to_dict(url.replace("+psycopg2", "", 1))
    ports = str(known.get("port") or environ.get("PGPORT") or _POSTGRES_PORT).split(",")
    for parameter, variable in (("host", "PGHOST"), ("hostaddr", "PGHOSTADDR")):
        hosts = str(known.get(parameter) or environ.get(variable) or "").split(",")
        for number, host in enumerate(hosts):
            if host and not host.startswith(("/", "@")):
                yield Site(host.lower(), int(ports[number] if len(ports) > 1 else ports[0]))


def _of_url(url: str) -> Iterator[Site]:
    parts = urlsplit(url if "://" in url else f"//{url}")
    if parts.hostname:
        yield Site(parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme))
