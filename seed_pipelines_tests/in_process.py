"""What the assets of a seed run do, without Dagster."""

from seed_pipelines.seeding.checking import diagnose
from seed_pipelines.seeding.doctor import Diagnosis
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.reporting import check_and_record
from seed_pipelines.seeding.seed_run import Session


def seed_shards(session: Session, diagnosis: Diagnosis | None = None) -> Diagnosis:
    """Generate, load and check every shard of a held session; the diagnosis of the database, asked for unless given."""
    found = diagnosis or diagnose(session)
    for shard in session.plan.shards:
        for entity in session.plan.entities_of(shard):
            generate(session, entity, shard)
        load(session, shard)
        check_and_record(session, shard, found)
    return found
