"""What a run asks of the stubs of the outside systems: about which customers, and what each system is told of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from seed_pipelines.domain.stub_addresses import Integration

CALLING_MODES: Final = ("carga", "dr")
"""The modes whose runs call the stubs."""
CALLED: Final[tuple[Integration, ...]] = ("kyc", "antifraude", "pagamentos", "notificacoes")
"""The systems that runs call, in the order in which a customer meets them."""

_ONE_IN: Final = 100
_FEWEST, _MOST = 10, 50
_CHANNELS: Final = {
    "Pix enviado": "PIX",
    "Pix recebido": "PIX",
    "Boleto pago": "BOLETO",
    "Pagamento de parcela": "BOLETO",
    "TED recebida": "TED",
    "Compra no débito": "CARD",
    "Compra no crédito": "CARD",
}
_METHODS: Final = {"Pix enviado": "PIX", "Boleto pago": "BOLETO", "Pagamento de parcela": "BOLETO"}
"""Description of a transaction -> how it was paid, for those that a customer orders."""


@dataclass(frozen=True)
class Call:
    """One request to one system, by its contract in contracts/stubs."""

    integration: Integration
    path: str
    content: Mapping[str, Any]
    """The body; every value is masked, as it is in the database."""
    answered_with: int
    """The status of the answer that its contract promises."""
    about: str
    """The id of the customer or the transaction."""

    @property
    def name(self) -> str:
        """What it is called: unique in a run."""
        return f"{self.integration}/{self.about}"

    @property
    def customer_status(self) -> str:
        """The status of the customer, which decides what a stub answers."""
        return str(self.content["customer_status"])


def sample_size(customers: int) -> int:
    """How many of a dataset's customers are asked about: one in a hundred, ten at least and fifty at most."""
    return min(customers, max(_FEWEST, min(_MOST, -(-customers // _ONE_IN))))


def sampled_customers(customers: int, first: int, end: int) -> tuple[int, ...]:
    """Those of a systematic sample of all customers that are in [first, end), whatever the shards."""
    size = sample_size(customers)
    return tuple(index for index in (number * customers // size for number in range(size)) if first <= index < end)


def calls_about(customer: Mapping[str, Any], transactions: Sequence[Mapping[str, Any]]) -> tuple[Call, ...]:
    """What the systems are asked about a customer; rows as `row_values.json_values` gives them, transactions in id order.

    Fraud prevention is asked about the customer's first transaction, or a PIX of a month's income where there is none; the
    first transaction that the customer ordered is ordered as a payment and told of.
    """
    about = customer["id"]
    who = {"customer_id": about, "customer_status": customer["status"]}
    first = transactions[0] if transactions else {"amount": customer["monthly_income"], "description": "Pix enviado"}
    assessed = who | {"amount": first["amount"], "channel": _CHANNELS.get(first["description"], "PIX")}
    calls = [
        Call("kyc", "/kyc/v1/checks", who | {"document_number": customer["document_number"]}, 200, about),
        Call("antifraude", "/antifraude/v1/assessments", assessed, 200, about),
    ]
    ordered = next((row for row in transactions if row["description"] in _METHODS), None)
    if ordered is not None:
        paid = who | {"amount": ordered["amount"], "method": _METHODS[ordered["description"]]}
        told = who | {"channel": "EMAIL", "recipient": customer["email"]}
        calls.append(Call("pagamentos", "/pagamentos/v1/payments", paid, 201, ordered["id"]))
        calls.append(Call("notificacoes", "/notificacoes/v1/notifications", told, 202, ordered["id"]))
    return tuple(calls)
