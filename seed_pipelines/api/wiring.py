"""The application with the real outside systems, where the settings say they are."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dagster import DagsterInstance
from starlette.types import ASGIApp

from seed_pipelines.adapters.identity_provider import IdentityProvider
from seed_pipelines.adapters.manifest_files import deployed
from seed_pipelines.adapters.outbound import OutboundClient
from seed_pipelines.adapters.postgres.admissions import Admissions
from seed_pipelines.adapters.postgres.async_database import AsyncDatabase
from seed_pipelines.adapters.postgres.control import PostgresControl
from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.quick_answers import QuickAnswers
from seed_pipelines.adapters.postgres.request_answers import RequestAnswers
from seed_pipelines.adapters.vault import TransitKeys
from seed_pipelines.api.app import create_app
from seed_pipelines.api.run_servers import RunServers
from seed_pipelines.api.services import Allowance, ApiServices, Realm
from seed_pipelines.api.tokens import RememberedTokens, TokenVerifier
from seed_pipelines.api.verdicts import Verdicts
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.errors import RequestInvalid, SeedError
from seed_pipelines.orchestration.resources import SeedingFromSettings
from seed_pipelines.orchestration.run_queue import RunQueue
from seed_pipelines.orchestration.settings import Settings

_NAME: Final = "seed_pipelines api"
_FORGETTING_SECONDS: Final = 60
_PREFLIGHT_SECONDS: Final = 2
"""For one question to a server that a run will need."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reached:
    """The control database of one environment."""

    database: Database
    """For threads."""
    exchanges: AsyncDatabase
    """For the event loop."""

    @classmethod
    def by(cls, url: str) -> "Reached":
        """By one URL."""
        return cls(Database(url, application_name=_NAME), AsyncDatabase(url, application_name=_NAME))

    @property
    def answers(self) -> RequestAnswers:
        """Those that are given once."""
        return RequestAnswers(self.database, self.exchanges)

    def realm(self, settings: Settings) -> Realm:
        """What the API asks it."""
        control = PostgresControl(self.database, settings.lease_ttl_seconds)
        admissions = Admissions(self.exchanges)
        return Realm(control, self.answers, admissions, QuickAnswers(self.exchanges, admissions))


def app_of(settings: Settings, instance: DagsterInstance) -> ASGIApp:
    """The application of a deployment; RequestInvalid if nobody's tokens would be believed."""
    environments = settings.served_environments
    reached = {name: Reached.by(settings.control_database_url.replace("{environment}", name)) for name in environments}
    realms = {name: found.realm(settings) for name, found in reached.items()}
    services = ApiServices(
        realms=realms.__getitem__,
        environments=environments,
        runs=RunQueue(instance, SeedingFromSettings(settings), settings.catalogue),
        deployed=lambda manifest: deployed(settings.manifests_dir, manifest, settings.catalogue, ENTITIES),
        stubs=settings.stubs,
        servers=_servers(settings),
        tokens=_tokens(settings),
        catalogue=settings.catalogue,
        verdicts=Verdicts(),
        allowance=Allowance(
            settings.api_rate_limit,
            settings.api_rate_window_seconds,
            settings.api_rate_burst or settings.api_rate_limit,
        ),
        clock=lambda: datetime.now(UTC),
    )
    return create_app(services, _kept(*reached.values()))


def _servers(settings: Settings) -> RunServers:
    vault = TransitKeys(
        settings.vault_addr, settings.read_vault_token, settings.vault_mount, timeout=_PREFLIGHT_SECONDS
    )
    return RunServers(vault, OutboundClient(timeout=_PREFLIGHT_SECONDS))


def _tokens(settings: Settings) -> RememberedTokens:
    if not (settings.oidc_issuer and settings.oidc_jwks):
        raise RequestInvalid("Say whose tokens are believed: SEED_OIDC_ISSUER and SEED_OIDC_JWKS are not set.")
    keys = IdentityProvider(settings.oidc_jwks)
    return RememberedTokens(TokenVerifier(keys, settings.oidc_issuer, settings.oidc_audience))


@asynccontextmanager
async def _kept(*databases: Reached) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for reached in databases:
            stack.enter_context(reached.database.kept())
            stack.push_async_callback(reached.exchanges.close)
            await stack.enter_async_context(_forgetting(reached))
        yield


@asynccontextmanager
async def _forgetting(reached: Reached) -> AsyncIterator[None]:
    """Have old answers removed, now and every minute."""

    async def forget() -> None:
        while True:
            try:
                await reached.answers.forget_old()
            except SeedError as error:
                logger.warning("Old answers stay for now. %s", error.detail)
            except Exception:  # of this minute alone: the server goes on without, and tries again
                logger.exception("Old answers stay for now")
            await asyncio.sleep(_FORGETTING_SECONDS)

    task = asyncio.create_task(forget())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
