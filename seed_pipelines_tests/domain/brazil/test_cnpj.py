"""CNPJ, against python-stdnum."""

import numpy as np
import pyarrow as pa
import pytest
from stdnum.br import cnpj as stdnum_cnpj

from seed_pipelines.domain.brazil import cnpj

POSITIONS = np.linspace(0, cnpj.NUMERIC_ROOTS - 1, 20_000, dtype=np.uint64)
RESTS = np.linspace(0, 36**7 - 1, 20_000, dtype=np.uint64)
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def characters(text: str) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.frombuffer(text.encode(), dtype=np.uint8).reshape(1, -1)


@pytest.mark.parametrize(
    ("base", "expected"),
    [("12ABC34501DE", "12ABC34501DE35"), ("167272300001", "16727230000197"), ("000000000001", "00000000000191")],
)
def test_published_numbers_get_their_check_digits(base: str, expected: str) -> None:
    """The example of Receita Federal for the alphanumeric kind; a numeric one; that of Banco do Brasil."""
    assert cnpj.full(characters(base)).to_pylist() == [expected]
    assert cnpj.check_digits(characters(base)).tolist() == [[int(expected[-2]), int(expected[-1])]]


def test_numeric_numbers_agree_with_stdnum() -> None:
    numbers = cnpj.full(cnpj.numeric_bases(cnpj.root_of_index(POSITIONS)))
    assert all(number.isdigit() and stdnum_cnpj.is_valid(number) for number in numbers.to_pylist())
    assert all(number[8:12] == "0001" for number in numbers.to_pylist())
    assert cnpj.is_valid(numbers).to_pylist() == [True] * len(POSITIONS)


def test_alphanumeric_numbers_agree_with_stdnum_and_begin_with_their_letter() -> None:
    letters = np.arange(len(RESTS)) % cnpj.LETTERS
    numbers = cnpj.full(cnpj.alphanumeric_bases(letters, RESTS)).to_pylist()
    assert all(map(stdnum_cnpj.is_valid, numbers))
    assert all(cnpj.is_valid(pa.array(numbers)).to_pylist())
    assert [number[0] for number in numbers] == [chr(ord("A") + int(letter)) for letter in letters]
    assert [int(number[1:8], 36) for number in numbers] == RESTS.tolist()
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("position", range(14))
def test_one_wrong_character_is_found(position: int) -> None:
    """Each place counts, as stdnum says; a letter among the check digits too."""
    changed = ["12ABC34501DE35"[:position] + other + "12ABC34501DE35"[position + 1 :] for other in ALPHABET]
    valid = cnpj.is_valid(pa.array(changed)).to_pylist()
    assert valid == [stdnum_cnpj.is_valid(number) for number in changed]
    assert valid[ALPHABET.index("12ABC34501DE35"[position])]


def test_zeros_and_other_shapes_are_invalid() -> None:
    """Punctuation, lower case, other alphabets, lengths, blanks, zeros and null."""
    wrong = ["00000000000000", "12.ABC.345/01DE-35", "12abc34501de35", "12ABC34501DE3", "12ABC34501DE350"]
    wrong += ["12ÁBC34501DE3", "12ABC34501DE 35", "", " " * 14, ":" * 14]
    assert not any(cnpj.is_valid(pa.array([*wrong, None])).to_pylist())
    assert cnpj.is_valid(pa.array([], pa.string())).to_pylist() == []


def test_valid_ones_are_found_among_others_whatever_the_column_is() -> None:
    column = pa.chunked_array([["12ABC34501DE35", None], ["x", "16727230000197"]])
    for numbers in (column, column.dictionary_encode(), column.combine_chunks()):
        assert cnpj.is_valid(numbers).to_pylist() == [True, False, False, True]


def test_roots_pass_over_those_of_equal_digits_and_leave_no_gap() -> None:
    ends = np.array([0, cnpj.NUMERIC_ROOTS - 1], dtype=np.uint64)
    assert cnpj.root_of_index(ends).tolist() == [1, 99_999_998]
    around = np.arange(11_111_100, 11_111_120, dtype=np.uint64)
    assert cnpj.root_of_index(around).tolist() == [*range(11_111_101, 11_111_111), *range(11_111_112, 11_111_122)]
    assert not np.isin(cnpj.root_of_index(POSITIONS), cnpj.FORBIDDEN_ROOTS).any()


def test_values_beyond_a_root_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 8 digits of radix 10"):
        cnpj.numeric_bases(np.array([10**8], dtype=np.uint64))
    with pytest.raises(ValueError, match="more than 7 digits of radix 36"):
        cnpj.alphanumeric_bases(np.array([0]), np.array([36**7], dtype=np.uint64))
