"""The budget of a seed run: what it refuses, what it charges, and that nothing is charged twice."""

from decimal import Decimal
from typing import Any

import pytest

from seed_pipelines.domain.cost_model import Work
from seed_pipelines.domain.manifest import Manifest
from seed_pipelines.domain.workload import Workload
from seed_pipelines.errors import BudgetExceeded, LeaseLost
from seed_pipelines.seeding import budget
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.rehearsal import rehearse
from seed_pipelines.seeding.reporting import check_and_record
from seed_pipelines.seeding.seed_run import Session, enter
from seed_pipelines_tests.worlds import TENANT, World, catalogue, manifest


def capped(cap: str | float, **changes: Any) -> Manifest:
    return manifest(budget={"cost_cap_brl": float(cap), "error_budget_pct": 1, **changes})


def planned_cost(world: World) -> Decimal:
    plan = enter(world.services, world.request(origin="planned")).plan
    world.control.leases.clear()
    workload = Workload.of(plan, world.services.row_files.write_requests)
    return workload.cost(world.catalogue.cost_models.model())


def generated(session: Session) -> budget.Expenses:
    """Generate the dataset's one shard, and pay for it."""
    (shard,) = session.plan.shards
    spent = budget.charge_keys(session, shard)
    for entity in session.plan.entities:
        budget.afford_generation(session, entity, shard)
        spent = budget.charge_generation(session, entity, shard, generate(session, entity, shard), 0.5)
    return spent


def loaded(session: Session) -> budget.Expenses:
    (shard,) = session.plan.shards
    budget.afford_load(session, shard)
    return budget.charge_load(session, shard, load(session, shard), 0.25)


def test_a_plan_that_costs_more_than_its_cap_is_refused_before_anything_is_drawn(world: World) -> None:
    """Vault is not asked, no seed run is opened, and a rehearsal is refused likewise."""
    for attempt in (lambda r: enter(world.services, r), lambda r: rehearse(world.services, r, str(world.directory))):
        with pytest.raises(BudgetExceeded) as refusal:
            attempt(world.request(capped("0.009")))
        assert (refusal.value.status, refusal.value.exit_code) == (429, 5)
        assert refusal.value.extensions["cost_cap_brl"] == "0.009"
    assert world.keys.asked == 0
    assert world.control.runs == {}


def test_a_plan_that_costs_its_cap_to_the_millionth_is_admitted(world: World) -> None:
    """A millionth less is refused."""
    cost = planned_cost(world)
    enter(world.services, world.request(capped(str(cost))))
    with pytest.raises(BudgetExceeded):
        enter(world.services, world.request(capped(str(cost - Decimal("0.000001"))), origin="run-2"))


def test_every_piece_is_charged_with_what_was_done(world: World) -> None:
    """Rows, requests and bytes as they were, and the cost of them by the model; the sum is the run's."""
    session = enter(world.services, world.request(capped(1)))
    generated(session)
    spent = loaded(session)
    entries = world.control.ledger[session.run.seed_run_id]
    model = world.catalogue.cost_models.model()
    assert list(entries) == ["masking_keys/0000", "generate/customers/0000", "generate/bank_accounts/0000", "load/0000"]
    for entry in entries.values():
        assert entry.cost_brl == model.cost(Work(entry.rows, entry.requests, entry.bytes_written))
    files = world.services.row_files
    (shard,) = session.plan.shards
    customers = entries["generate/customers/0000"]
    assert (customers.rows, customers.seconds, customers.entity) == (100, Decimal("0.500"), "customers")
    assert customers.bytes_written == sum(path.stat().st_size for path in world.directory.rglob("customers/*.parquet"))
    assert (entries["load/0000"].rows, shard.total_rows) == (220, 220)
    assert spent == budget.expenses(session)
    assert spent.cost_brl == sum(entry.cost_brl for entry in entries.values())
    assert files.write_requests(customers.bytes_written) == 0


def test_work_that_is_tried_again_is_charged_once(world: World) -> None:
    """A run that is entered anew pays for nothing twice, though it does it again."""
    session = enter(world.services, world.request(capped(1)))
    generated(session)
    first = loaded(session)
    again = enter(world.services, world.request(capped(1)))
    generated(again)
    assert loaded(again) == first


def test_a_load_that_was_not_charged_before_a_crash_is_charged_by_the_retry(world: World) -> None:
    """It finds its own rows and leaves them alone, but it was this run that put them there."""
    session = enter(world.services, world.request(capped(1)))
    generated(session)
    load(session, session.plan.shards[0])
    loaded(enter(world.services, world.request(capped(1))))
    assert world.control.ledger[session.run.seed_run_id]["load/0000"].rows == 220


