"""What the stubs are asked: about a sample that no shard changes, in bodies that their contracts allow."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from seed_pipelines.domain.integration_calls import CALLED, calls_about, sample_size, sampled_customers
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.plan import Plan
from seed_pipelines.domain.row_values import json_values, row_values
from seed_pipelines_tests.worlds import World, manifest_of_every_entity

STUBS = Path(__file__).parents[2] / "contracts/stubs"


@pytest.mark.parametrize(
    ("customers", "size"),
    [(1, 1), (9, 9), (10, 10), (999, 10), (1_001, 11), (2_500, 25), (5_000, 50), (10_000_000, 50)],
)
def test_one_in_a_hundred_is_asked_about(customers: int, size: int) -> None:
    """Ten at least, fifty at most."""
    assert sample_size(customers) == size
    sampled = sampled_customers(customers, 0, customers)
    assert len(set(sampled)) == size
    assert all(0 <= index < customers for index in sampled)


def test_shards_share_the_sample() -> None:
    """Wherever their borders are."""
    whole = sampled_customers(9_999, 0, 9_999)
    for border in (1, 512, 4_096, 9_998):
        assert sampled_customers(9_999, 0, border) + sampled_customers(9_999, border, 9_999) == whole


def customer(**changes: Any) -> dict[str, Any]:
    return {
        "id": "f02c3900-0000-8000-8000-005f3a8c1d27",
        "document_number": "61196980861",
        "status": "DELINQUENT",
        "email": "luara.gomes466012253@example.com",
        "monthly_income": "4321.00",
        **changes,
    }


def transaction(number: int, description: str) -> dict[str, Any]:
    return {"id": f"f02c3900-0000-8000-8000-00000000000{number}", "amount": f"{number}.50", "description": description}


def test_a_customer_without_transactions_is_asked_about_alone() -> None:
    kyc, antifraude = calls_about(customer(), [])
    assert (kyc.integration, kyc.customer_status) == ("kyc", "DELINQUENT")
    assert (antifraude.content["amount"], antifraude.content["channel"]) == ("4321.00", "PIX")


def test_the_first_payment_that_the_customer_ordered_is_told_of() -> None:
    rows = [
        transaction(1, "Salário"),
        transaction(2, "TED recebida"),
        transaction(3, "Boleto pago"),
        transaction(4, "Pix enviado"),
    ]
    _, antifraude, payment, notification = calls_about(customer(), rows)
    assert antifraude.content["amount"] == "1.50"
    assert (payment.content["amount"], payment.content["method"]) == ("3.50", "BOLETO")
    assert payment.about == notification.about == rows[2]["id"]
    assert notification.content["recipient"] == customer()["email"]


def test_no_call_is_named_twice() -> None:
    names = [call.name for call in calls_about(customer(), [transaction(1, "Pix enviado")])]
    assert len(set(names)) == len(names) == len(CALLED)


def test_bodies_of_seeded_rows_fit_the_contracts(world: World) -> None:
    """Of every customer that is drawn, with every transaction."""
    read = manifest_of_every_entity(60, in_catalogue=world.catalogue)
    schemas = {name: _request_schemas(name) for name in CALLED}
    asked = set()
    for rows in _rows_of(world, read):
        for call in calls_about(*rows):
            Draft202012Validator(schemas[call.integration][call.path]).validate(dict(call.content))
            asked.add(call.integration)
    assert asked == set(CALLED)


def _request_schemas(name: str) -> dict[str, Any]:
    contract = yaml.safe_load((STUBS / f"{name}.openapi.yaml").read_text(encoding="utf-8"))
    found = {}
    for path, operations in contract["paths"].items():
        if "post" in operations:
            schema = operations["post"]["requestBody"]["content"]["application/json"]["schema"]
            found[path] = {**schema, "components": contract["components"]}
    return found


def _rows_of(world: World, read: Manifest) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    plan = Plan.of(read, world.catalogue)
    by_name = {entity.name: entity for entity in plan.entities}
    for index in range(plan.rows["customers"]):
        drawn = {}
        for name in ("customers", "financial_transactions"):
            rows = plan.entity_rows(by_name[name], index, index + 1)
            table = by_name[name].render(plan.portfolio, rows, by_name[name].draw(plan.portfolio, rows))
            drawn[name] = [json_values(row) for row in row_values(table)]
        yield drawn["customers"][0], drawn["financial_transactions"]
