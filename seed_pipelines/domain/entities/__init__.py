"""The entities this version generates, in foreign-key order."""

from typing import Final

from seed_pipelines.domain.entities.account_categories import AccountCategories
from seed_pipelines.domain.entities.addresses import Addresses
from seed_pipelines.domain.entities.bank_accounts import BankAccounts
from seed_pipelines.domain.entities.consultants import Consultants
from seed_pipelines.domain.entities.contracts import Contracts
from seed_pipelines.domain.entities.customers import Customers
from seed_pipelines.domain.entities.entity import Column, Entity
from seed_pipelines.domain.entities.financial_transactions import FinancialTransactions
from seed_pipelines.domain.entities.installments import Installments
from seed_pipelines.domain.entities.limits import Limits
from seed_pipelines.domain.entities.loans import Loans
from seed_pipelines.domain.entities.suppliers import Suppliers
from seed_pipelines.domain.entities.tenant_users import TenantUsers

ENTITIES: Final[tuple[Entity, ...]] = (
    TenantUsers(),
    Customers(),
    Addresses(),
    Consultants(),
    BankAccounts(),
    AccountCategories(),
    Suppliers(),
    Loans(),
    Installments(),
    FinancialTransactions(),
    Limits(),
    Contracts(),
)

BY_NAME: Final = {entity.name: entity for entity in ENTITIES}

__all__ = ["BY_NAME", "ENTITIES", "Column", "Entity"]
