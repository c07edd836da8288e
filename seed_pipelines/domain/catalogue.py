"""The Q11 catalogue: how many rows of what a manifest may ask for, which profiles there are, and what work costs."""

from importlib.resources import files
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from seed_pipelines.domain.cost_model import CostModels
from seed_pipelines.domain.frozen_mapping import Frozen
from seed_pipelines.domain.issues import Issue, pointer
from seed_pipelines.errors import ManifestInvalid

Mode = Literal["baseline", "carga", "dr", "canary"]
Environment = Literal["dev", "homolog", "staging", "perf", "dr"]

MODES: Final[tuple[str, ...]] = get_args(Mode)
ENVIRONMENTS: Final[tuple[str, ...]] = get_args(Environment)
LOAD_MODES: Final = ("carga", "dr")
"""Modes with the larger caps, which run in staging, perf and dr only."""

SLICES: Final = 16
"""Profiles that can share the unique values of a tenant and environment."""

MOST_CUSTOMERS: Final = 999_999_990 // SLICES
"""Customers that one profile can have."""

LARGEST_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON implementation keeps (RFC 8785, section 3.2.2.3)."""

_PACKAGED: Final = "data/q11-catalogue.v1.json"

_Cap = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
_Slice = Annotated[int, Field(ge=0, lt=SLICES)]


class EntityCaps(BaseModel):
    """Largest number of rows of one entity, before the environment's multiplier."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    base: _Cap
    """In modes baseline and canary."""
    load: _Cap
    """In modes carga and dr."""


class Catalogue(BaseModel):
    """What manifests may ask for; a deployment can replace it by a file of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: Annotated[str, Field(min_length=1, max_length=64)]
    """Name of this state of the catalogue, for reports."""
    rows_per_shard: Annotated[int, Field(ge=1, le=10_000_000)]
    """About how many rows of all entities one shard holds."""
    profiles: Frozen[_Slice]
    """Profile -> its slice of the unique values."""
    environments: Frozen[Annotated[int, Field(ge=1, le=1_000_000)]]
    """Environment -> what its caps are multiplied by."""
    entities: Frozen[EntityCaps]
    """Entity -> its caps."""
    cost_models: CostModels = Field(default_factory=CostModels.packaged)
    """What work costs; a catalogue that does not say takes the packaged prices."""

    @classmethod
    def packaged(cls) -> Self:
        """The catalogue that comes with the program."""
        return cls.from_json(files("seed_pipelines.domain").joinpath(_PACKAGED).read_bytes())

    @classmethod
    def from_json(cls, source: bytes) -> Self:
        """The catalogue in the bytes of a JSON file; raises ManifestInvalid with every issue."""
        try:
            return cls.model_validate_json(source)
        except ValidationError as error:
            issues = [
                Issue(pointer(e["loc"]), e["type"], e["msg"], "see the packaged catalogue")
                for e in error.errors(include_url=False, include_context=False, include_input=False)
            ]
            first = issues[0]
            raise ManifestInvalid(
                f"the catalogue is wrong at {first.pointer or 'the top level'}: {first.message}",
                issues=[issue.as_dict() for issue in issues],
            ) from None

    def cap(self, entity: str, mode: str, environment: str) -> int:
        """Most rows of an entity in a mode and environment; KeyError if the catalogue does not have them."""
        caps = self.entities[entity]
        return (caps.load if mode in LOAD_MODES else caps.base) * self.environments[environment]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if len(set(self.profiles.values())) < len(self.profiles):
            raise ValueError("two profiles have the same slice")
        if set(self.environments) != set(ENVIRONMENTS):
            raise ValueError(f"the environments are not {', '.join(ENVIRONMENTS)}")
        return self
