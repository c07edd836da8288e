"""What a dataset's values derive from: its names, its salt, the generator's version, and two datetimes."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Final

from seed_pipelines.domain.brazil.vocabularies import VOCABULARY_VERSION
from seed_pipelines.domain.catalogue import MOST_CUSTOMERS, Catalogue
from seed_pipelines.domain.ids import dataset_tag
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.streams import Stream, derive_key

GENERATOR_VERSION: Final = f"1+{VOCABULARY_VERSION[:12]}"
"""Changes whenever the same manifest would give other bytes: the code's own number and the vocabularies' digest."""

_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True)
class Dataset:
    """The identity of a dataset; caps and catalogue are no part of it, so that raising a cap only appends rows."""

    tenant: str
    environment: str
    profile: str
    salt_version: str
    slice_number: int
    anchor_datetime: datetime
    reference_datetime: datetime

    @classmethod
    def of(cls, manifest: Manifest, catalogue: Catalogue) -> "Dataset":
        """The dataset a manifest describes."""
        metadata = manifest.metadata
        return cls(
            metadata.tenant,
            metadata.environment,
            metadata.profile,
            metadata.salt_version,
            catalogue.profiles[metadata.profile],
            manifest.anchor_datetime,
            manifest.reference_datetime,
        )

    @property
    def anchor_day(self) -> int:
        """The day of the anchor, in days since 1970-01-01."""
        return (self.anchor_datetime.date() - _EPOCH).days

    @property
    def reference_day(self) -> int:
        """The day of the reference, in days since 1970-01-01: what happened on an earlier day is past."""
        return (self.reference_datetime.date() - _EPOCH).days

    @cached_property
    def tag(self) -> int:
        """The 24 bits that every row id starts with."""
        return dataset_tag(self.tenant, self.environment, self.profile)

    @cached_property
    def seed_key(self) -> bytes:
        """32 bytes from which every stream of the dataset derives; not a secret."""
        identity = (self.tenant, self.environment, self.profile, self.salt_version, GENERATOR_VERSION)
        return derive_key(b"seed-pipelines/dataset", *identity)

    @cached_property
    def permutation_key(self) -> bytes:
        """32 bytes for the permutations of unique columns, shared by all profiles of the tenant and environment."""
        return derive_key(b"seed-pipelines/permutation", self.tenant, self.environment, self.salt_version)

    @property
    def first_unique_index(self) -> int:
        """Where this profile's slice of the unique columns' index space begins."""
        return self.slice_number * MOST_CUSTOMERS

    def stream(self, entity: str, column: str) -> Stream:
        """The random stream of one column."""
        return Stream.of(self.seed_key, entity, column)
