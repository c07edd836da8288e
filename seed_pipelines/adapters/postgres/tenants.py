"""Tenants of a database, which logins act for them, and what each control login may ask."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from seed_pipelines.adapters.postgres.database import Connection, Database
from seed_pipelines.errors import RequestInvalid, TargetMismatch, TenantMismatch, TenantUnknown

Role = Literal["seed-runner", "seed-admin", "seed-read"]

_REGISTER: Final = (
    "`seed-data up` registers the tenants of the manifests on the local stack, `seed-data register` elsewhere."
)
IS_SERVICE: Final = (
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles AS service, pg_catalog.pg_roles AS login"
    " WHERE service.rolname = 'seed_service' AND login.rolname = coalesce(%(login)s, session_user)"
    " AND pg_has_role(login.oid, service.oid, 'MEMBER'))"
)
"""Whether a login, that of the session where it is NULL, is that of Dagster's processes (contracts/database/roles.sql) or a
member of it: they act for whoever opens the UI."""
_BECOME_OWNER: Final = "SET LOCAL ROLE seed_owner"


@dataclass(frozen=True)
class Tenant:
    """A tenant as the database knows it."""

    tenant_id: UUID
    slug: str
    """Its name in manifests."""


class TenantDirectory:
    """What the control tables say about tenants and about the login that asks."""

    def __init__(self, control: Database) -> None:
        self._control = control

    def environment(self) -> str:
        """The environment that the database belongs to; TargetMismatch if it was never migrated."""
        with self._control.connection() as connection:
            found = connection.execute("SELECT to_regclass('seed.environment') IS NOT NULL").fetchone()
            row = connection.execute("SELECT name FROM seed.environment").fetchone() if found == (True,) else None
        if row is None:
            raise TargetMismatch(
                f"{self._control.location} has no seed_pipelines schema: run `seed-data migrate` on it"
                " (`seed-data up` does so for the local stack)."
            )
        return str(row[0])

    def all(self) -> tuple[Tenant, ...]:
        """Every registered tenant, by name."""
        with self._control.connection() as connection:
            rows = connection.execute("SELECT tenant_id, slug FROM seed.tenant ORDER BY slug").fetchall()
        return tuple(Tenant(*row) for row in rows)

    def by_slug(self, slug: str) -> Tenant:
        """The tenant of a manifest's name; TenantUnknown if there is none."""
        with self._control.connection() as connection:
            row = connection.execute("SELECT tenant_id, slug FROM seed.tenant WHERE slug = %s", [slug]).fetchone()
        if row is None:
            raise TenantUnknown(f"{self._control.location} has no tenant {slug!r}: {_REGISTER}")
        return Tenant(*row)

    def by_id(self, tenant_id: UUID) -> Tenant:
        """The tenant of an id; TenantUnknown if there is none."""
        with self._control.connection() as connection:
            row = connection.execute(
                "SELECT tenant_id, slug FROM seed.tenant WHERE tenant_id = %s", [tenant_id]
            ).fetchone()
        if row is None:
            raise TenantUnknown(
                f"{self._control.location} has no tenant {tenant_id}: register it with `seed-data register` first."
            )
        return Tenant(*row)

    def subject(self) -> str:
        """The login that the database authenticated."""
        with self._control.connection() as connection:
            row = connection.execute("SELECT session_user::text").fetchone()
        return "" if row is None else str(row[0])

    def roles_of(self, subject: str, tenant_id: UUID, environment: str) -> frozenset[str]:
        """What a subject that the database did not authenticate was granted; seed-admin never counts for a service."""
        with self._control.connection() as connection:
            rows = connection.execute(
                "SELECT role FROM seed.role_grant WHERE subject = %s AND tenant_id = %s AND environment = %s",
                [subject, tenant_id, environment],
            ).fetchall()
            return counted_grants([role for (role,) in rows], is_service=_is_service(connection, subject))

    def roles(self, tenant_id: UUID, environment: str) -> frozenset[str]:
        """What the subject was granted for a tenant and environment; seed-admin never counts for a service."""
        with self._control.connection() as connection:
            rows = connection.execute(
                "SELECT role FROM seed.role_grant"
                " WHERE subject = session_user::text AND tenant_id = %s AND environment = %s",
                [tenant_id, environment],
            ).fetchall()
            return counted_grants([role for (role,) in rows], is_service=_is_service(connection))


def counted_grants(granted: Iterable[str], *, is_service: bool) -> frozenset[str]:
    """The roles of these grants; seed-admin is none of a service's."""
    roles = frozenset(granted)
    return roles - {"seed-admin"} if is_service else roles


def register_tenant(url: str, tenant: Tenant, app_logins: Iterable[str] = ("seed_app",)) -> None:
    """Make a tenant known and let logins act for it; nothing changes where that was done before.

    `url` is that of a login that may SET ROLE seed_owner. Raises TenantMismatch if its id or slug is taken by another.
    """
    with _provisioning(url) as connection:
        connection.execute(
            "INSERT INTO seed.tenant (tenant_id, slug) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [tenant.tenant_id, tenant.slug],
        )
        known = connection.execute(
            "SELECT tenant_id, slug FROM seed.tenant WHERE tenant_id = %s OR slug = %s",
            [tenant.tenant_id, tenant.slug],
        ).fetchall()
        if known != [(tenant.tenant_id, tenant.slug)]:
            taken = ", ".join(f"{slug} is {tenant_id}" for tenant_id, slug in known)
            raise TenantMismatch(f"Cannot register {tenant.slug} as {tenant.tenant_id}: {taken}.")
        for login in app_logins:
            connection.execute(
                "INSERT INTO seed.tenant_grant (role_name, tenant_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [login, tenant.tenant_id],
            )


def grant_role(url: str, subject: str, role: Role, tenant_id: UUID, environment: str) -> None:
    """Let a control login ask for what the role allows; nothing changes where that was done before.

    `url` is that of a login that may SET ROLE seed_owner. Raises RequestInvalid for seed-admin where the login is a service.
    """
    with _provisioning(url) as connection:
        if role == "seed-admin" and _is_service(connection, subject):
            raise RequestInvalid(f"{subject} is a service, which acts for whoever opens Dagster: never seed-admin.")
        connection.execute(
            "INSERT INTO seed.role_grant (subject, role, tenant_id, environment) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [subject, role, tenant_id, environment],
        )


def _is_service(connection: Connection, login: str | None = None) -> bool:
    """Whether a login, by default that of the session, is the service's or a member of it."""
    row = connection.execute(IS_SERVICE, {"login": login}).fetchone()
    return row == (True,)


@contextmanager
def _provisioning(url: str) -> Iterator[Connection]:
    with Database(url, application_name="seed_pipelines provisioning").connection() as connection:
        connection.execute(_BECOME_OWNER)
        yield connection
