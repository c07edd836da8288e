"""Contracts: what was signed for a loan."""

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.domain.brazil import ccb
from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.entities.contract_body import TEMPLATE_VERSION, canonical, sha256_hex
from seed_pipelines.domain.entities.contract_rules import CONTRACT_SCHEDULES, CONTRACTS, CONTRACTS_SOUND
from seed_pipelines.domain.entities.customers import registration_seconds
from seed_pipelines.domain.entities.entity import Column, Entity, dates, invalid, labels, money, timestamps
from seed_pipelines.domain.entities.loan_book import LoanBook
from seed_pipelines.domain.entities.loans import SYSTEMS, Loans
from seed_pipelines.domain.masking import Codes
from seed_pipelines.domain.permutation import AffinePermutation
from seed_pipelines.domain.portfolio import Portfolio
from seed_pipelines.domain.streams import derive_key

STATES: Final = ("ACTIVE", "EXPIRED", "REVOKED")
_SLOTS: Final = 100
"""Numbers set aside for each customer index: more than a customer has loans."""
_DAY_SECONDS: Final = 86_400
_DAYS_BEFORE_PAYOUT: Final = 4
"""Signed on the day of the payout or up to three days before."""
_OPENS_SECOND: Final = 8 * 3600
_CLOSES_SECOND: Final = 21 * 3600
"""An hour after the latest registration of a day."""


class Contracts(Entity):
    """A loan has one or none; the terms are those of the loan, the state follows the loan's."""

    name: ClassVar[str] = CONTRACTS
    table: ClassVar[str] = "banking.contract"
    description: ClassVar[str] = "Signed contracts of the loans."
    columns = (
        Column("id", pa.binary(16), "UUIDv8: dataset, customer index, ordinal, keyed bits."),
        Column("loan_id", pa.binary(16), "The loan; it has no other contract."),
        Column("number", pa.string(), "CCB, the year of signing, eleven digits, Luhn check digit."),
        Column("template_version", pa.string(), "The version of the text that was signed.", few_values=True),
        Column("signed_at", pa.timestamp("us", "UTC"), "On the day of the payout or up to three days before."),
        Column("expires_on", pa.date32(), "When the last installment is due."),
        Column("status", pa.string(), "ACTIVE, EXPIRED (paid off) or REVOKED (canceled).", few_values=True),
        Column("body", pa.string(), "The terms as canonical JSON: loan-contract.schema.json."),
        Column("payload_hash", pa.string(), "SHA-256 of the body's UTF-8 bytes, in hexadecimal."),
    )
    pii: ClassVar = {}
    unique = (("number",), ("loan_id",))
    hangs_on = Loans
    most_per_parent = 1
    references: ClassVar = {"loan_id": Loans.name}
    rules = (CONTRACTS_SOUND, CONTRACT_SCHEDULES)

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Codes of the contracts."""
        loans = LoanBook.of(portfolio, rows.parents)
        book = loans.book
        states = np.where(loans.is_paid_off, STATES.index("EXPIRED"), STATES.index("ACTIVE"))
        return {
            "serial": self._serials(portfolio, rows.parents),
            "signed_second": self._signed_seconds(portfolio, rows, loans.disbursed),
            "system": book.is_sac.astype(np.uint8),
            "principal_cents": book.principal,
            "rate_basis_points": book.rate,
            "term": book.term,
            "iof_cents": loans.iof,
            "cet_basis_points": book.cet(book.principal - loans.iof),
            "first_due_day": loans.due[book.starts],
            "last_due_day": loans.due[book.starts + book.term - 1],
            "status": np.where(loans.canceled, STATES.index("REVOKED"), states).astype(np.uint8),
        }

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The contracts as they are loaded."""
        signed = codes["signed_second"]
        years = signed.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970
        number = ccb.numbers(years.astype(np.uint64), codes["serial"])
        template = pa.repeat(TEMPLATE_VERSION, len(rows))
        expires = dates(codes["last_due_day"])
        body = canonical(
            {
                "amortization_system": labels(codes["system"], SYSTEMS),
                "cet_yearly_pct": money(codes["cet_basis_points"], 10).cast(pa.string()),
                "first_due_on": dates(codes["first_due_day"]).cast(pa.string()),
                "iof": money(codes["iof_cents"], 14).cast(pa.string()),
                "last_due_on": expires.cast(pa.string()),
                "monthly_rate_pct": money(codes["rate_basis_points"], 6).cast(pa.string()),
                "number": number,
                "principal": money(codes["principal_cents"], 14).cast(pa.string()),
                "template_version": template,
                "term": pa.array(codes["term"]).cast(pa.string()),
            }
        )
        return self.batch(
            {
                "id": self.ids(portfolio.dataset, rows),
                "loan_id": Loans.ids(portfolio.dataset, rows.parents),
                "number": number,
                "template_version": template,
                "signed_at": timestamps(signed),
                "expires_on": expires,
                "status": labels(codes["status"], STATES),
                "body": body,
                "payload_hash": sha256_hex(body),
            }
        )

    def invalid_values(self, rows: pa.RecordBatch | pa.Table) -> Mapping[str, int]:
        """Numbers of contracts."""
        return {"contract number of another form or with a wrong check digit": invalid(ccb.is_valid(rows["number"]))}

    def _serials(self, portfolio: Portfolio, loans: Rows) -> NDArray[np.uint64]:
        """A serial for each loan that no other loan of any profile of the tenant and environment has."""
        dataset = portfolio.dataset
        index = (loans.customers + np.uint64(dataset.first_unique_index)) * np.uint64(_SLOTS) + loans.ordinals
        return AffinePermutation.of(derive_key(dataset.permutation_key, self.name, "number"), ccb.SERIALS).apply(index)

    def _signed_seconds(self, portfolio: Portfolio, rows: Rows, disbursed: NDArray[np.int64]) -> NDArray[np.int64]:
        """Seconds since 1970-01-01T00:00Z, in banking hours, after the customer's registration."""
        dataset, counters = portfolio.dataset, rows.counters
        registered = registration_seconds(dataset, rows.customers)
        ago = self.stream(dataset, "signed_at/day").below(counters, _DAYS_BEFORE_PAYOUT).astype(np.int64)
        midnight = np.maximum(disbursed - ago, registered // _DAY_SECONDS) * _DAY_SECONDS
        opens: NDArray[np.int64] = np.maximum(midnight + _OPENS_SECOND, registered)
        waited = self.stream(dataset, "signed_at/time").within(counters, midnight + _CLOSES_SECOND - opens)
        return waited + opens
