"""Proofs of row level security that this process has, good for as long as the catalogue is as it was.

The trials of `row_security` take most of the time of entering a run, and every step enters it. What they show depends on
the catalogue and on the grants of tenants alone: while neither changed, their result has not changed either.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from seed_pipelines.adapters.postgres.database import Database
from seed_pipelines.adapters.postgres.row_security import verify_row_security
from seed_pipelines.adapters.postgres.tenants import Tenant

_STATE: Final = """
WITH relations AS (
    SELECT pg_class.oid, pg_class.xmin FROM pg_class
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
), functions AS (
    SELECT pg_proc.oid, pg_proc.xmin FROM pg_proc
    JOIN pg_namespace ON pg_namespace.oid = pronamespace
    WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
), parts (part) AS (
    SELECT format('c%s.%s', oid, xmin) FROM relations
    UNION ALL SELECT format('f%s.%s', oid, xmin) FROM functions
    UNION ALL SELECT format('a%s.%s.%s', attrelid, attnum, pg_attribute.xmin)
        FROM pg_attribute JOIN relations ON relations.oid = attrelid WHERE attnum > 0
    UNION ALL SELECT format('p%s.%s', oid, xmin) FROM pg_policy
    UNION ALL SELECT format('t%s.%s', pg_trigger.oid, pg_trigger.xmin)
        FROM pg_trigger JOIN relations ON relations.oid = tgrelid
    UNION ALL SELECT format('w%s.%s', pg_rewrite.oid, pg_rewrite.xmin)
        FROM pg_rewrite JOIN relations ON relations.oid = ev_class
    UNION ALL SELECT format('k%s.%s', pg_constraint.oid, pg_constraint.xmin)
        FROM pg_constraint JOIN relations ON relations.oid = conrelid
    UNION ALL SELECT format('n%s.%s', oid, xmin) FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%'
    UNION ALL SELECT format('m%s.%s.%s', roleid, member, xmin) FROM pg_auth_members
    UNION ALL SELECT format('r%s', to_jsonb(pg_roles)) FROM pg_roles
    UNION ALL SELECT format('s%s', to_jsonb(pg_db_role_setting)) FROM pg_db_role_setting
    UNION ALL SELECT format('g%s', to_jsonb(tenant_grant)) FROM seed.tenant_grant
)
SELECT session_user::text || md5(string_agg(part, ' ' ORDER BY part)) FROM parts
"""


Proof = Callable[[Database, Tenant, Sequence[str]], object]


class SecurityProofs:
    """What was proven for the logins and tenants of this process."""

    def __init__(self, prove: Proof = verify_row_security) -> None:
        self._prove = prove
        self._proven: dict[tuple[object, ...], str] = {}
        self._lock = threading.Lock()

    def ensure(self, database: Database, tenant: Tenant, tables: Sequence[str]) -> None:
        """RlsNotEnforced unless the proof holds, or held when the catalogue was as it is now."""
        key = (database.location, tenant.tenant_id, *tables)
        with database.connection() as connection:
            (state,) = connection.execute(_STATE).fetchone() or ("",)
        with self._lock:
            if self._proven.get(key) == state:
                return
        self._prove(database, tenant, tables)
        with self._lock:
            self._proven[key] = str(state)
