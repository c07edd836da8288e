"""Tenant users: the people of the tenant who work with the application."""

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa

from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.entities import person
from seed_pipelines.domain.entities.customers import anchor_second
from seed_pipelines.domain.entities.entity import Column, Entity, labels, outside, timestamps
from seed_pipelines.domain.masking import Codes
from seed_pipelines.domain.portfolio import Portfolio

ROLES: Final = ("ADMIN", "MANAGER", "ANALYST", "AUDITOR")
STATES: Final = ("ACTIVE", "SUSPENDED")
_ROLE_SHARES: Final = (10, 25, 55, 10)
_SUSPENDED_PER_CENT: Final = 6
_LONGEST_SECONDS: Final = 5 * 365 * 86_400


class TenantUsers(Entity):
    """The first is an active administrator, so that somebody can let the others in."""

    name: ClassVar[str] = "tenant_users"
    table: ClassVar[str] = "banking.tenant_user"
    description: ClassVar[str] = "People of the tenant who use the application."
    columns = (
        Column("id", pa.binary(16), "UUIDv8: dataset, row number, keyed bits."),
        Column("full_name", pa.string(), "Given name and surnames.", pii="name"),
        Column("email", pa.string(), "From the masked name; in a reserved domain (RFC 2606).", pii="e-mail"),
        Column("role", pa.string(), "ADMIN, MANAGER, ANALYST or AUDITOR.", few_values=True),
        Column("status", pa.string(), "ACTIVE or SUSPENDED.", few_values=True),
        Column("created_at", pa.timestamp("us", "UTC"), "In the five years before anchor_datetime."),
    )
    pii: ClassVar = {**person.NAME_PII, **person.EMAIL_PII}
    unique = (("email",),)
    of_tenant = True

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Codes of the users."""
        dataset, numbers = portfolio.dataset, rows.customers
        suspended = self.stream(dataset, "status").below(numbers, 100) < _SUSPENDED_PER_CENT
        ago = self.stream(dataset, "created_at").below(numbers, _LONGEST_SECONDS).astype(np.int64)
        return {
            **person.draw_name(TenantUsers, dataset, numbers),
            **person.draw_email(TenantUsers, dataset, numbers),
            "role": np.where(numbers == 0, 0, self.stream(dataset, "role").choice(numbers, _ROLE_SHARES)),
            "status": (suspended & (numbers > 0)).astype(np.uint8),
            "created_second": anchor_second(dataset) - 1 - ago,
        }

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The users as they are loaded."""
        return self.batch(
            {
                "id": self.ids(portfolio.dataset, rows),
                "full_name": person.full_name(codes),
                "email": person.email(codes),
                "role": labels(codes["role"], ROLES),
                "status": labels(codes["status"], STATES),
                "created_at": timestamps(codes["created_second"]),
            }
        )

    def invalid_values(self, rows: pa.RecordBatch | pa.Table) -> Mapping[str, int]:
        """Reserved e-mail domains, roles."""
        return {**person.invalid_people(rows), "unknown role": outside(rows.column("role"), ROLES)}
