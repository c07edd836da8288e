"""Bank accounts: one or more per customer, with branch and account check digits and a skewed balance."""

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.domain.brazil import bank, digits
from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.dataset import Dataset
from seed_pipelines.domain.entities.customers import (
    STATUSES,
    Customers,
    beginnings,
    statuses,
)
from seed_pipelines.domain.entities.entity import Column, Entity, invalid, labels, money, timestamps
from seed_pipelines.domain.masking import Codes, Digits
from seed_pipelines.domain.permutation import AffinePermutation
from seed_pipelines.domain.portfolio import Portfolio
from seed_pipelines.domain.quantiles import amounts
from seed_pipelines.domain.streams import derive_key

ACCOUNT_TYPES: Final = ("CHECKING", "SAVINGS")
STATES: Final = ("ACTIVE", "BLOCKED")
_TYPE_SHARES: Final = (72, 28)
_BLOCKED_PER_MILLE: Final = 15
_BRANCH_DIGITS: Final = 4
_ACCOUNT_DIGITS: Final = 8
_ACCOUNTS: Final = 10**_ACCOUNT_DIGITS
_FIRST_ACCOUNT_SECONDS: Final = 4 * 3600
"""The first account is opened soon after the relation begins."""
_SLOTS: Final = 1000
"""Account numbers set aside for each customer index."""


class BankAccounts(Entity):
    """Accounts hang on customers; a blocked or canceled customer's accounts are blocked."""

    name: ClassVar[str] = "bank_accounts"
    table: ClassVar[str] = "banking.bank_account"
    description: ClassVar[str] = "Checking and savings accounts of the customers."
    columns = (
        Column("id", pa.binary(16), "UUIDv8: dataset, customer index, ordinal, keyed bits."),
        Column("customer_id", pa.binary(16), "The customer who owns the account."),
        Column("branch", pa.string(), "Four digits.", pii="bank branch and account"),
        Column("branch_check_digit", pa.string(), "Modulo 11, X for ten.", few_values=True),
        Column("account_number", pa.string(), "Eight digits.", pii="bank branch and account"),
        Column("account_check_digit", pa.string(), "Modulo 11, X for ten.", few_values=True),
        Column("account_type", pa.string(), "CHECKING or SAVINGS.", few_values=True),
        Column("status", pa.string(), "ACTIVE or BLOCKED.", few_values=True),
        Column("balance", pa.decimal128(16, 2), "BRL; skewed, some accounts empty or overdrawn."),
        Column("opened_at", pa.timestamp("us", "UTC"), "Not before the customer's registered_at."),
    )
    pii: ClassVar = {"branch_account": Digits(_BRANCH_DIGITS + _ACCOUNT_DIGITS)}
    unique = (("branch", "account_number"),)
    hangs_on = Customers
    references: ClassVar = {"customer_id": Customers.name}

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Codes of the accounts."""
        dataset, counters = portfolio.dataset, rows.counters
        index = (rows.customers + np.uint64(dataset.first_unique_index)) * np.uint64(_SLOTS) + rows.ordinals
        space = AffinePermutation.of(derive_key(dataset.permutation_key, self.name, "account"), _SLOTS * 10**9)
        owner_is_gone = statuses(dataset, rows.customers) == STATUSES.index("CANCELED")
        balance = amounts("account_balance", self.stream(dataset, "balance").words(counters))
        return {
            "branch_account": space.apply(index),
            "account_type": account_types(dataset, rows),
            "blocked": blocked(dataset, rows).astype(np.uint8),
            "balance_cents": np.where(owner_is_gone, 0, balance),
            "opened_second": opened_seconds(dataset, rows),
        }

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The accounts as they are loaded."""
        branch, account = np.divmod(codes["branch_account"], np.uint64(_ACCOUNTS))
        dataset = portfolio.dataset
        return self.batch(
            {
                "id": self.ids(dataset, rows),
                "customer_id": Customers.ids(dataset, rows.owners),
                "branch": digits.decimal_strings(branch, _BRANCH_DIGITS),
                "branch_check_digit": bank.branch_check_digits(branch),
                "account_number": digits.decimal_strings(account, _ACCOUNT_DIGITS),
                "account_check_digit": bank.account_check_digits(account),
                "account_type": labels(codes["account_type"], ACCOUNT_TYPES),
                "status": labels(codes["blocked"], STATES),
                "balance": money(codes["balance_cents"], 16),
                "opened_at": timestamps(codes["opened_second"]),
            }
        )

    def invalid_values(self, rows: pa.RecordBatch | pa.Table) -> Mapping[str, int]:
        """Check digits of branch and account."""
        branch = bank.is_valid_branch(rows.column("branch"), rows.column("branch_check_digit"))
        account = bank.is_valid_account(rows.column("account_number"), rows.column("account_check_digit"))
        return {
            "branch with a wrong check digit": invalid(branch),
            "account with a wrong check digit": invalid(account),
        }


def account_types(dataset: Dataset, accounts: Rows) -> NDArray[np.uint8]:
    """Positions in ACCOUNT_TYPES of the accounts."""
    return dataset.stream(BankAccounts.name, "account_type").choice(accounts.counters, _TYPE_SHARES)


def blocked(dataset: Dataset, accounts: Rows) -> NDArray[np.bool_]:
    """Which accounts are blocked: some, and all of blocked and canceled customers."""
    owner_status = statuses(dataset, accounts.customers)
    some = dataset.stream(BankAccounts.name, "status").below(accounts.counters, 1000) < _BLOCKED_PER_MILLE
    return some | np.isin(owner_status, [STATUSES.index("BLOCKED"), STATUSES.index("CANCELED")])


def opened_seconds(dataset: Dataset, accounts: Rows) -> NDArray[np.int64]:
    """Seconds since 1970-01-01T00:00Z at which the accounts were opened, before the anchor's midnight."""
    words = dataset.stream(BankAccounts.name, "opened_at").words(accounts.counters)
    return beginnings(dataset, accounts, words, first_within=_FIRST_ACCOUNT_SECONDS)
