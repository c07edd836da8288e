"""Keys, triggers, rules, defaults and statistics of relations of tenants: what tells of another tenant without a policy asked."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, LiteralString

from psycopg.types.json import Jsonb

from seed_pipelines.adapters.postgres.database import Connection
from seed_pipelines.adapters.postgres.isolation.attempt import Attempt
from seed_pipelines.adapters.postgres.isolation.catalogue_rows import CatalogueRows
from seed_pipelines.adapters.postgres.isolation.tenant_relations import TenantRelation

_UNIQUE: Final = """
SELECT indrelid::bigint, indexrelid::regclass::text, indisprimary,
    pg_get_indexdef(indexrelid, 1, true) = 'tenant_id' AND (indisunique OR indisexclusion), indisunique OR indisexclusion
FROM pg_index WHERE indrelid = ANY(%(relations)s::oid[])
"""
_FOREIGN: Final = """
SELECT relation::bigint, conname, conrelid::regclass::text, confrelid::regclass::text, confdeltype::text,
    EXISTS (
        SELECT FROM unnest(conkey, confkey) AS pair (own, other)
        JOIN pg_attribute AS mine ON mine.attrelid = conrelid AND mine.attnum = pair.own
        JOIN pg_attribute AS theirs ON theirs.attrelid = confrelid AND theirs.attnum = pair.other
        WHERE mine.attname = 'tenant_id' AND theirs.attname = 'tenant_id'
    )
FROM unnest(%(relations)s::oid[]) AS relation JOIN pg_constraint ON relation IN (conrelid, confrelid)
WHERE contype = 'f' AND conparentid = 0
ORDER BY conname
"""
_TRIGGERS: Final = """
SELECT tgrelid::bigint, tgname, function.oid::regprocedure::text, function.prosecdef, pg_get_userbyid(function.proowner), ARRAY(
    SELECT format('%%I.%%I', namespace.nspname, other.relname)
    FROM pg_class AS other JOIN pg_namespace AS namespace ON namespace.oid = other.relnamespace
    WHERE other.relkind IN ('r', 'p', 'f') AND NOT other.relrowsecurity AND other.oid <> tgrelid
        AND namespace.nspname NOT IN ('pg_catalog', 'information_schema') AND namespace.nspname !~ '^pg_(toast|temp)'
        AND function.prosrc ~* format('\\m(%%s\\.|(into|update|from)\\s+)%%s\\M', namespace.nspname, other.relname)
)
FROM pg_trigger JOIN pg_proc AS function ON function.oid = tgfoid
WHERE tgrelid = ANY(%(relations)s::oid[]) AND NOT tgisinternal AND function.pronamespace <> 'pg_catalog'::regnamespace
"""
_RULES: Final = """
SELECT ev_class::bigint, rulename FROM pg_rewrite WHERE ev_class = ANY(%(relations)s::oid[]) AND rulename <> '_RETURN'
"""
_DEFAULTS: Final = """
SELECT adrelid::bigint, attname, function.oid::regprocedure::text
FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
JOIN pg_depend ON classid = 'pg_attrdef'::regclass AND objid = pg_attrdef.oid AND refclassid = 'pg_proc'::regclass
JOIN pg_proc AS function ON function.oid = refobjid
WHERE adrelid = ANY(%(relations)s::oid[]) AND function.prosecdef AND function.pronamespace <> 'pg_catalog'::regnamespace
"""
_STATISTICS: Final = """
WITH relation AS (
    SELECT class.oid::bigint, namespace.nspname AS schema, class.relname AS name
    FROM pg_class AS class JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
    WHERE class.oid = ANY(%(relations)s::oid[])
)
SELECT oid, 'pg_stats' FROM relation JOIN pg_stats ON (schemaname, tablename) = (schema, name)
WHERE most_common_vals IS NOT NULL OR histogram_bounds IS NOT NULL
UNION
SELECT oid, 'pg_stats_ext' FROM relation JOIN pg_stats_ext ON (schemaname, tablename) = (schema, name)
WHERE most_common_vals IS NOT NULL
UNION
SELECT oid, 'pg_stats_ext_exprs' FROM relation JOIN pg_stats_ext_exprs ON (schemaname, tablename) = (schema, name)
WHERE most_common_vals IS NOT NULL OR histogram_bounds IS NOT NULL
"""
_ON_DELETE: Final = {"c": ", and falls when that one is deleted", "n": ", and loses it when that one is deleted"}
_WRITES: Final = frozenset({"INSERT", "UPDATE", "DELETE"})

ModelKeys = Mapping[str, tuple[Sequence[tuple[str, ...]], Mapping[str, str]]]
"""Table -> its unique keys without tenant_id, and its referring columns with the table each refers to."""


def key_holes(rows: CatalogueRows, relation: TenantRelation, granted: frozenset[str]) -> Iterator[Attempt]:
    """What one relation lets a login learn or do beside its policies; keys ask none (PostgreSQL documentation, 5.9)."""
    if granted & _WRITES and relation.is_table:
        yield from _unique_keys(rows, relation)
        yield from _foreign_keys(rows, relation)
        yield from _code(rows, relation)
    if "SELECT" in granted:
        views = ", ".join(sorted(view for (view,) in rows.of(relation, _STATISTICS)))
        finding = f"{views} shows values of every tenant" if views else ""
        cure = (
            f"ALTER TABLE {relation.name} ENABLE ROW LEVEL SECURITY, or REVOKE SELECT: then the statistics are hidden"
        )
        yield Attempt(relation.name, "read the planner's statistics", finding, cure)


def model_holes(connection: Connection, keys: ModelKeys) -> Iterator[Attempt]:
    """Keys that the entities need and the tables lack: without one, a row may refer to another tenant's, or be there twice."""
    unique_keys = [(table, columns) for table, (unique, _) in keys.items() for columns in (("id",), *unique)]
    have_unique = _answers(
        connection, _HAS_UNIQUE, [(table, sorted(["tenant_id", *key])) for table, key in unique_keys]
    )
    for (table, columns), there in zip(unique_keys, have_unique, strict=True):
        wanted = ", ".join(["tenant_id", *columns])
        finding = "" if there else f"no unique key ({wanted})"
        cure = f"ALTER TABLE {table} ADD UNIQUE ({wanted})"
        yield Attempt(table, f"write one ({', '.join(columns)}) twice", finding, cure)
    foreign_keys = [(table, *reference) for table, (_, found) in keys.items() for reference in found.items()]
    for (table, column, other), there in zip(
        foreign_keys, _answers(connection, _HAS_FOREIGN, foreign_keys), strict=True
    ):
        finding = "" if there else f"no foreign key (tenant_id, {column}) to {other} (tenant_id, id)"
        cure = f"ALTER TABLE {table} ADD FOREIGN KEY (tenant_id, {column}) REFERENCES {other} (tenant_id, id)"
        yield Attempt(table, f"refer to another tenant's row by {column}", finding, cure)


