"""What the database has of a seed run's work, read once for all that is made of it: its report and its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seed_pipelines.adapters.postgres.budget_entries import Spending, WorkDone
from seed_pipelines.domain.service_levels import IntegrationUse
from seed_pipelines.seeding.budget import Expenses, expenses_of
from seed_pipelines.seeding.reporting import DatasetSummary, summarize
from seed_pipelines.seeding.run_record import RunRecord


@dataclass(frozen=True)
class RecordedWork:
    """What was loaded, checked, called and spent, when it was read."""

    shard_reports: Mapping[str, Mapping[str, Any]]
    """What was found of each shard, by its key."""
    summary: DatasetSummary
    uses: Sequence[IntegrationUse]
    done: Sequence[WorkDone]
    spent: Spending
    expenses: Expenses
    """What was spent, and what may be."""

    @classmethod
    def of(cls, record: RunRecord) -> "RecordedWork":
        """The work of a seed run so far; DatabaseUnavailable."""
        control, seed_run_id = record.services.control, record.run.seed_run_id
        spent = control.spending(seed_run_id)
        return cls(
            control.shard_reports(seed_run_id),
            summarize(record),
            control.integration_uses(seed_run_id),
            control.work_done(seed_run_id),
            spent,
            expenses_of(record, spent),
        )
