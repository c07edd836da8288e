"""Customers: natural persons with a CPF, of age, with a plausible Brazilian name, address book entry and income."""

from collections.abc import Mapping
from datetime import date
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.dataset import Dataset
from seed_pipelines.domain.entities import person
from seed_pipelines.domain.entities.entity import Column, Entity, dates, labels, money, timestamps
from seed_pipelines.domain.masking import Codes, Days
from seed_pipelines.domain.portfolio import Portfolio
from seed_pipelines.domain.quantiles import amounts

STATUSES: Final = ("ACTIVE", "BLOCKED", "DELINQUENT", "CANCELED")
_STATUS_SHARES: Final = (86, 4, 7, 3)
_EPOCH: Final = date(1970, 1, 1)
_ADULT_YEARS: Final = 18
_YEAR_DAYS: Final = 365
_RAMP_YEARS: Final = 10
_SPREAD_YEARS: Final = 58
"""Years above the youngest: one uniform draw of the ramp plus the smaller of two of the spread."""
_MASKED_DAYS: Final = 182
"""Birth dates are shifted by up to half a year, so everybody is drawn at least that much older than 18."""
_LONGEST_RELATION_DAYS: Final = 12 * _YEAR_DAYS
_DAY_SECONDS: Final = 86_400


class Customers(Entity):
    """One row per customer index."""

    name: ClassVar[str] = "customers"
    table: ClassVar[str] = "banking.customer"
    description: ClassVar[str] = "People who bank with the tenant."
    columns = (
        Column("id", pa.binary(16), "UUIDv8: dataset, customer index, ordinal, keyed bits."),
        Column("document_number", pa.string(), "CPF: eleven digits, valid check digits.", pii="national document"),
        Column("full_name", pa.string(), "Given name and surnames.", pii="name"),
        Column("gender", pa.string(), "F or M; the given name agrees with it.", few_values=True),
        Column("birth_date", pa.date32(), "Of age at anchor_datetime and ever after.", pii="birth date"),
        Column("email", pa.string(), "From the masked name; in a reserved domain (RFC 2606).", pii="e-mail"),
        Column("phone", pa.string(), "Mobile, E.164: +55, area code, 9 and eight digits.", pii="phone"),
        Column("status", pa.string(), "ACTIVE, BLOCKED, DELINQUENT or CANCELED.", few_values=True),
        Column(
            "monthly_income",
            pa.decimal128(14, 2),
            "BRL a month; log-normal, never below the minimum wage of 2025.",
        ),
        Column("registered_at", pa.timestamp("us", "UTC"), "When the relation began; after the 18th birthday."),
    )
    pii: ClassVar = {
        **person.DOCUMENT_PII,
        **person.NAME_PII,
        "birth_day": Days(_MASKED_DAYS),
        **person.EMAIL_PII,
        **person.PHONE_PII,
    }
    unique = (("document_number",), ("email",))

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Codes of the customers."""
        dataset, customers = portfolio.dataset, rows.customers
        born = birth_days(dataset, customers)
        return {
            **person.draw_document(Customers, dataset, customers),
            **person.draw_name(Customers, dataset, customers),
            "birth_day": born,
            **person.draw_email(Customers, dataset, customers),
            **person.draw_phone(Customers, dataset, customers),
            "status": statuses(dataset, customers),
            "income_cents": income_cents(dataset, customers),
            "registered_second": _registered(dataset, customers, born),
        }

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The customers as they are loaded."""
        return self.batch(
            {
                "id": self.ids(portfolio.dataset, rows),
                "document_number": person.document_number(codes),
                "full_name": person.full_name(codes),
                "gender": labels(codes["gender"], person.GENDERS),
                "birth_date": dates(codes["birth_day"]),
                "email": person.email(codes),
                "phone": person.phone_number(codes),
                "status": labels(codes["status"], STATUSES),
                "monthly_income": money(codes["income_cents"], 14),
                "registered_at": timestamps(codes["registered_second"]),
            }
        )

    def invalid_values(self, rows: pa.RecordBatch | pa.Table) -> Mapping[str, int]:
        """CPF check digits, phone format, reserved e-mail domains."""
        return person.invalid_people(rows)


def statuses(dataset: Dataset, customers: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Positions in STATUSES of the customers."""
    return dataset.stream(Customers.name, "status").choice(customers, _STATUS_SHARES)


def income_cents(dataset: Dataset, customers: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The customers' monthly income."""
    return amounts("monthly_income", dataset.stream(Customers.name, "monthly_income").words(customers))


def areas(dataset: Dataset, customers: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Positions in `phone.AREA_CODES` of the customers; masking keeps the area code."""
    return person.draw_areas(Customers, dataset, customers)


def birth_days(dataset: Dataset, customers: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Days since 1970-01-01 on which the customers were born, before masking: most in their twenties to forties."""
    years = (_RAMP_YEARS, _SPREAD_YEARS, _SPREAD_YEARS)
    ramp, one, other = (
        dataset.stream(Customers.name, f"birth_date/{part}").below(customers, span * _YEAR_DAYS)
        for part, span in enumerate(years)
    )
    return _latest_birth_day(dataset) - (ramp + np.minimum(one, other)).astype(np.int64)


def registration_seconds(dataset: Dataset, customers: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Seconds since 1970-01-01T00:00Z at which the relations began, in the banking hours of some day."""
    return _registered(dataset, customers, birth_days(dataset, customers))


def beginnings(dataset: Dataset, rows: Rows, words: NDArray[np.uint64], *, first_within: int) -> NDArray[np.int64]:
    """Seconds since 1970-01-01T00:00Z at which what hangs on customers began, from a uniform 64-bit word for each row.

    A customer's first row begins at most `first_within` seconds after the relation, the others until the anchor.
    """
    registered = registration_seconds(dataset, rows.customers)
    since = (anchor_second(dataset) - registered).astype(np.uint64)
    longest = np.where(rows.ordinals == 0, np.minimum(since, np.uint64(first_within)), since)
    return registered + ((words >> np.uint64(32)) * longest >> np.uint64(32)).astype(np.int64)


def _registered(dataset: Dataset, customers: NDArray[np.uint64], born: NDArray[np.int64]) -> NDArray[np.int64]:
    adult_days = _latest_birth_day(dataset) - born
    longest = np.minimum(adult_days, _LONGEST_RELATION_DAYS).astype(np.uint64)
    words = dataset.stream(Customers.name, "registered_at").words(customers)
    days_ago = (((words >> np.uint64(32)) * (longest + np.uint64(1))) >> np.uint64(32)).astype(np.int64) + 1
    opening, hours = 8 * 3600, 12 * 3600
    second_of_day = (((words & np.uint64(0xFFFFFFFF)) * np.uint64(hours)) >> np.uint64(32)).astype(np.int64) + opening
    return (dataset.anchor_day - days_ago) * _DAY_SECONDS + second_of_day


def anchor_second(dataset: Dataset) -> int:
    """The anchor's midnight, in seconds since 1970-01-01T00:00Z."""
    return dataset.anchor_day * _DAY_SECONDS


def _latest_birth_day(dataset: Dataset) -> int:
    anchor = dataset.anchor_datetime.date()
    eighteen_years_ago = date(anchor.year - _ADULT_YEARS, anchor.month, min(anchor.day, 28))
    return (eighteen_years_ago - _EPOCH).days - _MASKED_DAYS - 1
