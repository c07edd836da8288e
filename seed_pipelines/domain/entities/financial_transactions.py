"""Financial transactions: money that comes into the accounts and goes out, payments of installments among it."""

from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.domain.amortization import Integers
from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.entities.account_categories import TYPES
from seed_pipelines.domain.entities.bank_accounts import BankAccounts, opened_seconds
from seed_pipelines.domain.entities.customers import anchor_second, income_cents
from seed_pipelines.domain.entities.entity import (
    Column,
    Entity,
    ids_where,
    labels,
    money,
    tenant_ids,
    tenant_row_of,
    timestamps,
)
from seed_pipelines.domain.entities.installments import Installments
from seed_pipelines.domain.entities.loan_book import INSTALLMENTS, LoanBook
from seed_pipelines.domain.entities.transaction_rules import PAYMENTS_MATCH, TRANSACTIONS_SOUND
from seed_pipelines.domain.masking import Codes
from seed_pipelines.domain.portfolio import Portfolio

DESCRIPTIONS: Final = (
    "Pagamento de parcela",
    *("Compra no débito", "Pix enviado", "Boleto pago", "Compra no crédito", "Tarifa bancária"),
    *("Salário", "Pix recebido", "TED recebida", "Rendimento de aplicação"),
)
_EXPENSE_DESCRIPTIONS: Final = (1, 5)
_INCOME_DESCRIPTIONS: Final = (6, 4)
"""The first, and how many."""
_CATEGORIES: Final = "account_categories"
_SUPPLIERS: Final = "suppliers"
_INCOME_PER_CENT: Final = 28
_YEAR_SECONDS: Final = 365 * 86_400
_OPENING_SECOND, _OPEN_SECONDS = 8 * 3600, 12 * 3600


