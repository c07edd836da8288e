"""The factories, one for each entity; the traits are the states in which rows can be asked for."""

from collections.abc import Mapping
from typing import Final

from seed_pipelines.domain.entities import BY_NAME
from seed_pipelines.factories.entity_factory import EntityFactory, State


class TenantUserFactory(EntityFactory):
    """People who work at the tenant."""

    class Meta:
        entity = BY_NAME["tenant_users"]

    class Params:
        admin = State("role", "ADMIN")
        manager = State("role", "MANAGER")
        analyst = State("role", "ANALYST")
        auditor = State("role", "AUDITOR")
        active = State("status", "ACTIVE")
        suspended = State("status", "SUSPENDED")


class CustomerFactory(EntityFactory):
    """Customers."""

    class Meta:
        entity = BY_NAME["customers"]

    class Params:
        active = State("status", "ACTIVE")
        blocked = State("status", "BLOCKED")
        delinquent = State("status", "DELINQUENT")
        canceled = State("status", "CANCELED")


class AddressFactory(EntityFactory):
    """Addresses, each with its `customer`."""

    class Meta:
        entity = BY_NAME["addresses"]

    class Params:
        residential = State("kind", "RESIDENTIAL")
        business = State("kind", "BUSINESS")
        mailing = State("kind", "MAILING")
        primary = State("is_primary", True)


class ConsultantFactory(EntityFactory):
    """People who sell loans for the tenant."""

    class Meta:
        entity = BY_NAME["consultants"]

    class Params:
        active = State("status", "ACTIVE")
        inactive = State("status", "INACTIVE")


class BankAccountFactory(EntityFactory):
    """Bank accounts, each with its `customer`."""

    class Meta:
        entity = BY_NAME["bank_accounts"]

    class Params:
        checking = State("account_type", "CHECKING")
        savings = State("account_type", "SAVINGS")
        active = State("status", "ACTIVE")
        blocked = State("status", "BLOCKED")


class AccountCategoryFactory(EntityFactory):
    """Categories of income and expenses."""

    class Meta:
        entity = BY_NAME["account_categories"]

    class Params:
        income = State("type", "INCOME")
        expense = State("type", "EXPENSE")


class SupplierFactory(EntityFactory):
    """Companies that customers pay."""

    class Meta:
        entity = BY_NAME["suppliers"]

    class Params:
        active = State("status", "ACTIVE")
        inactive = State("status", "INACTIVE")


class LoanFactory(EntityFactory):
    """Loans, each with its `customer` and `consultant`."""

    class Meta:
        entity = BY_NAME["loans"]

    class Params:
        price = State("amortization_system", "PRICE")
        sac = State("amortization_system", "SAC")
        in_progress = State("status", "IN_PROGRESS")
        paid_off = State("status", "PAID_OFF")
        in_collection = State("status", "IN_COLLECTION")
        canceled = State("status", "CANCELED")


class InstallmentFactory(EntityFactory):
    """Installments, each with its `loan`."""

    class Meta:
        entity = BY_NAME["installments"]

    class Params:
        pending = State("status", "PENDING")
        paid = State("status", "PAID")
        overdue = State("status", "OVERDUE")
        partially_paid = State("status", "PARTIALLY_PAID")


class FinancialTransactionFactory(EntityFactory):
    """Transactions, each with its `bank_account` and `category`; `supplier` and `installment` may be None."""

    class Meta:
        entity = BY_NAME["financial_transactions"]

    class Params:
        income = State("type", "INCOME")
        expense = State("type", "EXPENSE")


class CreditLimitFactory(EntityFactory):
    """Credit limits, each with its `bank_account`."""

    class Meta:
        entity = BY_NAME["limits"]

    class Params:
        overdraft = State("kind", "OVERDRAFT")
        credit_card = State("kind", "CREDIT_CARD")
        active = State("status", "ACTIVE")
        frozen = State("status", "FROZEN")
        canceled = State("status", "CANCELED")


class ContractFactory(EntityFactory):
    """Contracts, each with its `loan`."""

    class Meta:
        entity = BY_NAME["contracts"]

    class Params:
        active = State("status", "ACTIVE")
        expired = State("status", "EXPIRED")
        revoked = State("status", "REVOKED")


FACTORIES: Final[Mapping[str, type[EntityFactory]]] = {
    factory.entity().name: factory
    for factory in (
        TenantUserFactory,
        CustomerFactory,
        AddressFactory,
        ConsultantFactory,
        BankAccountFactory,
        AccountCategoryFactory,
        SupplierFactory,
        LoanFactory,
        InstallmentFactory,
        FinancialTransactionFactory,
        CreditLimitFactory,
        ContractFactory,
    )
}
"""Entity -> its factory."""
