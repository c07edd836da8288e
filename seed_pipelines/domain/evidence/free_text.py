"""Personal data in texts that people and servers wrote: taken out before a text becomes part of what nobody can change.

A database may quote a row in its message, and a person a customer in a reason. Documents are known by their check
digits, or by their punctuation; e-mail addresses in domains that nobody can own (RFC 2606) stay.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

_CPF: Final = re.compile(r"(?<![\w.-])\d{3}\.?\d{3}\.?\d{3}-?\d{2}(?![\w-])")
_CNPJ: Final = re.compile(r"(?<![\w.-])(?:[0-9A-Z]{2}\.[0-9A-Z]{3}\.[0-9A-Z]{3}/[0-9A-Z]{4}-\d{2}|\d{14})(?![\w-])")
_PHONE: Final = re.compile(r"(?<![\w.+(-])(?:\+?55 ?)?\(?[1-9][1-9]\)?[ -]?9\d{4}[ -]?\d{4}(?![\w-])")
_EMAIL: Final = re.compile(r"(?<![A-Za-z0-9._%+'-])[A-Za-z0-9._%+'-]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
_RESERVED: Final = re.compile(r"(?:.+\.)?(?:example\.(?:com|net|org)|example|test|invalid|localhost)", re.IGNORECASE)
_PUNCTUATION: Final = re.compile(r"[./-]")

_CPF_WEIGHTS: Final = (range(10, 1, -1), range(11, 1, -1))
_CNPJ_WEIGHTS: Final = ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2))


def withheld(text: str) -> str:
    """The text with `[... withheld]` where it holds a CPF, a CNPJ, a mobile phone or an e-mail address."""
    text = _EMAIL.sub(lambda found: found[0] if _RESERVED.fullmatch(found[1]) else "[e-mail withheld]", text)
    text = _CNPJ.sub(lambda found: "[CNPJ withheld]" if _is_document(found[0], _CNPJ_WEIGHTS) else found[0], text)
    text = _CPF.sub(lambda found: "[CPF withheld]" if _is_document(found[0], _CPF_WEIGHTS) else found[0], text)
    return _PHONE.sub("[phone withheld]", text)


def without_personal_data(value: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with every text in it, names of members included, as `withheld` leaves it."""
    return {withheld(name): _cleaned(part) for name, part in value.items()}


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return withheld(value)
    if isinstance(value, Mapping):
        return without_personal_data(value)
    if isinstance(value, list | tuple):
        return [_cleaned(part) for part in value]
    return value


def _is_document(written: str, weights: tuple[Any, Any]) -> bool:
    """Whether the two check digits are right (modulo 11; letters count from 17, as in the alphanumeric CNPJ)."""
    values = [ord(character) - ord("0") for character in _PUNCTUATION.sub("", written)]
    for row in weights:
        rest = sum(weight * value for weight, value in zip(row, values, strict=False)) % 11
        if values[len(row)] != (0 if rest < 2 else 11 - rest):
            return False
    return True
