"""What the catalogue says of relations of tenants: row security, rights that ask no policy, views, keys, code that runs along."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from seed_pipelines.adapters.postgres.database import Connection
from seed_pipelines.adapters.postgres.isolation.attempt import ANY_TENANT, Attempt
from seed_pipelines.adapters.postgres.isolation.catalogue_rows import CatalogueRows
from seed_pipelines.adapters.postgres.isolation.tenant_relations import TenantRelation
from seed_pipelines.adapters.postgres.policy_trials import SecuredTable, readable_by

_ASK_NO_POLICY: Final = {
    "TRUNCATE": "it empties the table for every tenant",
    "REFERENCES": "a foreign key of the login's own tells which rows exist",
    "TRIGGER": "a trigger of the login's own runs in the sessions of others",
}
_PASSED_ON: Final = """
SELECT class.oid::bigint, coalesce(grantee.rolname, 'PUBLIC'), entry.grantee = 0, entry.privilege_type
FROM pg_class AS class CROSS JOIN aclexplode(class.relacl) AS entry LEFT JOIN pg_roles AS grantee ON grantee.oid = entry.grantee
WHERE class.oid = ANY(%(relations)s::oid[]) AND entry.grantee <> class.relowner
    AND (entry.grantee = 0 OR (entry.is_grantable AND pg_has_role(session_user, entry.grantee, 'MEMBER')))
