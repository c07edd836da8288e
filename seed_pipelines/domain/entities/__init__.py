"""The entities this version generates, in foreign-key order."""

from typing import Final

from seed_pipelines.domain.entities.bank_accounts import BankAccounts
from seed_pipelines.domain.entities.customers import Customers
from seed_pipelines.domain.entities.entity import Column, Entity
from seed_pipelines.domain.entities.installments import Installments
from seed_pipelines.domain.entities.loans import Loans

ENTITIES: Final[tuple[Entity, ...]] = (Customers(), BankAccounts(), Loans(), Installments())

BY_NAME: Final = {entity.name: entity for entity in ENTITIES}

__all__ = ["BY_NAME", "ENTITIES", "Column", "Entity"]
