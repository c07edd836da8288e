"""Account categories: what the tenant files income and expenses under."""

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.domain.brazil.digits import decimal_strings, flat
from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.entities.entity import Column, Entity, invalid, labels
from seed_pipelines.domain.masking import Codes
from seed_pipelines.domain.portfolio import Portfolio

TYPES: Final = ("EXPENSE", "INCOME")
"""They take turns: a category of an even number is one of expenses, of an odd number one of income."""
_PREFIXES: Final = ("D", "R")
_NUMBER_DIGITS: Final = 7
_NAMES: Final = (
    (
        *("Empréstimos e financiamentos", "Alimentação", "Moradia", "Transporte", "Saúde", "Educação", "Lazer"),
        *("Vestuário", "Impostos e taxas", "Seguros", "Telefonia e internet", "Energia elétrica", "Água e esgoto"),
        *("Combustível", "Farmácia", "Viagens", "Presentes", "Serviços domésticos", "Animais", "Assinaturas"),
    ),
    (
        *("Salário", "Transferências recebidas", "Aluguéis recebidos", "Rendimentos", "Dividendos", "Reembolsos"),
        *("Vendas", "Serviços prestados", "Comissões", "Décimo terceiro", "Férias", "Bônus", "Pensão", "Aposentadoria"),
        *(
            "Prêmios",
            "Restituição de imposto",
            "Resgate de aplicação",
            "Bolsas de estudo",
            "Doações",
            "Outras receitas",
        ),
    ),
)
"""By type; the first is that of the payments of loans."""


class AccountCategories(Entity):
    """Numbered within their type; a name that comes again carries a number."""

    name: ClassVar[str] = "account_categories"
    table: ClassVar[str] = "banking.account_category"
    description: ClassVar[str] = "What income and expenses are filed under."
    columns = (
        Column("id", pa.binary(16), "UUIDv8: dataset, row number, keyed bits."),
        Column("code", pa.string(), "D for expenses or R for income, and the number within the type."),
        Column("name", pa.string(), "In Portuguese."),
        Column("type", pa.string(), "INCOME or EXPENSE.", few_values=True),
    )
    pii: ClassVar = {}
    unique = (("code",),)
    most_rows = 10**_NUMBER_DIGITS // 16
    of_tenant = True

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Codes of the categories."""
        numbers = rows.customers
        first = np.uint64(portfolio.dataset.slice_number * self.most_rows)
        return {"type": (numbers % np.uint64(2)).astype(np.uint8), "number": first + numbers // np.uint64(2)}

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The categories as they are loaded."""
        kinds = len(_NAMES[0])
        place = rows.customers // np.uint64(2)
        again, which = (place // np.uint64(kinds)).astype(np.int64), (place % np.uint64(kinds)).astype(np.int64)
        suffixes = pc.if_else(
            pa.array(again > 0), pc.binary_join_element_wise(" ", pa.array(again + 1).cast(pa.string()), ""), ""
        )
        names = labels(codes["type"].astype(np.int64) * kinds + which, (*_NAMES[0], *_NAMES[1]))
        return self.batch(
            {
                "id": self.ids(portfolio.dataset, rows),
                "code": pc.binary_join_element_wise(
                    labels(codes["type"], _PREFIXES), decimal_strings(codes["number"], _NUMBER_DIGITS), "-"
                ),
                "name": pc.binary_join_element_wise(names, suffixes, ""),
                "type": labels(codes["type"], TYPES),
            }
        )

    def invalid_values(self, rows: pa.RecordBatch | pa.Table) -> Mapping[str, int]:
        """The letter of the code and the type agree."""
        letters = pc.utf8_slice_codeunits(flat(rows.column("code")), 0, 1)
        wanted = pa.array(_PREFIXES).take(pc.index_in(flat(rows.column("type")), pa.array(TYPES)))
        return {"code of another type": invalid(pc.equal(letters, wanted))}
