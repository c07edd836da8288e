"""Calling the stubs of the outside systems about a sample of what landed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.integration_calls import CALLED, Call, calls_about, sample_size, sampled_customers
from seed_pipelines.domain.outbound import Endpoint
from seed_pipelines.domain.plan import IdRange, Shard
from seed_pipelines.domain.row_values import json_values, row_values
from seed_pipelines.domain.service_levels import ErrorBudget, IntegrationUse
from seed_pipelines.seeding.seed_run import Session
from seed_pipelines.seeding.stub_caller import StubCaller, Tally

_CUSTOMERS: Final = "customers"
_TRANSACTIONS: Final = "financial_transactions"


def reachable(session: Session) -> Mapping[str, Endpoint]:
    """The systems that runs of the manifest call -> where; ExternalCallsBlocked."""
    endpoints = session.services.integrations.addresses.endpoints(session.manifest)
    return {name: endpoints[name] for name in CALLED if name in endpoints}


def call_stubs(session: Session, shard: Shard) -> tuple[IntegrationUse, ...]:
    """Ask every system that has an address about the shard's part of the sample; what was had of each.

    It is recorded however it ends. Raises RateLimited where a stub went on refusing, StubUnavailable where one did not
    answer through all retries, BudgetExceeded once more requests have failed than the manifest allows, LeaseLost.
    """
    endpoints = reachable(session)
    tallies = {name: Tally() for name in endpoints}
    with _recorded(session, shard, tallies):
        caller = StubCaller(session, endpoints, tallies, error_budget(session))
        for call in _calls(session, shard):
            if call.integration in endpoints:
                caller.make(call)
    return tuple(tally.use(name, shard) for name, tally in tallies.items())


def error_budget(session: Session) -> ErrorBudget | None:
    """How many requests of the run may fail; None where its manifest does not say."""
    budget = session.manifest.budget
    if budget is None:
        return None
    planned = sample_size(session.plan.rows[_CUSTOMERS]) * len(reachable(session))
    return ErrorBudget(budget.error_budget_pct, planned)


def error_budget_warning(session: Session) -> str | None:
    """What to say once four fifths of the requests that may fail have failed; None before, and where there is no budget."""
    budget = error_budget(session)
    failed = sum(use.failed for use in session.services.control.integration_uses(session.run.seed_run_id))
    if budget is None or not budget.is_nearly_spent(failed):
        return None
    return (
        f"{failed} requests to stubs failed, and of {budget.planned} the manifest lets {budget.allowed_pct}% fail: beyond "
        f"{budget.allowed} the run is stopped."
    )


@contextmanager
def _recorded(session: Session, shard: Shard, tallies: Mapping[str, Tally]) -> Iterator[None]:
    try:
        yield
    finally:
        used = [tally.use(name, shard) for name, tally in tallies.items() if tally.requests or tally.held_back]
        session.services.control.record_integrations(session.lease, used)


def _calls(session: Session, shard: Shard) -> Iterator[Call]:
    """The calls about the sampled customers of a shard, as the database has them."""
    plan, entities = session.plan, {entity.name: entity for entity in session.plan.entities}
    for index in sampled_customers(plan.rows[_CUSTOMERS], shard.first_customer, shard.end_customer):
        span = (index, index + 1)
        rows = {
            name: _rows(session, entities[name], plan.chunk_ids(shard, span, entities[name]))
            for name in (_CUSTOMERS, _TRANSACTIONS)
            if name in entities
        }
        for customer in rows[_CUSTOMERS][:1]:
            yield from calls_about(customer, rows.get(_TRANSACTIONS, []))


def _rows(session: Session, entity: Entity, ids: IdRange) -> list[dict[str, Any]]:
    table = session.services.target.read(session.tenant.tenant_id, entity, ids)
    return [json_values(row) for row in row_values(table)]
