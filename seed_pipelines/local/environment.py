"""The environment variables through which programs find the local stack; file names, never secrets."""

import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final, Literal

from seed_pipelines.domain.stub_addresses import BASE_SETTING, SETTINGS
from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.logins import APP, AUDIENCE, DAGSTER, ISSUER, OPERATOR, SERVICE, database_of
from seed_pipelines.local.paths import StackPaths
from seed_pipelines.local.s3_server import EVIDENCE_BUCKET, REGION
from seed_pipelines.local.stack import LocalStack
from seed_pipelines.local.vault_server import EVIDENCE_KEY, EVIDENCE_MOUNT_TEMPLATE, MOUNT_TEMPLATE

Subject = Literal["operator", "service"]

DEFAULT_STATE_DIR: Final = Path(".seed")

_CONTROL_LOGINS: Final = {"operator": OPERATOR, "service": SERVICE}
_LEASE_TTL_SECONDS: Final = "60"
_OWN_DEPLOYMENT: Final = ("SEED_DATABASE_URL", "SEED_CONTROL_DATABASE_URL")


def stack_environment(state_dir: Path, subject: Subject = "operator") -> dict[str, str]:
    """Give the variables of a running stack; `subject` chooses the control login.

    Raises StackUnavailable, with the command that starts it, if a server does not run.
    """
    stack = LocalStack(StackPaths.of(state_dir))
    paths = stack.paths
    description = stack.description()
    away = [server.name for server in stack.servers if server.record.running() is None]
    if description is None or away:
        missing = ", ".join(away) or "its description"
        raise StackUnavailable(
            f"The local stack in {paths.state_dir} is not up ({missing}). Start it with `seed-data up`."
        )
    placeholder = database_of("{environment}")
    variables = {
        "SEED_STATE_DIR": str(paths.state_dir),
        "SEED_DATABASE_URL": stack.postgres.url(APP, placeholder),
        "SEED_CONTROL_DATABASE_URL": stack.postgres.url(_CONTROL_LOGINS[subject], placeholder),
        "SEED_DAGSTER_POSTGRES_URL": stack.postgres.url(DAGSTER, DAGSTER).replace(
            "postgresql://", "postgresql+psycopg2://", 1
        ),
        "PGPASSFILE": str(paths.passwords),
        "SEED_VAULT_ADDR": stack.vault.address,
        "SEED_VAULT_TOKEN_FILE": str(paths.vault_token),
        "SEED_VAULT_MOUNT": MOUNT_TEMPLATE,
        "SEED_VAULT_EVIDENCE_MOUNT": EVIDENCE_MOUNT_TEMPLATE,
        "SEED_VAULT_EVIDENCE_KEY": EVIDENCE_KEY,
        "SEED_DATA_URL": str(paths.data),
        "SEED_EVIDENCE_BUCKET": EVIDENCE_BUCKET,
        "SEED_MANIFESTS_DIR": description["manifests_dir"],
        "SEED_LEASE_TTL_SECONDS": _LEASE_TTL_SECONDS,
        "SEED_OIDC_ISSUER": ISSUER,
        "SEED_OIDC_AUDIENCE": AUDIENCE,
        "SEED_OIDC_JWKS": str(paths.token_keys),
        "AWS_ENDPOINT_URL": stack.s3.address,
        "AWS_SHARED_CREDENTIALS_FILE": str(paths.s3_credentials),
        "AWS_DEFAULT_REGION": REGION,
        "DAGSTER_HOME": str(paths.dagster_home),
    }
    if description.get("stubs"):
        variables |= _stub_variables(stack)
    if description["catalogue_file"] is not None:
        variables["SEED_CATALOGUE_FILE"] = description["catalogue_file"]
    return variables


def _stub_variables(stack: LocalStack) -> dict[str, str]:
    addresses = {stub.integration: stub.address for stub in stack.stubs}
    return {
        **{setting: addresses[integration] for integration, setting in SETTINGS.items()},
        BASE_SETTING: addresses["financial-calculator"],
        "SEED_STUB_PORTS": ",".join(sorted(address.rpartition(":")[2] for address in addresses.values())),
    }


def use_local_stack(environ: MutableMapping[str, str] = os.environ, subject: Subject = "operator") -> dict[str, str]:
    """Fill in the variables of the local stack that are not set, and return what was added.

    Does nothing where a database is configured: that is a deployment of its own. Raises StackUnavailable if none is
    and the stack is not up.
    """
    if any(environ.get(name) for name in _OWN_DEPLOYMENT):
        return {}
    variables = stack_environment(Path(environ.get("SEED_STATE_DIR") or DEFAULT_STATE_DIR), subject)
    added = {name: value for name, value in variables.items() if name not in environ}
    environ.update(added)
    return added
