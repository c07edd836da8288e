"""Masking keys of a plan."""

import pytest

from seed_pipelines.domain.entities import Entity
from seed_pipelines.domain.masking import Masker, fields_of
from seed_pipelines.domain.masking_keys import masking_keys
from seed_pipelines.domain.plan import Plan
from seed_pipelines_tests.fakes import FakeKeys
from seed_pipelines_tests.worlds import GENERATED, catalogue, manifest_of_every_entity

PLAN = Plan.of(manifest_of_every_entity(20, in_catalogue=catalogue()), catalogue())


@pytest.mark.parametrize("entity", GENERATED, ids=lambda entity: entity.name)
def test_the_rows_of_an_entity_need_no_keys_but_its_own(entity: Entity) -> None:
    """They are masked as under the keys of the whole plan."""
    own, every = masking_keys(FakeKeys(), PLAN, (entity,)), masking_keys(FakeKeys(), PLAN)
    assert tuple(own.by_field) == fields_of((entity,))
    rows = PLAN.numbered_row(entity, PLAN.rows[entity.name] - 1)
    assert Masker(own).batch(entity, PLAN.portfolio, rows) == Masker(every).batch(entity, PLAN.portfolio, rows)
