"""factory_boy factories that give the masked rows of a manifest, for the tests of applications that are seeded."""

from seed_pipelines.factories.binding import baseline_manifest, use_dataset
from seed_pipelines.factories.entity_factories import (
    FACTORIES,
    AccountCategoryFactory,
    AddressFactory,
    BankAccountFactory,
    ConsultantFactory,
    ContractFactory,
    CreditLimitFactory,
    CustomerFactory,
    FinancialTransactionFactory,
    InstallmentFactory,
    LoanFactory,
    SupplierFactory,
    TenantUserFactory,
)
from seed_pipelines.factories.entity_factory import EntityFactory, State
from seed_pipelines.factories.factory_rows import FactoryRows
from seed_pipelines.factories.faker_provider import SeedProvider
from seed_pipelines.factories.record import Record
from seed_pipelines.factories.vault_stub import VaultStub

__all__ = [
    "FACTORIES",
    "AccountCategoryFactory",
    "AddressFactory",
    "BankAccountFactory",
    "ConsultantFactory",
    "ContractFactory",
    "CreditLimitFactory",
    "CustomerFactory",
    "EntityFactory",
    "FactoryRows",
    "FinancialTransactionFactory",
    "InstallmentFactory",
    "LoanFactory",
    "Record",
    "SeedProvider",
    "State",
    "SupplierFactory",
    "TenantUserFactory",
    "VaultStub",
    "baseline_manifest",
    "use_dataset",
]