"""
_WITHOUT_POLICY: Final = """
SELECT class.oid::bigint, grantee.rolname, entry.privilege_type
FROM pg_class AS class CROSS JOIN aclexplode(class.relacl) AS entry JOIN pg_roles AS grantee ON grantee.oid = entry.grantee
JOIN (VALUES ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')) AS command (privilege, code)
    ON command.privilege = entry.privilege_type
WHERE class.oid = ANY(%(relations)s::oid[]) AND entry.grantee <> class.relowner AND class.relrowsecurity AND NOT EXISTS (
    SELECT FROM pg_policy CROSS JOIN unnest(polroles) AS role
    WHERE polrelid = class.oid AND polpermissive AND polcmd::text IN ('*', command.code)
        AND CASE WHEN role = 0 THEN true ELSE pg_has_role(grantee.oid, role, 'USAGE') END
)
"""
_FOR_PUBLIC: Final = """
SELECT polrelid::bigint, polname FROM pg_policy
WHERE polrelid = ANY(%(relations)s::oid[]) AND polpermissive AND 0 = ANY(polroles)
"""
_POLICY_FUNCTIONS: Final = """
SELECT DISTINCT policy.polrelid::bigint, policy.polname, function.oid::regprocedure::text, function.proleakproof,
    function.prosqlbody IS NULL AND language.lanname IN ('sql', 'plpgsql')
        AND NOT coalesce(array_to_string(function.proconfig, ',') ~ 'search_path=', false),
    function.pronargs > 0, owner.rolname, pg_has_role(session_user, function.proowner, 'MEMBER')
FROM pg_policy AS policy
JOIN pg_depend ON classid = 'pg_policy'::regclass AND objid = policy.oid
    AND refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
JOIN pg_proc AS function ON function.oid = CASE WHEN refclassid = 'pg_proc'::regclass THEN refobjid
    ELSE (SELECT oprcode::oid FROM pg_operator WHERE oid = refobjid) END
JOIN pg_language AS language ON language.oid = function.prolang
JOIN pg_roles AS owner ON owner.oid = function.proowner
WHERE policy.polrelid = ANY(%(relations)s::oid[]) AND function.pronamespace <> 'pg_catalog'::regnamespace
"""
_VIEW_BASES: Final = """
WITH RECURSIVE base (relation, acting) AS (
    SELECT %(relation)s::oid, session_user::name
    UNION
    SELECT refobjid, CASE WHEN coalesce((
            SELECT option_value::boolean FROM pg_options_to_table(view.reloptions) WHERE option_name = 'security_invoker'
        ), false) THEN base.acting ELSE pg_get_userbyid(view.relowner) END
    FROM base JOIN pg_class AS view ON view.oid = base.relation AND view.relkind = 'v'
    JOIN pg_rewrite ON ev_class = view.oid
    JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid AND refclassid = 'pg_class'::regclass
        AND refobjid <> view.oid
)
SELECT class.oid::bigint, namespace.nspname, class.relname, acting
FROM base JOIN pg_class AS class ON class.oid = base.relation JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
WHERE class.relkind IN ('r', 'p') AND class.relrowsecurity AND acting <> session_user AND EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = class.oid AND attname = 'tenant_id' AND NOT attisdropped
)
"""


@dataclass(frozen=True)
class Reach:
    """How two logins reach a relation."""

    by_data: frozenset[str]
    """Privileges of the data login and of the roles that it may become."""
    by_control: frozenset[str] = frozenset()


def relation_holes(rows: CatalogueRows, relation: TenantRelation, reach: Reach) -> Iterator[Attempt]:
    """Row security, policies and rights of one relation that a login reaches."""
    if relation.is_table:
        yield from _row_security(relation)
        yield from _policies(rows, relation)
    for privilege, consequence in _ASK_NO_POLICY.items():
        finding = (
            f"the login may {privilege}, which asks no policy: {consequence}" if privilege in reach.by_data else ""
        )
        yield Attempt(
            relation.name,
            privilege,
            finding,
            f"REVOKE {privilege} ON {relation.name} FROM the login, its roles and PUBLIC",
        )
    yield Attempt(relation.name, "pass the privileges on")
    for grantee, is_public, privilege in rows.of(relation, _PASSED_ON):
        yield Attempt(
            relation.name,
            "pass the privileges on",
            f"{privilege} is granted to PUBLIC" if is_public else f"{grantee} may grant {privilege} to others",
            f"REVOKE {'' if is_public else 'GRANT OPTION FOR '}{privilege} ON {relation.name} FROM {grantee}",
        )
    if relation.kind == "v" and "SELECT" in reach.by_data:
        yield from _view(rows.connection, relation)


def _row_security(relation: TenantRelation) -> Iterator[Attempt]:
    for attack, holds, word in (
        ("read past a table without policies", relation.enabled, "ENABLE"),
        ("read as the owner", relation.forced, "FORCE"),
    ):
        state = "enabled" if word == "ENABLE" else "forced"
        finding = "" if holds else f"row level security is not {state}"
        yield Attempt(relation.name, attack, finding, f"ALTER TABLE {relation.name} {word} ROW LEVEL SECURITY")


def _policies(rows: CatalogueRows, relation: TenantRelation) -> Iterator[Attempt]:
    yield Attempt(relation.name, "use a privilege that no policy narrows")
    for grantee, privilege in rows.of(relation, _WITHOUT_POLICY):
        yield Attempt(
            relation.name,
            "use a privilege that no policy narrows",
            f"no policy for {privilege} by {grantee}, who was granted it: every row is refused, until somebody adds one",
            f"CREATE POLICY for {grantee} on {relation.name} as in contracts/database, or REVOKE {privilege} from it",
        )
    yield Attempt(relation.name, "use a policy for PUBLIC")
    for (policy,) in rows.of(relation, _FOR_PUBLIC):
        yield Attempt(
            relation.name,
            "use a policy for PUBLIC",
            f"policy {policy} is for PUBLIC: whoever is granted the table later falls under it",
            f"ALTER POLICY {policy} ON {relation.name} TO seed_loader",
        )
    yield from _policy_functions(rows, relation)


def _policy_functions(rows: CatalogueRows, relation: TenantRelation) -> Iterator[Attempt]:
    attack = "listen in on the functions of a policy"
    yield Attempt(relation.name, attack)
    for policy, name, leakproof, unpinned, takes, owner, owned in rows.of(relation, _POLICY_FUNCTIONS):
        if takes and not leakproof:
            yield Attempt(
                relation.name,
                attack,
                f"policy {policy} calls {name} with rows of every tenant; it is not LEAKPROOF: its errors and notices tell",
                f"compare tenant_id with what a function without arguments gives, or mark {name} LEAKPROOF if it is",
            )
        if unpinned:
            yield Attempt(
                relation.name,
                attack,
                f"policy {policy} calls {name}, which finds tables by the caller's search_path: a temporary one shadows",
                f"ALTER FUNCTION {name} SET search_path = pg_catalog, pg_temp",
            )
        if owned:
            yield Attempt(
                relation.name,
                attack,
                f"policy {policy} calls {name}, which the login may replace as {owner}",
                f"ALTER FUNCTION {name} OWNER TO seed_owner",
            )


def _view(connection: Connection, relation: TenantRelation) -> Iterator[Attempt]:
    attack = "read through the policies of a view's owner"
    yield Attempt(relation.name, attack)
    for oid, schema, name, acting in connection.execute(_VIEW_BASES, {"relation": relation.oid}).fetchall():
        base = SecuredTable(oid, schema, name, is_root=True, is_partitioned=False)
        if readable_by(connection, base, acting, ANY_TENANT):
            yield Attempt(
                relation.name,
                attack,
                f"it reads {base.name} as {acting}, whose policies let every tenant's rows through",
                f"ALTER VIEW {relation.name} SET (security_invoker = true)",
            )


def ownership(connection: Connection, relations: Sequence[TenantRelation]) -> Iterator[Attempt]:
    """Relations whose owner the login is or may become."""
    owners = {
        name
        for (name,) in connection.execute(
            "SELECT rolname FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER')"
            " AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)"
        )
    }
    for relation in relations:
        owned = relation.owner in owners
        finding = f"the login is or may become its owner {relation.owner}, who may change its policies" if owned else ""
        yield Attempt(relation.name, "own it", finding, f"ALTER TABLE {relation.name} OWNER TO seed_owner")
