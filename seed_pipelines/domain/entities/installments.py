"""Installments: the schedule of each loan, and what of it has been paid."""

from typing import ClassVar, Final

import numpy as np
import pyarrow as pa

from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.entities.entity import Column, Entity, dates, labels, money
from seed_pipelines.domain.entities.loan_book import INSTALLMENTS, LoanBook
from seed_pipelines.domain.entities.loan_rules import CHARGES, SCHEDULES, STATES_OF_LOANS
from seed_pipelines.domain.entities.loans import Loans
from seed_pipelines.domain.masking import Codes
from seed_pipelines.domain.portfolio import Portfolio

STATES: Final = ("PENDING", "PAID", "OVERDUE", "PARTIALLY_PAID")


class Installments(Entity):
    """Every loan has as many as its term; late payments carry no interest on arrears."""

    name: ClassVar[str] = INSTALLMENTS
    table: ClassVar[str] = "banking.installment"
    description: ClassVar[str] = "Installments of the loans."
    columns = (
        Column("id", pa.binary(16), "UUIDv8: dataset, customer index, ordinal, keyed bits."),
        Column("loan_id", pa.binary(16), "The loan it belongs to."),
        Column("number", pa.int16(), "From 1 to the loan's term.", few_values=True),
        Column("due_on", pa.date32(), "A month after the one before."),
        Column("principal_amount", pa.decimal128(14, 2), "BRL that repay the loan."),
        Column("interest_amount", pa.decimal128(14, 2), "BRL of interest on the balance before it."),
        Column("amount", pa.decimal128(14, 2), "BRL due: principal and interest."),
        Column("paid_amount", pa.decimal128(14, 2), "BRL paid so far."),
        Column("paid_on", pa.date32(), "When the last payment came in; null before the first.", nullable=True),
        Column("status", pa.string(), "PENDING, PAID, OVERDUE or PARTIALLY_PAID.", few_values=True),
    )
    pii: ClassVar = {}
    unique = (("loan_id", "number"),)
    hangs_on = Loans
    most_per_parent = 60
    fewest_per_parent = 1
    references: ClassVar = {"loan_id": Loans.name}
    rules = (SCHEDULES, CHARGES, STATES_OF_LOANS)

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Codes of the installments."""
        loans = LoanBook.of_customers(portfolio, *rows.customer_range)
        amortised, interest = loans.book.parts
        states = np.where(loans.is_overdue, STATES.index("OVERDUE"), STATES.index("PENDING"))
        states = np.where(loans.is_half_paid, STATES.index("PARTIALLY_PAID"), states)
        paid = np.where(loans.is_paid, loans.book.amount, np.where(loans.is_half_paid, loans.book.amount // 2, 0))
        codes = {
            "due_day": loans.due,
            "principal_cents": amortised,
            "interest_cents": interest,
            "amount_cents": loans.book.amount,
            "paid_cents": paid,
            "paid_day": np.where(loans.is_paid, loans.paid_day, loans.due),
            "status": np.where(loans.is_paid, STATES.index("PAID"), states).astype(np.uint8),
        }
        if len(loans.installments) == len(rows):
            return codes
        places = np.searchsorted(loans.installments.counters, rows.counters)
        return {name: column[places] for name, column in codes.items()}

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The installments as they are loaded."""
        return self.batch(
            {
                "id": self.ids(portfolio.dataset, rows),
                "loan_id": Loans.ids(portfolio.dataset, rows.parents),
                "number": pa.array((rows.positions + 1).astype(np.int16)),
                "due_on": dates(codes["due_day"]),
                "principal_amount": money(codes["principal_cents"], 14),
                "interest_amount": money(codes["interest_cents"], 14),
                "amount": money(codes["amount_cents"], 14),
                "paid_amount": money(codes["paid_cents"], 14),
                "paid_on": dates(codes["paid_day"], absent=codes["paid_cents"] == 0),
                "status": labels(codes["status"], STATES),
            }
        )
