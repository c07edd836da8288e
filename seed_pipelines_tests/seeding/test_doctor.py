"""The use case of the doctor: whom it lets attack whom, and what it says of it."""

from uuid import UUID

import pytest

from seed_pipelines.adapters.postgres.isolation.attempt import Attempt
from seed_pipelines.domain.entities import ENTITIES
from seed_pipelines.errors import DatabaseUnavailable, RlsNotEnforced, TenantMismatch, TenantUnknown
from seed_pipelines.seeding.doctor import examine, require_sound
from seed_pipelines_tests.worlds import OTHER_TENANT, TENANT, World

HOLE = Attempt("banking.seen", "SELECT with row_security off", "no policy restricts it", "DROP VIEW banking.seen")


def test_both_logins_attack_the_tables_of_every_entity_as_every_tenant(world: World) -> None:
    found = examine(world.services, "staging")
    assert found.tenants == (TENANT.slug, OTHER_TENANT.slug)
    assert found.relations == tuple(sorted(entity.table for entity in ENTITIES))
    assert found.attacks == len(ENTITIES) * 3
    assert "staging: no hole in 12 relations after 36 attacks on the rows of every tenant" in found.summary
    require_sound(found)


def test_a_hole_is_a_problem_with_its_cure(world: World) -> None:
    world.tables.found = [HOLE]
    with pytest.raises(RlsNotEnforced) as caught:
        require_sound(examine(world.services, "staging", TENANT.tenant_id))
    problem = caught.value.problem()
    assert problem["exit_code"] == 6
    assert problem["holes"] == ["banking.seen: SELECT with row_security off: no policy restricts it"]
    assert problem["findings"] == [{"environment": "staging", **HOLE.as_dict()}]
    assert f"staging: 1 hole in 12 relations after 36 attacks on the rows of {TENANT.slug}" in problem["detail"]


def test_what_both_logins_meet_is_one_hole(world: World) -> None:
    world.tables.found = world.control.found = [HOLE]
    assert examine(world.services, "staging").holes == (HOLE,)


def test_the_database_is_the_environments_and_the_tenant_is_known(world: World) -> None:
    with pytest.raises(TenantMismatch, match="staging, not to perf"):
        examine(world.services, "perf")
    with pytest.raises(TenantUnknown):
        examine(world.services, "staging", UUID(int=7))
    world.tables.away = True
    with pytest.raises(DatabaseUnavailable):
        examine(world.services, "staging")
