"""Consultants: people who sell loans to the customers, for a commission."""

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa

from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.entities import person
from seed_pipelines.domain.entities.entity import Column, Entity, dates, labels, money
from seed_pipelines.domain.masking import Codes
from seed_pipelines.domain.portfolio import Portfolio

STATES: Final = ("ACTIVE", "INACTIVE")
_INACTIVE_PER_CENT: Final = 10
_SMALLEST_COMMISSION: Final = 50
_COMMISSIONS: Final = 301
"""Basis points of the principal: from half a per cent to three and a half."""
_SHORTEST_DAYS: Final = 12 * 365
"""No customer has been there longer, so that no loan is older than who sold it."""
_SPREAD_DAYS: Final = 10 * 365


class Consultants(Entity):
    """Each looks after neighbouring customers."""

    name: ClassVar[str] = "consultants"
    table: ClassVar[str] = "banking.consultant"
    description: ClassVar[str] = "People who sell loans for the tenant."
    columns = (
        Column("id", pa.binary(16), "UUIDv8: dataset, row number, keyed bits."),
        Column("document_number", pa.string(), "CPF: eleven digits, valid check digits.", pii="national document"),
        Column("full_name", pa.string(), "Given name and surnames.", pii="name"),
        Column("email", pa.string(), "From the masked name; in a reserved domain (RFC 2606).", pii="e-mail"),
        Column("phone", pa.string(), "Mobile, E.164: +55, area code, 9 and eight digits.", pii="phone"),
        Column("commission_pct", pa.decimal128(5, 2), "Per cent of the principal of a loan."),
        Column("status", pa.string(), "ACTIVE or INACTIVE.", few_values=True),
        Column("hired_on", pa.date32(), "Before the oldest loan; at most 22 years before anchor_datetime."),
    )
    pii: ClassVar = {**person.DOCUMENT_PII, **person.NAME_PII, **person.EMAIL_PII, **person.PHONE_PII}
    unique = (("document_number",), ("email",))
    of_tenant = True

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Codes of the consultants."""
        dataset, numbers = portfolio.dataset, rows.customers
        inactive = self.stream(dataset, "status").below(numbers, 100) < _INACTIVE_PER_CENT
        commission = self.stream(dataset, "commission_pct").below(numbers, _COMMISSIONS).astype(np.int64)
        return {
            **person.draw_document(Consultants, dataset, numbers),
            **person.draw_name(Consultants, dataset, numbers),
            **person.draw_email(Consultants, dataset, numbers),
            **person.draw_phone(Consultants, dataset, numbers),
            "commission_basis_points": commission + _SMALLEST_COMMISSION,
            "status": inactive.astype(np.uint8),
            "hired_day": dataset.anchor_day
            - 1
            - _SHORTEST_DAYS
            - self.stream(dataset, "hired_on").below(numbers, _SPREAD_DAYS).astype(np.int64),
        }

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The consultants as they are loaded."""
        return self.batch(
            {
                "id": self.ids(portfolio.dataset, rows),
                "document_number": person.document_number(codes),
                "full_name": person.full_name(codes),
                "email": person.email(codes),
                "phone": person.phone_number(codes),
                "commission_pct": money(codes["commission_basis_points"], 5),
                "status": labels(codes["status"], STATES),
                "hired_on": dates(codes["hired_day"]),
            }
        )

    def invalid_values(self, rows: pa.RecordBatch | pa.Table) -> Mapping[str, int]:
        """CPF check digits, phone format, reserved e-mail domains."""
        return person.invalid_people(rows)
