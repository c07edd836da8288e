"""What must hold between contracts and their loans, recomputed from the rows as they landed."""

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.domain.coherence import Landed, Rule, days, equals, joined, microseconds, offending
from seed_pipelines.domain.entities.contract_body import read, sha256_hex
from seed_pipelines.domain.entities.loan_book import INSTALLMENTS, LOANS
from seed_pipelines.domain.portfolio import CUSTOMERS

CONTRACTS: Final = "contracts"
_TERMS: Final = ("amortization_system", "principal", "monthly_rate_pct", "term", "iof", "cet_yearly_pct")
_LAST_DUE_DAY: Final = 28
_DAY_MICROSECONDS: Final = 86_400_000_000
_STATES: Final = {"IN_PROGRESS": "ACTIVE", "IN_COLLECTION": "ACTIVE", "PAID_OFF": "EXPIRED", "CANCELED": "REVOKED"}
"""State of a loan -> state of its contract."""


def _sound(landed: Landed) -> Mapping[str, int]:
    customers = landed.tables[CUSTOMERS]
    loans, borrower = joined(landed.tables[LOANS], "customer_id", customers)
    contracts, loan = joined(landed.tables[CONTRACTS], "loan_id", loans)
    of_loan = loans.take(pa.array(loan))
    disbursed, term = days(of_loan.column("disbursed_on")), np.asarray(of_loan.column("term"), dtype=np.int64)
    body = read(contracts.column("body"))
    said = body.members
    signed = microseconds(contracts.column("signed_at"))
    fits = [
        equals(of_loan.column("status"), state) & equals(contracts.column("status"), own)
        for state, own in _STATES.items()
    ]
    return offending(
        bodies_that_break_the_schema=body.breaks_schema,
        bodies_not_in_canonical_form=body.is_irregular,
        hashes_other_than_that_of_the_body=_differ(
            sha256_hex(contracts.column("body")), contracts.column("payload_hash")
        ),
        bodies_of_another_number_or_template=_any(
            _differ(said[name], contracts.column(name)) for name in ("number", "template_version")
        ),
        terms_other_than_those_of_the_loan=_any(_differ(said[name], of_loan.column(name)) for name in _TERMS),
        due_dates_other_than_those_of_the_loan=(
            _differ(said["first_due_on"], _due(disbursed, np.ones_like(term)))
            | _differ(said["last_due_on"], _due(disbursed, term))
        ),
        expiries_other_than_the_last_due_date=_differ(said["last_due_on"], contracts.column("expires_on")),
        contracts_in_another_state_than_their_loan=~_any(fits),
        contracts_signed_after_the_payout=signed >= (disbursed + 1) * _DAY_MICROSECONDS,
        contracts_signed_before_the_customer_registered=(
            signed < microseconds(customers.column("registered_at"))[borrower[loan]]
        ),
        loans_with_more_than_one_contract=np.bincount(loan, minlength=loans.num_rows) > 1,
    )


def _schedules(landed: Landed) -> Mapping[str, int]:
    due = landed.tables[INSTALLMENTS].group_by("loan_id").aggregate([("due_on", "min"), ("due_on", "max")])
    due = due.rename_columns({"loan_id": "id"})
    contracts, loan = joined(landed.tables[CONTRACTS], "loan_id", due)
    first, last = (due.column(name).take(pa.array(loan)) for name in ("due_on_min", "due_on_max"))
    said = read(contracts.column("body")).members
    return offending(
        first_due_dates_other_than_the_first_installments=_differ(said["first_due_on"], first),
        last_due_dates_other_than_the_last_installments=_differ(said["last_due_on"], last),
        expiries_other_than_the_last_installments=_differ(contracts.column("expires_on"), last),
    )


def _differ(one: Any, other: Any) -> NDArray[np.bool_]:
    """Where two columns, written as text, are not the same; not where a value is null."""
    return np.asarray(pc.not_equal(one.cast(pa.string()), other.cast(pa.string())).fill_null(False))


def _any(parts: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    return reduce(np.logical_or, parts)


def _due(disbursed: NDArray[np.int64], number: NDArray[np.int64]) -> pa.Date32Array:
    """When the installment of a number is due: on the day of the payout, at most the 28th, so many months later."""
    paid_out = disbursed.astype("datetime64[D]")
    month = paid_out.astype("datetime64[M]")
    day = np.minimum((paid_out - month.astype("datetime64[D]")).astype(np.int64), _LAST_DUE_DAY - 1)
    due = (month + number.astype("timedelta64[M]")).astype("datetime64[D]") + day.astype("timedelta64[D]")
    return pa.array(due)


CONTRACTS_SOUND: Final = Rule(
    "contracts_sound",
    "Contracts state the terms of their loan in a body that fits its schema and its hash, and are in the loan's state.",
    (CUSTOMERS, LOANS, CONTRACTS),
    _sound,
)
CONTRACT_SCHEDULES: Final = Rule(
    "contract_schedules",
    "Contracts begin and end with the first and last installments of their loan.",
    (LOANS, INSTALLMENTS, CONTRACTS),
    _schedules,
)
