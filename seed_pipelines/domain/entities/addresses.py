"""Addresses of customers: the first one is where they live and the primary one, in the area of their phone."""

from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.domain.brazil import phone, places, streets
from seed_pipelines.domain.brazil.states import is_postal_code, is_postal_code_of, is_state
from seed_pipelines.domain.children import Rows
from seed_pipelines.domain.coherence import Landed, Rule
from seed_pipelines.domain.entities.customers import Customers, areas, beginnings
from seed_pipelines.domain.entities.entity import Column, Entity, invalid, labels, timestamps
from seed_pipelines.domain.masking import Codes, Redrawn, Vocabulary
from seed_pipelines.domain.portfolio import Portfolio

KINDS: Final = ("RESIDENTIAL", "BUSINESS", "MAILING")
_FURTHER_KIND_SHARES: Final = (20, 45, 35)
"""Kinds of the addresses after a customer's first."""
_BUSINESS: Final = KINDS.index("BUSINESS")
_MOVED_PERCENT: Final = 15
"""Further addresses that lie anywhere in the country; the others have the area code of the customer's phone."""
_COMPLEMENT_PERCENT: Final = 45
_FIRST_ADDRESS_SECONDS: Final = 3600


def _incoherent(landed: Landed) -> Mapping[str, int]:
    """Addresses against themselves and their customers."""
    rows, customers = landed.tables["addresses"], landed.tables["customers"]
    state = rows.column("state")
    primaries = pa.table(
        {"customer": rows.column("customer_id"), "primary": rows.column("is_primary").cast(pa.int64())}
    )
    per_customer = primaries.group_by("customer").aggregate([("primary", "sum")]).column("primary_sum")
    owner = pc.index_in(rows.column("customer_id"), customers.column("id").combine_chunks())
    registered = customers.column("registered_at").combine_chunks().take(owner.combine_chunks())
    early = pc.less(rows.column("created_at").combine_chunks(), registered)
    return {
        "addresses: CEP outside the ranges of its state": invalid(is_postal_code_of(rows.column("postal_code"), state)),
        "addresses: city of another state": invalid(places.is_city_of(rows.column("city"), state)),
        "customers: addresses without exactly one primary": invalid(pc.equal(per_customer, 1)),
        "addresses: created before the customer registered": int(pc.sum(early).as_py() or 0),
    }


class Addresses(Entity):
    """Addresses hang on customers; each customer who has any has one primary address, the first."""

    name: ClassVar[str] = "addresses"
    table: ClassVar[str] = "banking.address"
    description: ClassVar[str] = "Where the customers live, work and get their mail."
    columns = (
        Column("id", pa.binary(16), "UUIDv8: dataset, customer index, ordinal, keyed bits."),
        Column("customer_id", pa.binary(16), "The customer whose address it is."),
        Column("kind", pa.string(), "RESIDENTIAL, BUSINESS or MAILING.", few_values=True),
        Column("is_primary", pa.bool_(), "One address of each customer is."),
        Column("street", pa.string(), "With its kind in front, as in Rua dos Ipês.", pii="street", few_values=True),
        Column("street_number", pa.string(), "Digits, without zeros in front.", pii="street number"),
        Column("complement", pa.string(), "Flat, house, room or shop.", few_values=True, nullable=True),
        Column("district", pa.string(), "Bairro.", few_values=True),
        Column("city", pa.string(), "A city of the state; the home's is in the area of the phone.", few_values=True),
        Column("state", pa.string(), "Two letters; about as many addresses as people.", few_values=True),
        Column("postal_code", pa.string(), "CEP: eight digits, in a range of the city.", pii="postal code"),
        Column("created_at", pa.timestamp("us", "UTC"), "Not before the customer's registered_at."),
    )
    pii: ClassVar = {
        "street": Vocabulary((len(streets.streets()),)),
        "street_number": Redrawn(streets.NUMBERS),
        "postal_place": Redrawn(places.PLACES, apart=places.APART),
    }
    hangs_on = Customers
    references: ClassVar = {"customer_id": Customers.name}
    rules: ClassVar = (
        Rule(
            "addresses_coherent",
            "CEP, city and state of an address agree; whoever has addresses has one primary; none is older than its customer.",
            ("customers", "addresses"),
            _incoherent,
        ),
    )

    def draw(self, portfolio: Portfolio, rows: Rows) -> Codes:
        """Codes of the addresses."""
        dataset, counters = portfolio.dataset, rows.counters
        first = rows.ordinals == 0
        kind = np.where(first, 0, self.stream(dataset, "kind").choice(counters, _FURTHER_KIND_SHARES))
        moved = ~first & (self.stream(dataset, "city/moved").below(counters, 100) < _MOVED_PERCENT)
        elsewhere = self.stream(dataset, "city/area").choice(counters, phone.AREA_WEIGHTS)
        area = np.where(moved, elsewhere, areas(dataset, rows.customers))
        return {
            "kind": kind,
            "street": self.stream(dataset, "street").below(counters, len(streets.streets())),
            "street_number": self.stream(dataset, "street_number").below(counters, streets.NUMBERS),
            "complement": self._complements(portfolio, rows, at_work=kind == _BUSINESS),
            "district": self.stream(dataset, "district").below(counters, len(streets.districts())),
            "city": places.cities(area, counters, self.stream(dataset, "city")),
            "postal_place": self.stream(dataset, "postal_code").below(counters, places.PLACES),
            "created_second": beginnings(
                dataset, rows, self.stream(dataset, "created_at").words(counters), first_within=_FIRST_ADDRESS_SECONDS
            ),
        }

    def render(self, portfolio: Portfolio, rows: Rows, codes: Codes) -> pa.RecordBatch:
        """The addresses as they are loaded."""
        city = pa.array(codes["city"])
        return self.batch(
            {
                "id": self.ids(portfolio.dataset, rows),
                "customer_id": Customers.ids(portfolio.dataset, rows.owners),
                "kind": labels(codes["kind"], KINDS),
                "is_primary": pa.array(rows.ordinals == 0),
                "street": streets.streets().take(pa.array(codes["street"])),
                "street_number": streets.street_numbers(codes["street_number"]),
                "complement": streets.complements(codes["complement"]),
                "district": streets.districts().take(pa.array(codes["district"])),
                "city": places.city_names().take(city),
                "state": places.city_states().take(city),
                "postal_code": places.postal_codes(codes["city"], codes["postal_place"]),
                "created_at": timestamps(codes["created_second"]),
            }
        )

    def invalid_values(self, rows: pa.RecordBatch | pa.Table) -> Mapping[str, int]:
        """CEPs, states and street numbers."""
        number = pc.match_substring_regex(rows.column("street_number"), r"^[1-9][0-9]*$")
        return {
            "CEP that is no eight digits of a state's range": invalid(is_postal_code(rows.column("postal_code"))),
            "state that does not exist": invalid(is_state(rows.column("state"))),
            "street number that is no number": invalid(number),
        }

    def _complements(
        self, portfolio: Portfolio, rows: Rows, *, at_work: np.ndarray[tuple[int], np.dtype[np.bool_]]
    ) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Codes as `streets.complements` takes them."""
        dataset, counters = portfolio.dataset, rows.counters
        has_one = self.stream(dataset, "complement/has_one").below(counters, 100) < _COMPLEMENT_PERCENT
        which = self.stream(dataset, "complement").within(counters, np.where(at_work, streets.WORK, streets.HOME))
        return np.where(has_one, 1 + np.where(at_work, streets.HOME, 0) + which, 0)
