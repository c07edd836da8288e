"""Bodies of contracts: canonical, and held against the published schema one by one."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import rfc8785
from jsonschema import Draft202012Validator

from seed_pipelines.contract_files import contract_file
from seed_pipelines.domain.entities.contract_body import canonical, read, sha256_hex

SCHEMA: dict[str, Any] = json.loads(contract_file("loan-contract.schema.json").read_bytes())
VALIDATOR = Draft202012Validator(SCHEMA)
EXAMPLE: dict[str, Any] = SCHEMA["examples"][0]
BODY = rfc8785.dumps(EXAMPLE).decode()


def judged(*bodies: str) -> list[str]:
    """What reading makes of each body: broken, irregular or read."""
    found = read(pa.chunked_array([list(bodies)], pa.string()))
    names = np.where(found.breaks_schema, "broken", np.where(found.is_irregular, "irregular", "read"))
    for values in found.members.values():
        assert (np.asarray(values.is_valid()) == (names == "read")).all()
    return [str(name) for name in names]


def test_the_schema_is_closed_described_and_fits_its_example() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    VALIDATOR.validate(EXAMPLE)
    assert SCHEMA["additionalProperties"] is False
    assert SCHEMA["required"] == sorted(SCHEMA["properties"])
    assert all(member["description"] for member in (*SCHEMA["properties"].values(), *SCHEMA["$defs"].values()))


def test_bodies_are_rendered_in_canonical_form() -> None:
    members = {name: pa.array([str(value)] * 2) for name, value in EXAMPLE.items()}
    assert canonical(members).to_pylist() == [BODY] * 2


def test_the_hash_is_that_of_the_bytes() -> None:
    texts = pa.array(["", "abc", "não"])
    assert sha256_hex(texts)[1].as_py() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert len(set(sha256_hex(texts).to_pylist())) == 3


def test_a_canonical_body_is_read_member_by_member() -> None:
    found = read(pa.chunked_array([[BODY], []], pa.string()))
    assert {name: values.to_pylist() for name, values in found.members.items()} == {
        name: [str(value)] for name, value in EXAMPLE.items()
    }


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{}",
        "{",
        "[" * 100_000,
        json.dumps(EXAMPLE | {"name": "somebody"}),
        *(rfc8785.dumps(EXAMPLE | {"term": term}).decode() for term in (0, -1, 1000, 10**15, 1.5, "12", True, None)),
        BODY.replace('"term":12', '"term":' + "9" * 40),
        *(rfc8785.dumps({k: v for k, v in EXAMPLE.items() if k != name}).decode() for name in EXAMPLE),
        *(rfc8785.dumps(EXAMPLE | {name: ""}).decode() for name in EXAMPLE),
        *(
            rfc8785.dumps(EXAMPLE | {"principal": amount}).decode()
            for amount in ("1", "1.0", "01.00", "-1.00", "1,00", ".00", "1.000", "1e3.00")
        ),
        rfc8785.dumps(EXAMPLE | {"first_due_on": "2024-13-01"}).decode(),
        rfc8785.dumps(EXAMPLE | {"template_version": "v2"}).decode(),
    ],
)
def test_bodies_that_the_schema_refuses_are_broken(body: str) -> None:
    assert judged(body) == ["broken"]


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(EXAMPLE),
        json.dumps(EXAMPLE, separators=(",", ":"))[:-1] + ',"term":12}',
        json.dumps(dict(reversed(EXAMPLE.items())), separators=(",", ":")),
        BODY + "\n",
        BODY.replace('"term":12', '"term":12.0'),
        BODY.replace("PRICE", "P\\u0052ICE"),
    ],
)
def test_other_spellings_of_a_valid_body_are_irregular(body: str) -> None:
    assert VALIDATOR.is_valid(json.loads(body))
    assert judged(body) == ["irregular"]


def test_reading_agrees_with_a_validator_on_every_slip_of_the_pen() -> None:
    slips = {BODY[:at] + BODY[at + 1 :] for at in range(len(BODY))}
    for character in '0,}"\\ -x':
        slips |= {BODY[:at] + character + BODY[at + 1 :] for at in range(len(BODY))}
        slips |= {BODY[:at] + character + BODY[at:] for at in range(len(BODY) + 1)}
    bodies = sorted(slips)
    verdicts = judged(*bodies)
    assert verdicts == [_verdict(body) for body in bodies]
    assert {"broken", "irregular", "read"} == set(verdicts)


def _verdict(body: str) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return "broken"
    if not VALIDATOR.is_valid(document):
        return "broken"
    return "read" if rfc8785.dumps(document).decode() == body else "irregular"
