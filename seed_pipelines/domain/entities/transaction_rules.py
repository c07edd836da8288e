"""What must hold between transactions, the installments they pay and the accounts they are on, as they landed."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.domain.coherence import Landed, Rule, cents, days, equals, joined, offending, present
from seed_pipelines.domain.entities.loan_book import INSTALLMENTS, LOANS

TRANSACTIONS: Final = "financial_transactions"
ACCOUNTS: Final = "bank_accounts"
CATEGORIES: Final = "account_categories"


def _payments(landed: Landed) -> Mapping[str, int]:
    installments, accounts = landed.tables[INSTALLMENTS], landed.tables[ACCOUNTS]
    every = landed.tables[TRANSACTIONS]
    paying = every.filter(every.column("installment_id").is_valid())
    payments, paid = joined(paying, "installment_id", installments)
    settled = installments.take(pa.array(paid))
    twice = np.unique(paid, return_counts=True)[1] > 1
    booked = payments.column("occurred_at").cast(pa.date32())
    return offending(
        payments_of_installments_that_are_not_paid=~equals(settled.column("status"), "PAID"),
        payments_of_another_amount=cents(payments.column("amount")) != cents(settled.column("amount")),
        payments_on_another_day=days(booked) != days(settled.column("paid_on")),
        payments_that_are_no_expense=~equals(payments.column("type"), "EXPENSE"),
        installments_paid_twice=twice,
        payments_from_accounts_of_others=_owners(payments, accounts) != _owners_of_loans(settled, landed.tables[LOANS]),
    )


def _owners(payments: pa.Table, accounts: pa.Table) -> NDArray[np.object_]:
    return _looked_up(payments.column("bank_account_id"), accounts, "customer_id")


def _owners_of_loans(installments: pa.Table, loans: pa.Table) -> NDArray[np.object_]:
    return _looked_up(installments.column("loan_id"), loans, "customer_id")


def _looked_up(ids: pa.ChunkedArray, parents: pa.Table, column: str) -> NDArray[np.object_]:
    """A column of the parent with each id; None where there is none."""
    places = pc.index_in(ids.combine_chunks(), parents.column("id").combine_chunks())
    return np.asarray(parents.column(column).combine_chunks().take(places), dtype=object)


def _sound(landed: Landed) -> Mapping[str, int]:
    every = landed.tables[TRANSACTIONS]
    filed, category = joined(every, "category_id", landed.tables[CATEGORIES])
    kinds = landed.tables[CATEGORIES].column("type").take(pa.array(category))
    placed, account = joined(every, "bank_account_id", landed.tables[ACCOUNTS])
    opened = landed.tables[ACCOUNTS].column("opened_at").take(pa.array(account))
    reference = pa.scalar(landed.reference_datetime, pa.timestamp("us", "UTC"))
    return offending(
        transactions_in_a_category_of_the_other_type=np.asarray(pc.not_equal(filed.column("type"), kinds)),
        transactions_without_an_amount=cents(every.column("amount")) <= 0,
        income_from_a_supplier=equals(every.column("type"), "INCOME") & present(every.column("supplier_id")),
        transactions_before_the_account_was_opened=np.asarray(pc.less(placed.column("occurred_at"), opened)),
        transactions_from_the_future=np.asarray(pc.greater_equal(every.column("occurred_at"), reference)),
    )


PAYMENTS_MATCH: Final = Rule(
    "payments_match",
    "Transactions that pay an installment have its amount and its day, and nobody pays for others or twice.",
    (ACCOUNTS, LOANS, INSTALLMENTS, TRANSACTIONS),
    _payments,
)
TRANSACTIONS_SOUND: Final = Rule(
    "transactions_sound",
    "Transactions have an amount, a category of their type, and a date between the account's opening and reference_datetime.",
    (ACCOUNTS, CATEGORIES, TRANSACTIONS),
    _sound,
)
