"""Personal data in texts."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.br import cnpj, cpf

from seed_pipelines.domain.evidence.free_text import withheld, without_personal_data


@given(st.integers(0, 10**9 - 1), st.booleans())
def test_every_cpf_is_withheld(number: int, punctuated: bool) -> None:
    """With its punctuation or without, by the check digits of another library."""
    body = f"{number:09}"
    whole = body + cpf._calc_check_digits(body)
    written = cpf.format(whole) if punctuated else whole
    assert withheld(f"row ({written}) fails") == "row ([CPF withheld]) fails"


@given(st.integers(0, 10**12 - 1), st.booleans())
def test_every_cnpj_is_withheld(number: int, punctuated: bool) -> None:
    """Likewise."""
    body = f"{number:012}"
    whole = body + cnpj.calc_check_digits(body)
    written = cnpj.format(whole) if punctuated else whole
    assert withheld(f"row ({written}) fails") == "row ([CNPJ withheld]) fails"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("12.ABC.345/01DE-35", "[CNPJ withheld]"),
        ("ask ana.souza+1@bank.com.br today", "ask [e-mail withheld] today"),
        ("ana@example.company.com", "[e-mail withheld]"),
        ("call (11) 91234-5678", "call [phone withheld]"),
        ("call +55 11 91234-5678 or 11912345678", "call [phone withheld] or [phone withheld]"),
    ],
)
def test_what_identifies_a_person_is_withheld(text: str, left: str) -> None:
    """Alphanumeric documents, addresses, mobile phones."""
    assert withheld(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "",
        "529.982.247-24",
        "Token 12345678901 does not hold staging any more.",
        "98aceecd-27d1-5be7-bfa1-28b42034b7d0",
        "1a52998224725b",
        "x52998224725",
        "2026-01-02T03:04:05.678901+00:00",
        "12.ABC.345/01DE-36",
        "maria@mail.example.com, ana@webmail.example.net and root@localhost.test",
        "It is 13:20 UTC; the window is 00:00 to 06:00 UTC",
        "Vault at http://127.0.0.1:8200 is sealed.",
        hashlib.sha256(b"digest").hexdigest(),
        "0" * 64,
    ],
)
def test_everything_else_stays(text: str) -> None:
    """Ids, digests, times, addresses of servers, reserved domains, numbers that are no documents."""
    assert withheld(text) == text


def test_texts_are_found_wherever_they_are() -> None:
    """In lists and objects, and as names of members; other values stay."""
    found = without_personal_data({"a@b.com": [{"deep": "52998224725"}, 52998224725, None, True, 1.5]})
    assert found == {"[e-mail withheld]": [{"deep": "[CPF withheld]"}, 52998224725, None, True, 1.5]}
