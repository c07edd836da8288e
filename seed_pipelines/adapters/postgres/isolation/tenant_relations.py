"""Every relation of a database that carries a tenant, or depends on one that does, and who may do what with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import sql

from seed_pipelines.adapters.postgres.database import Connection
from seed_pipelines.adapters.postgres.policy_trials import SecuredTable

CONTROL_SCHEMA: Final = "seed"
GRANTS: Final = "seed.tenant_grant"
"""What a login may act for: it sees its own grants, of every tenant."""

_RELATIONS: Final = """
WITH RECURSIVE related (oid) AS (
    SELECT class.oid
    FROM pg_class AS class JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE class.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND namespace.nspname NOT IN ('pg_catalog', 'information_schema') AND namespace.nspname !~ '^pg_(toast|temp)'
        AND (
            EXISTS (SELECT FROM pg_attribute WHERE attrelid = class.oid AND attname = 'tenant_id' AND NOT attisdropped)
            OR format('%%I.%%I', namespace.nspname, class.relname) = ANY(%(named)s)
        )
    UNION
    SELECT following.oid FROM related CROSS JOIN LATERAL (
        SELECT ev_class AS oid FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid
        WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = related.oid
        UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = related.oid
        UNION ALL SELECT conrelid FROM pg_constraint WHERE contype = 'f' AND confrelid = related.oid
    ) AS following
)
SELECT class.oid::bigint, namespace.nspname, class.relname, class.relkind::text, class.relrowsecurity,
    class.relforcerowsecurity, pg_get_userbyid(class.relowner)::text, class.relispartition,
    EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = class.oid AND attname = 'tenant_id' AND atttypid = 'uuid'::regtype AND NOT attisdropped
    ), (
        SELECT attname FROM pg_attribute
        WHERE attrelid = class.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
        ORDER BY attname <> 'tenant_id', attnum LIMIT 1
    )
FROM related JOIN pg_class AS class ON class.oid = related.oid
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE class.relkind IN ('r', 'p', 'v', 'm', 'f') AND namespace.nspname !~ '^pg_(toast|temp)'
ORDER BY namespace.nspname, class.relname
"""
_PRIVILEGES: Final = """
SELECT class.oid::bigint, ARRAY(
    SELECT privilege
    FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
    WHERE has_table_privilege(%(role)s, class.oid, privilege)
        OR CASE WHEN privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
            THEN has_any_column_privilege(%(role)s, class.oid, privilege) ELSE false END
)
FROM pg_class AS class
WHERE class.oid = ANY(%(relations)s::oid[]) AND has_schema_privilege(%(role)s, class.relnamespace, 'USAGE')
"""
_STATEMENTS: Final = {
    "SELECT": "SELECT FROM {0} LIMIT 0",
    "INSERT": "INSERT INTO {0} DEFAULT VALUES",
    "UPDATE": "UPDATE {0} SET {1} = DEFAULT",
    "DELETE": "DELETE FROM {0}",
}
COMMANDS: Final = tuple(_STATEMENTS)
"""What policies restrict."""


@dataclass(frozen=True)
class TenantRelation:
    """A relation with rows of tenants."""

    oid: int
    schema: str
    relation: str
    kind: str
    """As in pg_class: r table, p partitioned table, v view, m materialized view, f foreign table."""
    enabled: bool
    forced: bool
    owner: str
    is_partition: bool
    has_tenant: bool
    """Whether it has a tenant_id of type uuid."""
    column: str | None
    """One that can be written: tenant_id, or the first; None where there is none."""

    @property
    def name(self) -> str:
        """Schema and relation."""
        return f"{self.schema}.{self.relation}"

    @property
    def identifier(self) -> sql.Identifier:
        """Schema and relation, quoted."""
        return sql.Identifier(self.schema, self.relation)

    @property
    def is_table(self) -> bool:
        """Whether policies can be made for it."""
        return self.kind in "rp"

    @property
    def is_control(self) -> bool:
        """Whether it is a control table, rather than one with seeded rows."""
        return self.schema == CONTROL_SCHEMA

    @property
    def secured(self) -> SecuredTable:
        """As the policy trials take it."""
        return SecuredTable(self.oid, self.schema, self.relation, not self.is_partition, self.kind == "p")


def tenant_relations(connection: Connection, named: Sequence[str]) -> tuple[TenantRelation, ...]:
    """All of them, by name; `named` (schema.table) belong to them whether or not they carry a tenant."""
    return tuple(TenantRelation(*row) for row in connection.execute(_RELATIONS, {"named": list(named)}))


def statements(relation: TenantRelation) -> Mapping[str, sql.Composed]:
    """Each of COMMANDS -> a statement that needs no more than it."""
    name = sql.Identifier(relation.column or "")
    return {command: sql.SQL(text).format(relation.identifier, name) for command, text in _STATEMENTS.items()}


def privileges(connection: Connection, role: str, relations: Sequence[TenantRelation]) -> Mapping[int, frozenset[str]]:
    """The oid of each relation that a role can reach -> what it may do there."""
    found = connection.execute(_PRIVILEGES, {"role": role, "relations": [relation.oid for relation in relations]})
    return {oid: frozenset(granted) for oid, granted in found if granted}
