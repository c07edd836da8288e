"""The columns of a customer, a row at a time, by two well-known libraries with Brazilian data."""

from typing import Any, Final

from faker import Faker
from mimesis import Gender, Generic, Locale

from seed_pipelines_tests.benchmarks.measurement import Measurement, shortest

FAKER: Final = "Faker, customers"
MIMESIS: Final = "Mimesis, customers"
_STATUSES: Final = ("ACTIVE", "BLOCKED", "DELINQUENT", "CANCELED")


def faker_customers(rows: int) -> Measurement:
    """Customers by Faker's pt_BR providers."""
    fake = Faker("pt_BR")
    fake.seed_instance(1)
    seconds = shortest(lambda: [_faker_row(fake) for _ in range(rows)])
    return Measurement(FAKER, rows, seconds, note="pt_BR, a row at a time; not masked, not unique")


def mimesis_customers(rows: int) -> Measurement:
    """Customers by Mimesis' pt-br providers."""
    generic = Generic(Locale.PT_BR, seed=1)
    seconds = shortest(lambda: [_mimesis_row(generic) for _ in range(rows)])
    return Measurement(MIMESIS, rows, seconds, note="pt-br, likewise; it has no CPF: eleven random digits")


def _faker_row(fake: Any) -> dict[str, Any]:
    gender = fake.random_element(("F", "M"))
    return {
        "id": fake.uuid4(),
        "document_number": fake.cpf(),
        "full_name": fake.name_female() if gender == "F" else fake.name_male(),
        "gender": gender,
        "birth_date": fake.date_of_birth(minimum_age=18, maximum_age=90),
        "email": fake.safe_email(),
        "phone": fake.cellphone_number(),
        "status": fake.random_element(_STATUSES),
        "monthly_income": fake.pydecimal(left_digits=5, right_digits=2, positive=True),
        "registered_at": fake.date_time_between("-12y"),
    }


def _mimesis_row(generic: Any) -> dict[str, Any]:
    gender = generic.random.choice(("F", "M"))
    return {
        "id": generic.cryptographic.uuid(),
        "document_number": generic.code.pin("###########"),
        "full_name": generic.person.full_name(Gender.FEMALE if gender == "F" else Gender.MALE),
        "gender": gender,
        "birth_date": generic.person.birthdate(1935, 2007),
        "email": generic.person.email(["example.com"]),
        "phone": generic.person.phone_number("+55##9########"),
        "status": generic.random.choice(_STATUSES),
        "monthly_income": generic.numeric.decimal_number(1518, 99_999),
        "registered_at": generic.datetime.datetime(2013, 2025),
    }
