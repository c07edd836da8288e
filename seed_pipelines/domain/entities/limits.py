"""Limits: what an account may be overdrawn by, or what its card may spend."""

from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.entities.bank_accounts import (
    ACCOUNT_TYPES,
    BankAccounts,
    account_types,
    blocked,
    opened_seconds,
)
from seed_pipelines.domain.entities.customers import STATUSES, anchor_second, income_cents, statuses
from seed_pipelines.domain.entities.entity import Column, Entity, labels, money, timestamps
from seed_pipelines.domain.entities.limit_rules import LIMITS, LIMITS_RESPECTED
from seed_pipelines.domain.masking import Codes
from seed_pipelines.domain.portfolio import Portfolio

KINDS: Final = ("OVERDRAFT", "CREDIT_CARD")
STATES: Final = ("ACTIVE", "FROZEN", "CANCELED")
_STATE_SHARES: Final = (94, 2, 4)
"""Of customers in good standing."""
_CARD_PER_CENT: Final = 55
"""Of checking accounts; savings accounts have no overdraft."""
_FEWEST_TENTHS: Final = np.asarray((3, 5))
_SPREAD_TENTHS: Final = np.asarray((13, 31))
"""A limit is 0.3 to 1.5 monthly incomes for an overdraft, 0.5 to 3.5 for a card."""
_STEP_CENTS: Final = 10_000
_UNUSED_PER_CENT: Final = 25
_SHARE_BITS: Final = 10


class Limits(Entity):
    """An account has one or none; its state follows those of the customer and the account."""

    name: ClassVar[str] = LIMITS
    table: ClassVar[str] = "banking.credit_limit"
    description: ClassVar[str] = "Overdraft and card limits of the accounts."
    columns = (
        Column("id", pa.binary(16), "UUIDv8: dataset, customer index, ordinal, keyed bits."),
        Column("bank_account_id", pa.binary(16), "The account; it has no other limit."),
        Column("kind", pa.string(), "OVERDRAFT or CREDIT_CARD; a savings account has no overdraft.", few_values=True),
        Column("total_amount", pa.decimal128(14, 2), "BRL granted: whole hundreds, by the customer's income."),
        Column("used_amount", pa.decimal128(14, 2), "BRL in use, at most the total; none once canceled."),
        Column("status", pa.string(), "ACTIVE, FROZEN or CANCELED.", few_values=True),
        Column("granted_at", pa.timestamp("us", "UTC"), "Not before the account's opened_at."),
    )
    pii: ClassVar = {}
    unique = (("bank_account_id",),)
    hangs_on = BankAccounts
    most_per_parent = 1
    references: ClassVar = {"bank_account_id": BankAccounts.name}
    rules = (LIMITS_RESPECTED,)

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Codes of the limits."""
        dataset, counters = portfolio.dataset, rows.counters
        accounts, owner_status = rows.parents, statuses(portfolio.dataset, rows.customers)
        is_checking = account_types(dataset, accounts) == ACCOUNT_TYPES.index("CHECKING")
        is_overdraft = is_checking & (self.stream(dataset, "kind").below(counters, 100) >= _CARD_PER_CENT)
        kind = np.where(is_overdraft, KINDS.index("OVERDRAFT"), KINDS.index("CREDIT_CARD"))
        tenths = _FEWEST_TENTHS[kind] + self.stream(dataset, "total").within(counters, _SPREAD_TENTHS[kind])
        total = income_cents(dataset, rows.customers) * tenths // (10 * _STEP_CENTS) * _STEP_CENTS
        drawn = self.stream(dataset, "status").choice(counters, _STATE_SHARES)
        state = _states(drawn, owner_status, blocked(dataset, accounts))
        opened = opened_seconds(dataset, accounts)
        waited = self.stream(dataset, "granted_at").within(counters, anchor_second(dataset) - opened)
        used = self._used(portfolio, rows, total, owner_status == STATUSES.index("DELINQUENT"))
        return {
            "kind": kind.astype(np.uint8),
            "total_cents": total,
            "used_cents": np.where(state == STATES.index("CANCELED"), 0, used),
            "status": state,
            "granted_second": opened + waited,
        }

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The limits as they are loaded."""
        return self.batch(
            {
                "id": self.ids(portfolio.dataset, rows),
                "bank_account_id": BankAccounts.ids(portfolio.dataset, rows.parents),
                "kind": labels(codes["kind"], KINDS),
                "total_amount": money(codes["total_cents"], 14),
                "used_amount": money(codes["used_cents"], 14),
                "status": labels(codes["status"], STATES),
                "granted_at": timestamps(codes["granted_second"]),
            }
        )

    def _used(
        self, portfolio: Portfolio, rows: Rows, total: NDArray[np.int64], is_delinquent: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Cents in use: little of most limits, nothing of some, and nearly all of those of delinquent customers."""
        dataset, counters = portfolio.dataset, rows.counters
        one, other = (self.stream(dataset, f"used/{part}").below(counters, 1 << _SHARE_BITS) for part in "ab")
        part = total * (one * other).astype(np.int64) >> 2 * _SHARE_BITS
        unused = self.stream(dataset, "unused").below(counters, 100) < _UNUSED_PER_CENT
        return np.where(is_delinquent, total - part, np.where(unused, 0, part))


def _states(
    drawn: NDArray[np.uint8], owner_status: NDArray[np.uint8], account_blocked: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Positions in STATES: canceled with the customer, frozen while the customer may not spend, or the account."""
    frozen, canceled = STATES.index("FROZEN"), STATES.index("CANCELED")
    states = np.where(account_blocked & (drawn == STATES.index("ACTIVE")), frozen, drawn)
    states = np.where(np.isin(owner_status, [STATUSES.index("BLOCKED"), STATUSES.index("DELINQUENT")]), frozen, states)
    return np.where(owner_status == STATUSES.index("CANCELED"), canceled, states).astype(np.uint8)
