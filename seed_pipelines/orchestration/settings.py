"""Settings, from environment variables: the only place that reads them for a run."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from seed_pipelines.adapters.tripwire import Site
from seed_pipelines.domain.catalogue import ENVIRONMENTS, Catalogue
from seed_pipelines.domain.frozen_mapping import FrozenMapping
from seed_pipelines.domain.outbound import STUB_PORTS, ports_of
from seed_pipelines.domain.retention import LEAST_DAYS, LEAST_YEARS, MOST_DAYS, MOST_YEARS, Retention
from seed_pipelines.domain.stub_addresses import SETTINGS, StubAddresses


def _ports(value: Any) -> Any:
    return ports_of(value) if isinstance(value, str) else value


def _sites(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    named = (place.strip().rpartition(":") for place in value.split(",") if place.strip())
    return tuple(Site(host.strip("[]").lower(), int(port)) for host, _, port in named)


class Settings(BaseSettings):
    """Where everything is; `seed-data env` prints the values of the local stack."""

    model_config = SettingsConfigDict(env_prefix="SEED_", populate_by_name=True, frozen=True, extra="ignore")

    database_url: str = "postgresql:///seed_{environment}"
    """PostgreSQL as the data role; may hold `{environment}`."""
    control_database_url: str = "postgresql:///seed_{environment}"
    """PostgreSQL as the control role; may hold `{environment}`."""
    data_url: str = ".seed/data"
    """Directory or `s3://bucket/prefix` of the Parquet files."""
    manifests_dir: Path = Path("manifests")
    catalogue_file: Path | None = None
    """A deployment's own Q11 catalogue; None takes the packaged one."""
    vault_addr: str = Field("http://127.0.0.1:8200", validation_alias=AliasChoices("SEED_VAULT_ADDR", "VAULT_ADDR"))
    vault_token: SecretStr | None = Field(None, validation_alias=AliasChoices("SEED_VAULT_TOKEN", "VAULT_TOKEN"))
    vault_token_file: Path | None = None
    vault_mount: str = "seeds/{environment}/{tenant}"
    vault_evidence_mount: str = "evidence/{environment}"
    """Transit mount of the key that reports are signed with; may hold `{environment}`."""
    vault_evidence_key: str = "seed-reports"
    """That key, of type ecdsa-p256 or ed25519."""
    lease_ttl_seconds: float = Field(60, gt=0)
    s3_endpoint_url: str | None = Field(None, validation_alias=AliasChoices("SEED_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL"))
    evidence_bucket: str = "seed-evidence"
    """The bucket with object lock that reports are sealed in."""
    evidence_endpoint_url: str | None = Field(
        None,
        validation_alias=AliasChoices("SEED_EVIDENCE_ENDPOINT_URL", "SEED_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL"),
    )
    """Its S3 server, if it is another than that of the Parquet files."""
    evidence_retention_days: int = Field(LEAST_DAYS, ge=LEAST_DAYS, le=MOST_DAYS)
    evidence_retention_years: int = Field(LEAST_YEARS, ge=LEAST_YEARS, le=MOST_YEARS)
    """Calendar years, which follow the days."""
    seal_by: Literal["run", "sensor"] = "run"
    """Who writes into that bucket: each run as its last step, or the sensor `seal_reports` alone, which it waits for."""
    seal_deadline_seconds: float = Field(900, gt=0)
    """How long a run whose work is done may wait for its report to be sealed, before it has failed."""
    git_commit: str | None = Field(None, pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")
    """Of the code and manifests that are deployed; reports name it."""
    stub_base: str | None = None
    """Address of the stubs that have none of their own."""
    kyc_url: str | None = None
    antifraude_url: str | None = None
    pagamentos_url: str | None = None
    notificacoes_url: str | None = None
    stub_ports: Annotated[frozenset[int], NoDecode, BeforeValidator(_ports)] = STUB_PORTS
    """Ports that a stub may have, like `80,4010-4014`."""
    infrastructure_hosts: Annotated[tuple[Site, ...], NoDecode, BeforeValidator(_sites)] = ()
    """Servers of the deployment that no other setting names: `host:port` each, separated by commas."""
    dagster_postgres_url: str | None = None
    """Dagster's own storage, as `dagster.yaml` has it: postgresql+psycopg2://..."""
    otlp_endpoint: str | None = Field(None, validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT"))
    """Collector of traces and metrics over OTLP/HTTP; None sends none."""
    schedules: Literal["stopped", "running"] = "stopped"
    """Whether schedules run before anybody has started or stopped them in the Dagster UI."""
    oidc_issuer: str | None = None
    """Whose tokens the API believes: their `iss`."""
    oidc_audience: str = "seed-pipelines"
    """For whom tokens must be: their `aud`."""
    oidc_jwks: str | None = None
    """The issuer's key set (RFC 7517): a file, or an https address."""
    api_environments: str = " ".join(ENVIRONMENTS)
    """The environments that the API serves, separated by blanks."""
    api_rate_limit: int = Field(120, ge=1)
    """Requests that the API takes from a tenant in an environment, in a window, on the long run."""
    api_rate_window_seconds: int = Field(60, ge=1)
    api_rate_burst: int | None = Field(None, ge=1)
    """How many of them at once; None for all."""
    state_dir: Path = Path(".seed")
    """Directory of the local stack."""

    @cached_property
    def catalogue(self) -> Catalogue:
        """The Q11 catalogue in force."""
        if self.catalogue_file is None:
            return Catalogue.packaged()
        return Catalogue.from_json(self.catalogue_file.read_bytes())

    @property
    def served_environments(self) -> tuple[str, ...]:
        """The environments that the API serves."""
        return tuple(self.api_environments.split())

    @property
    def evidence_retention(self) -> Retention:
        """How long sealed reports are retained."""
        return Retention(self.evidence_retention_days, self.evidence_retention_years)

    @cached_property
    def stubs(self) -> StubAddresses:
        """Where the stubs of the outside systems are."""
        named = {name: getattr(self, setting.removeprefix("SEED_").lower()) for name, setting in SETTINGS.items()}
        own = FrozenMapping({name: address for name, address in named.items() if address is not None})
        return StubAddresses(self.stub_base, own, self.stub_ports)

    def read_vault_token(self) -> str:
        """The Vault token: from its file where one is named, so that it may be renewed there."""
        if self.vault_token_file is not None:
            return self.vault_token_file.read_text(encoding="utf-8").strip()
        return self.vault_token.get_secret_value() if self.vault_token else ""