class FinancialTransactions(Entity):
    """Up to half of the first account's transactions each stand for an installment, and pay it once it is paid."""

    name: ClassVar[str] = "financial_transactions"
    table: ClassVar[str] = "banking.financial_transaction"
    description: ClassVar[str] = "Income and expenses of the bank accounts."
    columns = (
        Column("id", pa.binary(16), "UUIDv8: dataset, customer index, ordinal, keyed bits."),
        Column("bank_account_id", pa.binary(16), "The account."),
        Column("category_id", pa.binary(16), "What kind of income or expense it is."),
        Column("supplier_id", pa.binary(16), "Whom an expense went to, where suppliers are seeded.", nullable=True),
        Column("installment_id", pa.binary(16), "The installment that it pays, if it pays one.", nullable=True),
        Column("type", pa.string(), "INCOME or EXPENSE.", few_values=True),
        Column("amount", pa.decimal128(14, 2), "BRL, above zero; that of the installment it pays."),
        Column("occurred_at", pa.timestamp("us", "UTC"), "On the day on which the installment was paid."),
        Column("description", pa.string(), "As on a statement.", few_values=True),
    )
    pii: ClassVar = {}
    hangs_on = BankAccounts
    most_per_parent = 500
    requires: ClassVar = {_CATEGORIES: 2}
    references: ClassVar = {
        "bank_account_id": BankAccounts.name,
        "category_id": _CATEGORIES,
        "supplier_id": _SUPPLIERS,
        "installment_id": INSTALLMENTS,
    }
    rules = (PAYMENTS_MATCH, TRANSACTIONS_SOUND)

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Codes of the transactions."""
        dataset, counters = portfolio.dataset, rows.counters
        income = self.stream(dataset, "type").below(counters, 100) < _INCOME_PER_CENT
        words = self.stream(dataset, "amount").words(counters)
        earned = income_cents(dataset, rows.customers)
        share = (words >> np.uint64(48)).astype(np.int64)
        spent = 100 + ((earned >> 3) * share >> 16) * share // (1 << 16)
        received = earned // 4 + (earned * share >> 16)
        opened = opened_seconds(dataset, rows.parents)
        longest = np.minimum(anchor_second(dataset) - opened, _YEAR_SECONDS)
        ago = self.stream(dataset, "occurred_at").within(counters, longest)
        begin, choices = np.asarray([_EXPENSE_DESCRIPTIONS, _INCOME_DESCRIPTIONS])[income.astype(np.intp)].T
        codes = {
            "income": income,
            "category": self._categories(portfolio, rows, income),
            "supplier": self._suppliers(portfolio, rows),
            "amount_cents": np.where(income, received, spent),
            "second": anchor_second(dataset) - 1 - ago,
            "description": begin + self.stream(dataset, "description").within(counters, choices),
            "installment_counter": np.zeros(len(rows), dtype=np.uint64),
            "pays": np.zeros(len(rows), dtype=bool),
        }
        return codes if INSTALLMENTS not in portfolio.counts else self._with_payments(portfolio, rows, codes)

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The transactions as they are loaded."""
        installments = Rows.of_counters(codes["installment_counter"])
        return self.batch(
            {
                "id": self.ids(portfolio.dataset, rows),
                "bank_account_id": BankAccounts.ids(portfolio.dataset, rows.parents),
                "category_id": tenant_ids(portfolio, _CATEGORIES, codes["category"]),
                "supplier_id": tenant_ids(portfolio, _SUPPLIERS, codes["supplier"], codes["income"] | codes["pays"]),
                "installment_id": ids_where(codes["pays"], Installments.ids(portfolio.dataset, installments)),
                "type": labels(codes["income"].astype(np.uint8), TYPES),
                "amount": money(codes["amount_cents"], 14),
                "occurred_at": timestamps(codes["second"]),
                "description": labels(codes["description"], DESCRIPTIONS),
            }
        )

    def _categories(self, portfolio: Portfolio, rows: Rows, income: NDArray[np.bool_]) -> NDArray[np.uint64]:
        """Numbers of categories: even ones of expenses, odd ones of income; more of them, the later the customer."""
        known = tenant_row_of(portfolio, _CATEGORIES, rows.customers)
        pairs = np.maximum((known + np.uint64(1)) // np.uint64(2), np.uint64(1))
        chosen = self.stream(portfolio.dataset, "category").within(rows.counters, pairs)
        return (2 * chosen + income).astype(np.uint64)

    def _suppliers(self, portfolio: Portfolio, rows: Rows) -> NDArray[np.uint64]:
        known = tenant_row_of(portfolio, _SUPPLIERS, rows.customers)
        return self.stream(portfolio.dataset, "supplier").within(rows.counters, known + np.uint64(1)).astype(np.uint64)

    def _with_payments(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> Codes:
        first, end = rows.customer_range
        loans = LoanBook.of_customers(portfolio, first, end)
        customers = loans.installments.customers.astype(np.int64) - first
        counts = np.bincount(customers, minlength=end - first)
        customer = rows.customers.astype(np.int64) - first
        stands_for = rows.positions < np.minimum(self._slots(portfolio, rows), counts[customer])
        candidates = np.flatnonzero(stands_for)
        installment = (np.cumsum(counts) - counts)[customer[candidates]] + rows.positions[candidates]
        is_paid = loans.is_paid[installment]
        pays, paid = candidates[is_paid], installment[is_paid]
        time_of_day = self.stream(portfolio.dataset, "time").below(rows.counters[pays], _OPEN_SECONDS).astype(np.int64)
        changed = {name: column.copy() for name, column in codes.items()}
        changed["pays"][pays] = True
        changed["income"][pays] = False
        changed["category"][pays] = 0
        changed["description"][pays] = 0
        changed["amount_cents"][pays] = loans.book.amount[paid]
        changed["installment_counter"][pays] = loans.installments.counters[paid]
        changed["second"][pays] = loans.paid_day[paid] * 86_400 + _OPENING_SECOND + time_of_day
        return changed

    def _slots(self, portfolio: Portfolio, rows: Rows) -> Integers:
        """How many of the transactions of each row's account may pay installments: half of them, at the first account."""
        accounts = rows.parents
        every = portfolio.rows(BankAccounts(), *rows.customer_range)
        shares = portfolio.shares(self, every)[np.searchsorted(every.counters, accounts.counters)]
        return np.where(accounts.ordinals == 0, shares // 2, 0)
