"""Masking: the PII class of a column decides how its codes are permuted, and only this module makes a masked batch.

An entity draws its columns as integer codes (a CPF base, a position in a vocabulary, a day). Codes of PII columns
pass through the permutation of their class, keyed by Vault Transit, before anything renders them as text.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.ff1 import FF1
from seed_pipelines.domain.permutation import keyed_permutation
from seed_pipelines.domain.portfolio import Portfolio
from seed_pipelines.domain.streams import Stream, derive_key

KEY_BYTES: Final = 32
FINGERPRINT_FIELD: Final = "fingerprint"
"""A field of no entity, whose key serves to recognise a set of keys, whatever entities there are."""
Column = NDArray[Any]
Codes = Mapping[str, Column]
"""Columns of an entity by name, as integers, all of one length."""
Mask = Callable[[Column, Rows], Column]
"""Masks the codes of one column, given the rows they belong to."""


class PiiClass(ABC):
    """How the codes of one kind of PII are masked."""

    @abstractmethod
    def mask(self, key: bytes, tweak: bytes) -> Mask:
        """The mask of one field; `key` has 32 bytes and is the field's own, `tweak` names where the field lives."""


@dataclass(frozen=True)
class Digits(PiiClass):
    """Numbers of a fixed length, through FF1 (NIST SP 800-38G) with AES-256; a permutation of the domain."""

    length: int
    forbidden: tuple[int, ...] = ()
    """Numbers that are never given (walked past)."""
    radix: int = 10

    def mask(self, key: bytes, tweak: bytes) -> Mask:
        """FF1 under the field's key."""
        cipher = FF1(key, tweak, radix=self.radix, length=self.length)
        forbidden = np.asarray(self.forbidden, dtype=np.uint64)

        def digits(codes: Column, _rows: Rows) -> Column:
            numbers = codes.astype(np.uint64, copy=False)
            return cipher.encrypt_within(numbers, forbidden) if len(forbidden) else cipher.encrypt(numbers)

        return digits


@dataclass(frozen=True)
class Vocabulary(PiiClass):
    """Positions in a vocabulary of consecutive sections; each section has a keyed permutation without fixed points."""

    sections: tuple[int, ...]

    def mask(self, key: bytes, tweak: bytes) -> Mask:
        """A table of the positions that stand in for others."""
        starts = np.cumsum((0, *self.sections[:-1]))
        section_keys = (derive_key(key + tweak, "section", str(number)) for number in range(len(self.sections)))
        table = np.concatenate(
            [
                keyed_permutation(section_key, size).astype(np.int64) + start
                for section_key, size, start in zip(section_keys, self.sections, starts, strict=True)
            ]
        )
        return lambda codes, _rows: table[codes]


@dataclass(frozen=True)
class Days(PiiClass):
    """Days, each shifted by a keyed number in [-span, span] that is never zero."""

    span: int

    def mask(self, key: bytes, tweak: bytes) -> Mask:
        """A stream of shifts under the field's key."""
        stream = Stream.of(key + tweak, "days")

        def shifted(codes: Column, rows: Rows) -> Column:
            steps = stream.below(rows.counters, 2 * self.span).astype(np.int64) - self.span
            return codes.astype(np.int64) + np.where(steps >= 0, steps + 1, steps)

        return shifted


@dataclass(frozen=True)
class Redrawn(PiiClass):
    """Numbers in [0, size), each replaced by another one that is as likely as any; what is drawn is not kept unique."""

    size: int
    apart: int = 1
    """How far from the old number the new one lies at least, the range taken as a circle."""

    def mask(self, key: bytes, tweak: bytes) -> Mask:
        """A stream of steps round the circle under the field's key."""
        stream = Stream.of(key + tweak, "redrawn")

        def redrawn(codes: Column, rows: Rows) -> Column:
            steps = stream.below(rows.counters, self.size - 2 * self.apart + 1) + np.uint64(self.apart)
            return (codes.astype(np.uint64) + steps) % np.uint64(self.size)

        return redrawn


class MaskedEntity(Protocol):
    """What masking needs to know of an entity."""

    @property
    def name(self) -> str:
        """Plural name, as in a manifest's volumetry."""

    @property
    def pii(self) -> Mapping[str, PiiClass]:
        """The codes that are PII, by name."""

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Unmasked codes of the rows."""

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The rows as they are loaded, from codes."""


@dataclass(frozen=True)
class MaskingKeys:
    """The keys of all PII fields of a tenant, environment and salt_version, as Vault Transit derived them."""

    tenant: str
    environment: str
    salt_version: str
    by_field: Mapping[str, bytes] = field(repr=False)
    """32 bytes for each field, e.g. `customers.document_number`."""

    def __post_init__(self) -> None:
        wrong = sorted(name for name, key in self.by_field.items() if len(key) != KEY_BYTES)
        if wrong:
            raise ValueError(f"masking keys of other than {KEY_BYTES} bytes: {', '.join(wrong)}")

    @cached_property
    def fingerprint(self) -> str:
        """64 hex characters that tell two sets of keys apart and reveal neither."""
        return derive_key(self.by_field[FINGERPRINT_FIELD], FINGERPRINT_FIELD).hex()

    def tweak(self, name: str) -> bytes:
        """The FF1 tweak of a field: where it lives."""
        return "\x1f".join((self.tenant, self.environment, name, self.salt_version)).encode()


@dataclass(frozen=True)
class MaskedBatch:
    """Rows whose PII columns are masked; made by a `Masker` alone."""

    entity: str
    records: pa.RecordBatch


def fields_of(entities: Iterable[MaskedEntity]) -> tuple[str, ...]:
    """The fields to ask Transit keys for: the fingerprint's and those of all PII columns of the entities."""
    return (FINGERPRINT_FIELD, *(f"{entity.name}.{column}" for entity in entities for column in entity.pii))


class Masker:
    """Makes masked batches; the ciphers of its keys are set up once and kept."""

    def __init__(self, keys: MaskingKeys) -> None:
        self.keys = keys
        self._masks: dict[str, Mask] = {}

    def batch(self, entity: MaskedEntity, portfolio: Portfolio, rows: Rows) -> MaskedBatch:
        """Draw, mask and render the rows of an entity."""
        codes = dict(entity.draw(portfolio, rows))
        for column, pii in entity.pii.items():
            codes[column] = self._mask(f"{entity.name}.{column}", pii)(codes[column], rows)
        return MaskedBatch(entity.name, entity.render(portfolio, rows, codes))

    def _mask(self, name: str, pii: PiiClass) -> Mask:
        if name not in self._masks:
            self._masks[name] = pii.mask(self.keys.by_field[name], self.keys.tweak(name))
        return self._masks[name]


def unmasked_batch(entity: MaskedEntity, portfolio: Portfolio, rows: Rows) -> pa.RecordBatch:
    """The rows as drawn, before masking: for checks that count how many landed values equal them, never to be kept."""
    return entity.render(portfolio, rows, entity.draw(portfolio, rows))