_HAS_UNIQUE: Final = """
SELECT EXISTS (
    SELECT FROM pg_index WHERE indrelid = to_regclass(asked ->> 0) AND indisunique AND indpred IS NULL AND indisvalid AND (
        SELECT array_agg(attname::text ORDER BY attname::text) FROM pg_attribute
        WHERE attrelid = indrelid AND attnum = ANY(indkey::smallint[])
    ) = ARRAY(SELECT jsonb_array_elements_text(asked -> 1))
)
FROM jsonb_array_elements(%s) WITH ORDINALITY AS given (asked, place) ORDER BY place
"""
_HAS_FOREIGN: Final = """
SELECT EXISTS (
    SELECT FROM pg_constraint
    WHERE conrelid = to_regclass(asked ->> 0) AND confrelid = to_regclass(asked ->> 2) AND contype = 'f' AND convalidated AND (
        SELECT array_agg((mine.attname || ' ' || theirs.attname)::text ORDER BY mine.attname::text)
        FROM unnest(conkey, confkey) AS pair (own, other)
        JOIN pg_attribute AS mine ON mine.attrelid = conrelid AND mine.attnum = pair.own
        JOIN pg_attribute AS theirs ON theirs.attrelid = confrelid AND theirs.attnum = pair.other
    ) @> ARRAY['tenant_id tenant_id', (asked ->> 1) || ' id']
)
FROM jsonb_array_elements(%s) WITH ORDINALITY AS given (asked, place) ORDER BY place
"""


def _answers(connection: Connection, query: LiteralString, asked: Sequence[object]) -> list[bool]:
    """The answer of a query to each of what is asked."""
    return [there for (there,) in connection.execute(query, [Jsonb(asked)])]


def _unique_keys(rows: CatalogueRows, relation: TenantRelation) -> Iterator[Attempt]:
    indexes = rows.of(relation, _UNIQUE)
    attack = "learn of a row by the error of a unique key"
    primary = any(is_primary and by_tenant for _, is_primary, by_tenant, _ in indexes)
    yield Attempt(
        relation.name,
        attack,
        "" if primary else "no primary key that starts with tenant_id",
        f"ALTER TABLE {relation.name} ADD PRIMARY KEY (tenant_id, id)",
    )
    for name, is_primary, by_tenant, unique in indexes:
        if unique and not by_tenant and not is_primary:
            finding = f"{name} does not start with tenant_id: a value that another tenant holds is refused"
            yield Attempt(relation.name, attack, finding, f"make {name} start with tenant_id")


def _foreign_keys(rows: CatalogueRows, relation: TenantRelation) -> Iterator[Attempt]:
    attack = "refer to another tenant's row"
    yield Attempt(relation.name, attack)
    for name, referring, referred, on_delete, by_tenant in rows.of(relation, _FOREIGN):
        if not by_tenant:
            finding = f"{name} of {referring} does not pair tenant_id: a row may refer to another tenant's"
            yield Attempt(
                relation.name,
                attack,
                finding + _ON_DELETE.get(on_delete, ""),
                f"make {name} FOREIGN KEY (tenant_id, ...) REFERENCES {referred} (tenant_id, ...)",
            )


def _code(rows: CatalogueRows, relation: TenantRelation) -> Iterator[Attempt]:
    attack = "have rows carried elsewhere"
    yield Attempt(relation.name, attack)
    for trigger, function, definer, owner, elsewhere in rows.of(relation, _TRIGGERS):
        reasons = [f"names {', '.join(elsewhere)}, without row level security"] if elsewhere else []
        reasons += [f"runs as {owner} (SECURITY DEFINER)"] if definer else []
        if reasons:
            finding = f"trigger {trigger} calls {function}, which {' and '.join(reasons)}"
            yield Attempt(
                relation.name, attack, finding, f"DROP TRIGGER {trigger} ON {relation.name}, or secure what it writes"
            )
    for (rule,) in rows.of(relation, _RULES):
        finding = f"rule {rule} runs with the rights of the owner {relation.owner}"
        yield Attempt(relation.name, attack, finding, f"DROP RULE {rule} ON {relation.name}")
    for column, function in rows.of(relation, _DEFAULTS):
        finding = f"the default of {column} calls {function} (SECURITY DEFINER)"
        yield Attempt(relation.name, attack, finding, f"ALTER TABLE {relation.name} ALTER {column} DROP DEFAULT")
