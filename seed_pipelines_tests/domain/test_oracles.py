"""A hundred thousand of our values each, as independent libraries see them."""

from typing import Final

import numpy as np
import numpy_financial
import phonenumbers
import pyarrow as pa
import pytest
from stdnum.br import cnpj, cpf

from seed_pipelines.domain.amortization import Book
from seed_pipelines.domain.entities import BY_NAME
from seed_pipelines.domain.entities.loan_book import LoanBook
from seed_pipelines_tests.domain.entities.families import masker, plan_of

VALUES: Final = 100_000
PLAN: Final = plan_of(VALUES // 100, "suppliers", "loans", "installments")


@pytest.fixture(scope="module")
def customers() -> pa.RecordBatch:
    entity = BY_NAME["customers"]
    return masker().batch(entity, PLAN.portfolio, PLAN.entity_rows(entity, 0, VALUES)).records


@pytest.fixture(scope="module")
def loans() -> Book:
    """Fifty thousand loans of half a million installments, drawn as the pipeline draws them."""
    return LoanBook.of_customers(PLAN.portfolio, 0, VALUES // 4).book


def test_cpfs(customers: pa.RecordBatch) -> None:
    """python-stdnum."""
    numbers = customers.column("document_number").to_pylist()
    assert len(set(numbers)) == VALUES
    assert all(map(cpf.is_valid, numbers))


def test_cnpjs() -> None:
    """python-stdnum, which knows the alphanumeric ones."""
    entity = BY_NAME["suppliers"]
    rows = masker().batch(entity, PLAN.portfolio, PLAN.entity_rows(entity, 0, VALUES)).records
    numbers = rows.column("document_number").to_pylist()
    assert len(set(numbers)) == VALUES
    assert all(map(cnpj.is_valid, numbers))


def test_phones(customers: pa.RecordBatch) -> None:
    """Google's phonenumbers: valid, mobile, Brazilian."""
    for text in customers.column("phone").to_pylist():
        number = phonenumbers.parse(text)
        assert phonenumbers.is_valid_number_for_region(number, "BR"), text
        assert phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE, text


def test_price_installments(loans: Book) -> None:
    """numpy-financial, as a spreadsheet computes PMT: to the cent for every loan of more than one installment."""
    rate, term = loans.rate / 10_000, loans.term
    payment = -numpy_financial.pmt(rate, term, loans.principal)
    assert np.abs(loans.payment - payment).max() <= 0.5 + 1e-6
    level = loans.amount[loans.starts][~loans.is_sac & (term > 1)]
    assert len(level) > 30_000
    assert np.array_equal(level, loans.payment[~loans.is_sac & (term > 1)])


def test_price_interest_and_principal_of_every_installment(loans: Book) -> None:
    """numpy-financial's IPMT for 100,000 installments: cents drift apart by no more than rounding them adds up to."""
    chosen = np.flatnonzero(~loans.is_sac[loans.loan] & (loans.number < loans.term[loans.loan]))[:VALUES]
    assert len(chosen) == VALUES
    loan = loans.loan[chosen]
    rate = loans.rate[loan] / 10_000
    interest = -numpy_financial.ipmt(rate, loans.number[chosen], loans.term[loan], loans.principal[loan])
    drift = 0.5 + 0.5 * (np.expm1(loans.number[chosen] * np.log1p(rate)) + 1e-6)
    assert (np.abs(loans.parts[1][chosen] - interest) <= drift + 0.5).all()


def test_sac(loans: Book) -> None:
    """By its definition: equal amortisation, interest on what is still owed, the residue on the last installment."""
    chosen = np.flatnonzero(loans.is_sac[loans.loan])[:VALUES]
    assert len(chosen) == VALUES
    loan, number = loans.loan[chosen], loans.number[chosen]
    level = loans.principal[loan] // loans.term[loan]
    owed = loans.principal[loan] - (number - 1) * level
    is_last = number == loans.term[loan]
    amortised, interest = (part[chosen] for part in loans.parts)
    assert np.array_equal(amortised, np.where(is_last, owed, level))
    assert (np.abs(interest - owed * (loans.rate[loan] / 10_000)) <= 0.5 + 1e-6).all()


def test_cet(loans: Book) -> None:
    """numpy-financial's NPV of the installments at the stated rate, for every loan; and its IRR, for some hundred."""
    received = loans.principal * 99 // 100
    yearly = loans.cet(received)
    for half, sign in ((-0.5001, 1), (0.5001, -1)):
        monthly = (1 + (yearly + half) / 10_000) ** (1 / 12) - 1
        value = np.add.reduceat(loans.amount / (1 + monthly[loans.loan]) ** loans.number, loans.starts)
        assert (sign * (value - received) >= 0).all()
    for position in range(0, len(yearly), 400):
        flows = loans.amount[loans.starts[position] :][: loans.term[position]]
        irr = numpy_financial.irr(np.concatenate([[-received[position]], flows]))
        assert abs(((1 + irr) ** 12 - 1) * 10_000 - yearly[position]) <= 0.5001
