"""Suppliers: companies that expenses go to, with a numeric or an alphanumeric CNPJ."""

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.domain.brazil import cnpj, names
from seed_pipelines.domain.catalogue import SLICES
from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.entities import person
from seed_pipelines.domain.entities.entity import Column, Entity, invalid, labels
from seed_pipelines.domain.masking import Codes, Digits
from seed_pipelines.domain.portfolio import Portfolio

STATES: Final = ("ACTIVE", "INACTIVE")
_INACTIVE_PER_CENT: Final = 8
_ALPHANUMERIC_OF: Final = 3
"""Every third has an alphanumeric CNPJ."""
_REST_CHARACTERS: Final = cnpj.ROOT_CHARACTERS - 1
_TRADES: Final = (
    *("Alimentos", "Materiais de Construção", "Tecnologia", "Transportes", "Papelaria", "Móveis", "Confecções"),
    *("Energia", "Telecomunicações", "Medicamentos", "Veículos", "Serviços de Limpeza", "Consultoria", "Publicidade"),
    *("Embalagens", "Equipamentos", "Seguros", "Turismo"),
)
_FORMS: Final = ("Ltda", "S.A.", "ME", "EPP")
_FORM_SHARES: Final = (62, 12, 20, 6)


class Suppliers(Entity):
    """A third of the roots begin with a letter, so that numeric and alphanumeric ones never meet."""

    name: ClassVar[str] = "suppliers"
    table: ClassVar[str] = "banking.supplier"
    description: ClassVar[str] = "Companies that the customers buy from."
    columns = (
        Column("id", pa.binary(16), "UUIDv8: dataset, row number, keyed bits."),
        Column(
            "document_number", pa.string(), "CNPJ: fourteen characters, valid check digits.", pii="national document"
        ),
        Column("legal_name", pa.string(), "A family's name, a trade and a legal form.", pii="name"),
        Column("contact_name", pa.string(), "Whom to ask for.", pii="name"),
        Column("email", pa.string(), "Of the contact; in a reserved domain (RFC 2606).", pii="e-mail"),
        Column("phone", pa.string(), "Mobile, E.164: +55, area code, 9 and eight digits.", pii="phone"),
        Column("status", pa.string(), "ACTIVE or INACTIVE.", few_values=True),
    )
    pii: ClassVar = {
        "numeric_root": Digits(cnpj.ROOT_CHARACTERS, cnpj.FORBIDDEN_ROOTS),
        "alphanumeric_rest": Digits(_REST_CHARACTERS, radix=cnpj.RADIX),
        **person.NAME_PII,
        **person.EMAIL_PII,
        **person.PHONE_PII,
    }
    unique = (("document_number",), ("email",))
    most_rows = cnpj.NUMERIC_ROOTS // SLICES
    of_tenant = True

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Codes of the suppliers."""
        dataset, numbers = portfolio.dataset, rows.customers
        most = self.most_rows
        inactive = self.stream(dataset, "status").below(numbers, 100) < _INACTIVE_PER_CENT
        return {
            "numeric_root": cnpj.root_of_index(
                self.unique_codes(dataset, "numeric_root", cnpj.NUMERIC_ROOTS, numbers, most=most)
            ),
            "alphanumeric_rest": self.unique_codes(
                dataset, "alphanumeric_rest", cnpj.RADIX**_REST_CHARACTERS, numbers, most=most
            ),
            "initial": self.stream(dataset, "initial").below(numbers, cnpj.LETTERS),
            "trade": self.stream(dataset, "trade").below(numbers, len(_TRADES)),
            "form": self.stream(dataset, "form").choice(numbers, _FORM_SHARES),
            **person.draw_name(Suppliers, dataset, numbers),
            **person.draw_email(Suppliers, dataset, numbers),
            **person.draw_phone(Suppliers, dataset, numbers),
            "status": inactive.astype(np.uint8),
        }

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The suppliers as they are loaded."""
        alphanumeric = (rows.customers % np.uint64(_ALPHANUMERIC_OF) == _ALPHANUMERIC_OF - 1)[:, None]
        bases = np.where(
            alphanumeric,
            cnpj.alphanumeric_bases(codes["initial"], codes["alphanumeric_rest"]),
            cnpj.numeric_bases(codes["numeric_root"]),
        )
        family = _capitalized(names.surnames()).take(pa.array(codes["first_surname"]))
        trade, form = labels(codes["trade"], _TRADES), labels(codes["form"], _FORMS)
        return self.batch(
            {
                "id": self.ids(portfolio.dataset, rows),
                "document_number": cnpj.full(bases),
                "legal_name": pc.binary_join_element_wise(family, trade, form, " "),
                "contact_name": person.full_name(codes),
                "email": person.email(codes),
                "phone": person.phone_number(codes),
                "status": labels(codes["status"], STATES),
            }
        )

    def invalid_values(self, rows: pa.RecordBatch | pa.Table) -> Mapping[str, int]:
        """CNPJ check digits, phone format, reserved e-mail domains."""
        wrong = invalid(cnpj.is_valid(rows.column("document_number")))
        return {"CNPJ with wrong check digits": wrong, **person.invalid_contacts(rows)}


def _capitalized(words: pa.StringArray) -> pa.StringArray:
    """With a capital in front, as a company writes itself."""
    initials = pc.utf8_upper(pc.utf8_slice_codeunits(words, 0, 1))
    return pc.binary_join_element_wise(initials, pc.utf8_slice_codeunits(words, 1), "")
