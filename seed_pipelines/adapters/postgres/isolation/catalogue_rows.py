"""What the catalogue says of many relations, each question asked once for all of them."""

from collections.abc import Sequence
from typing import LiteralString

from psycopg.rows import TupleRow

from seed_pipelines.adapters.postgres.database import Connection
from seed_pipelines.adapters.postgres.isolation.tenant_relations import TenantRelation


class CatalogueRows:
    """The answers of one transaction about some relations."""

    def __init__(self, connection: Connection, relations: Sequence[TenantRelation]) -> None:
        self.connection = connection
        self._oids = [relation.oid for relation in relations]
        self._answers: dict[LiteralString, dict[int, list[TupleRow]]] = {}

    def of(self, relation: TenantRelation, query: LiteralString) -> Sequence[TupleRow]:
        """The rows that a query gives for one of the relations, in its order.

        It takes all of them as `%(relations)s`, oids, and says with the first column which one a row is about.
        """
        if query not in self._answers:
            found: dict[int, list[TupleRow]] = {oid: [] for oid in self._oids}
            for oid, *row in self.connection.execute(query, {"relations": self._oids}):
                found[oid].append(tuple(row))
            self._answers[query] = found
        return self._answers[query][relation.oid]