def test_rows_that_an_earlier_run_loaded_cost_nothing_to_verify(world: World) -> None:
    """The entry says that no row was loaded."""
    first = enter(world.services, world.request(capped(1)))
    generated(first)
    loaded(first)
    first.finish("succeeded")
    second = enter(world.services, world.request(capped(1), origin="run-2"))
    generated(second)
    loaded(second)
    entry = world.control.ledger[second.run.seed_run_id]["load/0000"]
    assert (entry.rows, entry.cost_brl) == (0, Decimal(0))


def test_the_next_piece_is_refused_where_it_would_exceed_the_cap(world: World) -> None:
    """Before it is begun; what was paid for already may be done again."""
    session = enter(world.services, world.request(capped("0.0093")))
    (shard,) = session.plan.shards
    customers, accounts = session.plan.entities
    budget.afford_generation(session, customers, shard)
    file = generate(session, customers, shard)
    overpaid = type(file)(file.uri, 300, file.size_bytes, file.provenance, file.leaves)
    budget.charge_generation(session, customers, shard, overpaid, 0.1)
    budget.afford_generation(session, customers, shard)
    budget.afford_generation(session, accounts, shard)
    with pytest.raises(BudgetExceeded, match="load/0000") as refusal:
        budget.afford_load(session, shard)
    problem = refusal.value.problem()
    assert (problem["piece"], problem["exit_code"], problem["cost_cap_brl"]) == ("load/0000", 5, "0.0093")
    assert Decimal(problem["spent_brl"]) + Decimal(problem["needed_brl"]) > Decimal("0.0093")


def test_four_fifths_of_the_cap_are_worth_a_warning(world: World) -> None:
    """Not before; and without a cap never."""
    cost = planned_cost(world)
    session = enter(world.services, world.request(capped(str(cost))))
    assert generated(session).warning is None
    warning = loaded(session).warning
    assert warning is not None
    assert str(cost) in warning
    world.control.leases.clear()
    free = enter(world.services, world.request(origin="run-2"))
    generated(free)
    spent = loaded(free)
    assert (spent.warning, spent.cap_brl) == (None, None)
    assert spent.cost_brl == 0 + sum(e.cost_brl for e in world.control.ledger[free.run.seed_run_id].values())


def test_only_the_holder_of_the_lease_is_charged(world: World) -> None:
    """A run that was taken over adds nothing to the ledger."""
    session = enter(world.services, world.request())
    del world.control.leases[TENANT.tenant_id, "staging"]
    with pytest.raises(LeaseLost):
        budget.charge_keys(session, session.plan.shards[0])
    assert world.control.ledger == {}


def test_the_manifest_chooses_the_prices(world: World) -> None:
    """Of the catalogue in force; without a choice the newest count."""
    dear = {"brl_per_thousand_rows": "1000", "brl_per_thousand_requests": "0", "brl_per_gib_written": "0"}
    packaged = catalogue().model_dump(mode="json")
    models = {"newest": "dear", "models": {"v1": packaged["cost_models"]["models"]["v1"], "dear": dear}}
    world.catalogue = type(world.catalogue).model_validate(packaged | {"cost_models": models})
    with pytest.raises(BudgetExceeded, match="440"):
        enter(world.services, world.request(capped(10)))
    spent = budget.expenses(enter(world.services, world.request(capped(10, cost_model_version="v1"))))
    assert spent.cost_model_version == "v1"


def test_the_report_has_the_cost_so_far_and_the_cap(world: World) -> None:
    """In text, beside how long its checks took."""
    session = enter(world.services, world.request(capped(1)))
    generated(session)
    spent = loaded(session)
    report = check_and_record(session, session.plan.shards[0])
    assert report["budget"] == {"cost_brl": str(spent.cost_brl), "cost_cap_brl": "1.0", "cost_model_version": "v1"}
    assert report["check_seconds"] > 0


def test_requests_to_stubs_are_paid_for_once(world: World) -> None:
    """As many as were sent, and once, however often their step is tried; none is begun that the budget does not cover."""
    calling: dict[str, Any] = {
        "mode": "dr",
        "ttl": {"dr_days": 1},
        "budget": {"cost_cap_brl": 1, "error_budget_pct": 1},
    }
    session = enter(world.services, world.request(manifest(**calling)))
    (shard,) = session.plan.shards
    budget.afford_calls(session, shard)
    before = budget.expenses(session).cost_brl
    for _ in range(2):
        spent = budget.charge_calls(session, shard, 41)
        assert spent.cost_brl - before == world.catalogue.cost_models.model().cost(Work(requests=41))
    entry = world.control.ledger[session.run.seed_run_id]["call/0000"]
    assert (entry.kind, entry.requests, entry.rows) == ("call", 41, 0)
