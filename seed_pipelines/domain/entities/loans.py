"""Loans: personal credit to customers, repaid by the Price table or by SAC."""

from typing import ClassVar, Final

import numpy as np
import pyarrow as pa

from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.entities.customers import Customers
from seed_pipelines.domain.entities.entity import (
    Column,
    Entity,
    dates,
    labels,
    money,
    tenant_ids,
    tenant_row_of,
)
from seed_pipelines.domain.entities.loan_book import LOANS, LoanBook
from seed_pipelines.domain.masking import Codes
from seed_pipelines.domain.portfolio import Portfolio

SYSTEMS: Final = ("PRICE", "SAC")
STATES: Final = ("IN_PROGRESS", "PAID_OFF", "IN_COLLECTION", "CANCELED")
_CONSULTANTS: Final = "consultants"


class Loans(Entity):
    """Terms derive from the anchor, the state from the reference."""

    name: ClassVar[str] = LOANS
    table: ClassVar[str] = "banking.loan"
    description: ClassVar[str] = "Personal loans of the customers."
    columns = (
        Column("id", pa.binary(16), "UUIDv8: dataset, customer index, ordinal, keyed bits."),
        Column("customer_id", pa.binary(16), "The borrower."),
        Column("consultant_id", pa.binary(16), "Who sold the loan, where consultants are seeded.", nullable=True),
        Column("amortization_system", pa.string(), "PRICE or SAC.", few_values=True),
        Column("principal", pa.decimal128(14, 2), "BRL lent, before tax; a multiple of the borrower's income."),
        Column("monthly_rate_pct", pa.decimal128(6, 2), "Per cent a month.", few_values=True),
        Column("term", pa.int16(), "Number of monthly installments.", few_values=True),
        Column("iof", pa.decimal128(14, 2), "BRL of tax (IOF), kept from the payout."),
        Column("net_amount", pa.decimal128(14, 2), "BRL paid out: the principal without the tax."),
        Column("cet_yearly_pct", pa.decimal128(10, 2), "Total effective cost (CET), per cent a year."),
        Column("disbursed_on", pa.date32(), "When it was paid out; not before the customer's registered_at."),
        Column("status", pa.string(), "IN_PROGRESS, PAID_OFF, IN_COLLECTION or CANCELED.", few_values=True),
    )
    pii: ClassVar = {}
    hangs_on = Customers
    most_per_parent = 20
    references: ClassVar = {"customer_id": Customers.name, "consultant_id": _CONSULTANTS}

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Codes of the loans."""
        loans = LoanBook.of(portfolio, rows)
        net = loans.book.principal - loans.iof
        states = np.where(loans.is_in_collection, STATES.index("IN_COLLECTION"), STATES.index("IN_PROGRESS"))
        states = np.where(loans.is_paid_off, STATES.index("PAID_OFF"), states)
        return {
            "system": loans.book.is_sac.astype(np.uint8),
            "principal_cents": loans.book.principal,
            "rate_basis_points": loans.book.rate,
            "term": loans.book.term,
            "iof_cents": loans.iof,
            "net_cents": net,
            "cet_basis_points": loans.book.cet(net),
            "disbursed_day": loans.disbursed,
            "status": np.where(loans.canceled, STATES.index("CANCELED"), states).astype(np.uint8),
        }

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The loans as they are loaded."""
        sellers = tenant_row_of(portfolio, _CONSULTANTS, rows.customers)
        return self.batch(
            {
                "id": self.ids(portfolio.dataset, rows),
                "customer_id": Customers.ids(portfolio.dataset, rows.owners),
                "consultant_id": tenant_ids(portfolio, _CONSULTANTS, sellers),
                "amortization_system": labels(codes["system"], SYSTEMS),
                "principal": money(codes["principal_cents"], 14),
                "monthly_rate_pct": money(codes["rate_basis_points"], 6),
                "term": pa.array(codes["term"].astype(np.int16)),
                "iof": money(codes["iof_cents"], 14),
                "net_amount": money(codes["net_cents"], 14),
                "cet_yearly_pct": money(codes["cet_basis_points"], 10),
                "disbursed_on": dates(codes["disbursed_day"]),
                "status": labels(codes["status"], STATES),
            }
        )
