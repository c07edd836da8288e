"""What must hold between limits, their accounts and the customers, recomputed from the rows as they landed."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from seed_pipelines.domain.coherence import Landed, Rule, cents, equals, joined, microseconds, offending
from seed_pipelines.domain.portfolio import CUSTOMERS

LIMITS: Final = "limits"
BANK_ACCOUNTS: Final = "bank_accounts"


def _respected(landed: Landed) -> Mapping[str, int]:
    accounts, owner = joined(landed.tables[BANK_ACCOUNTS], "customer_id", landed.tables[CUSTOMERS])
    limits, account = joined(landed.tables[LIMITS], "bank_account_id", accounts)
    total, used = cents(limits.column("total_amount")), cents(limits.column("used_amount"))
    granted, opened = microseconds(limits.column("granted_at")), microseconds(accounts.column("opened_at"))[account]
    state = {name: equals(limits.column("status"), name) for name in ("ACTIVE", "FROZEN", "CANCELED")}
    owner_status = landed.tables[CUSTOMERS].column("status")
    gone = equals(owner_status, "CANCELED")[owner[account]]
    stopped = (equals(owner_status, "BLOCKED") | equals(owner_status, "DELINQUENT"))[owner[account]]
    is_blocked = equals(accounts.column("status"), "BLOCKED")[account]
    is_savings = equals(accounts.column("account_type"), "SAVINGS")[account]
    return offending(
        limits_used_beyond_their_total_or_below_zero=(used < 0) | (used > total),
        accounts_with_more_than_one_limit=np.bincount(account, minlength=accounts.num_rows) > 1,
        canceled_limits_in_use=state["CANCELED"] & (used != 0),
        limits_granted_before_the_account_was_opened=granted < opened,
        limits_granted_in_the_future=granted >= landed.reference_datetime.timestamp() * 1_000_000,
        limits_in_another_state_than_their_customers=(gone & ~state["CANCELED"]) | (stopped & ~state["FROZEN"]),
        active_limits_of_blocked_accounts=state["ACTIVE"] & is_blocked,
        overdrafts_of_savings_accounts=is_savings & equals(limits.column("kind"), "OVERDRAFT"),
    )


LIMITS_RESPECTED: Final = Rule(
    "limits_respected",
    "Limits are used within their total, one to an account, and fit what their account and customer may do.",
    (CUSTOMERS, BANK_ACCOUNTS, LIMITS),
    _respected,
)
