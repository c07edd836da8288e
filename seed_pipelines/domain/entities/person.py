"""People: how names, documents, e-mail addresses and phones are drawn, masked and rendered, whatever entity they belong to."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.domain.brazil import cpf, digits, names, phone
from seed_pipelines.domain.dataset import Dataset
from seed_pipelines.domain.entities.entity import Entity, invalid
from seed_pipelines.domain.masking import Codes, Digits, PiiClass, Vocabulary

GENDERS: Final = ("F", "M")
_GENDER_SHARES: Final = (515, 485)
_EMAIL_NUMBERS: Final = 9
_PHONE_DIGITS: Final = 8

NAME_PII: Final[Mapping[str, PiiClass]] = {
    "given_name": Vocabulary((len(names.given_names("F")), len(names.given_names("M")))),
    "first_surname": Vocabulary((len(names.surnames()),)),
    "second_surname": Vocabulary((len(names.surnames()),)),
}
DOCUMENT_PII: Final[Mapping[str, PiiClass]] = {"document_base": Digits(9, cpf.FORBIDDEN)}
EMAIL_PII: Final[Mapping[str, PiiClass]] = {"email_number": Digits(_EMAIL_NUMBERS)}
PHONE_PII: Final[Mapping[str, PiiClass]] = {"phone_digits": Digits(_PHONE_DIGITS)}

Numbers = NDArray[np.uint64]
"""Customer indices, or numbers of rows of the tenant."""


def draw_name(entity: type[Entity], dataset: Dataset, numbers: Numbers) -> Codes:
    """Gender, given name and two surnames."""
    gender = entity.stream(dataset, "gender").choice(numbers, _GENDER_SHARES)
    given = [
        entity.stream(dataset, f"given_name/{code}").below(numbers, len(names.given_names(code))) for code in GENDERS
    ]
    return {
        "gender": gender,
        "given_name": np.where(gender == 0, given[0], given[1] + np.uint64(len(names.given_names("F")))),
        "first_surname": entity.stream(dataset, "first_surname").below(numbers, len(names.surnames())),
        "second_surname": entity.stream(dataset, "second_surname").below(numbers, len(names.surnames())),
    }


def draw_document(entity: type[Entity], dataset: Dataset, numbers: Numbers) -> Codes:
    """A CPF base that no other row of the entity has."""
    return {"document_base": cpf.base_of_index(entity.unique_codes(dataset, "document_number", cpf.BASES, numbers))}


def draw_email(entity: type[Entity], dataset: Dataset, numbers: Numbers) -> Codes:
    """A number that no other row of the entity has, and a domain."""
    return {
        "email_number": entity.unique_codes(dataset, "email", 10**_EMAIL_NUMBERS, numbers),
        "email_domain": entity.stream(dataset, "email_domain").below(numbers, len(names.EMAIL_DOMAINS)),
    }


def draw_areas(entity: type[Entity], dataset: Dataset, numbers: Numbers) -> NDArray[np.uint8]:
    """Positions in `phone.AREA_CODES`, by population; masking keeps them."""
    return entity.stream(dataset, "area_code").choice(numbers, phone.AREA_WEIGHTS)


def draw_phone(entity: type[Entity], dataset: Dataset, numbers: Numbers) -> Codes:
    """An area code, and eight digits."""
    return {
        "area_code": draw_areas(entity, dataset, numbers),
        "phone_digits": entity.stream(dataset, "phone").below(numbers, 10**_PHONE_DIGITS),
    }


def full_name(codes: Codes) -> pa.StringArray:
    """Given name and surnames."""
    return names.full_names(codes["given_name"], codes["first_surname"], codes["second_surname"])


def document_number(codes: Codes) -> pa.StringArray:
    """The CPF, with its check digits."""
    return digits.decimal_strings(cpf.full(codes["document_base"]), 11)


def email(codes: Codes) -> pa.StringArray:
    """The masked name and number, in a reserved domain."""
    numbers = digits.decimal_strings(codes["email_number"], _EMAIL_NUMBERS)
    return names.email_addresses(codes["given_name"], codes["second_surname"], numbers, codes["email_domain"])


def phone_number(codes: Codes) -> pa.StringArray:
    """The mobile number in E.164."""
    return phone.mobile_numbers(codes["area_code"], codes["phone_digits"])


def invalid_people(rows: pa.RecordBatch | pa.Table) -> dict[str, int]:
    """Rule -> rows that break it, for those of the columns document_number (CPF), phone and email that are there."""
    columns = set(rows.schema.names)
    found = {}
    if "document_number" in columns:
        found["CPF with wrong check digits or equal digits"] = invalid(cpf.is_valid(rows.column("document_number")))
    return found | invalid_contacts(rows)


def invalid_contacts(rows: pa.RecordBatch | pa.Table) -> dict[str, int]:
    """Rule -> rows that break it, for those of the columns phone and email that are there."""
    found = {}
    if "phone" in rows.schema.names:
        found["phone that is no Brazilian mobile number"] = invalid(phone.is_valid(rows.column("phone")))
    if "email" in rows.schema.names:
        domains = pc.replace_substring_regex(rows.column("email"), r"^[^@]*@", "")
        found["e-mail outside the reserved domains"] = invalid(pc.is_in(domains, pa.array(names.EMAIL_DOMAINS)))
    return found
