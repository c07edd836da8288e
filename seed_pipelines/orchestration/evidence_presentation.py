"""What people see of sealed reports in the Dagster UI, and of those that could not be sealed."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from logging import Logger
from typing import Any

import dagster as dg

from seed_pipelines.adapters.postgres.reports import Report
from seed_pipelines.domain.evidence.envelope import payload_of
from seed_pipelines.domain.evidence.statement import read_report
from seed_pipelines.orchestration import metadata_tables
from seed_pipelines.orchestration.manifest_jobs import EVIDENCE, SEALED
from seed_pipelines.seeding.outbox import SealingAttempt
from seed_pipelines.seeding.sealing import SealedReport

_WAITING = "Nothing was sealed yet: the report is of all shards together, and others are still to come."


def sealed(found: SealedReport | None) -> dict[str, Any]:
    """Where a report is sealed, and what it says in short."""
    if found is None:
        return {"what was done": _WAITING}
    return _shown(found, _content(found.report))


def _content(report: Report) -> Mapping[str, Any]:
    """What a report says."""
    return read_report(payload_of(report.envelope))


def _shown(found: SealedReport, content: Mapping[str, Any]) -> dict[str, Any]:
    report, evidence = found.report, found.evidence
    checklist = content["checklist"]
    return {
        "verdict": report.verdict,
        "page": f"s3://{evidence.bucket}/{evidence.page_key}",
        "envelope": f"s3://{evidence.bucket}/{evidence.object_key}",
        "version": evidence.version_id,
        "retained until": f"{evidence.retain_until:%Y-%m-%dT%H:%M:%SZ}",
        "sequence": report.sequence,
        "sha256": report.sha256,
        "audit checklist": f"{checklist['passed']} passed, {checklist['failed']} failed, "
        f"{checklist['not_applicable']} not applicable",
        "volumes": metadata_tables.table(
            {"entity": volume["entity"], "planned": volume["planned"], "delivered": volume["delivered"]}
            for volume in content["volumes"]
        ),
        "dataset digest": content["dataset_digest"] or "not all rows were read back",
        "verify it": dg.MetadataValue.md(f"`seed-data verify {report.seed_run_id} --environment {report.environment}`"),
        "report": dg.MetadataValue.json(dict(content)),
    }


def check_result(key: dg.AssetKey, found: SealedReport | None) -> dg.AssetCheckResult:
    """Whether the last run's report is sealed; a warning while it is still to come."""
    if found is None:
        return dg.AssetCheckResult(
            asset_key=key,
            check_name=SEALED,
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=_WAITING,
        )
    return dg.AssetCheckResult(asset_key=key, check_name=SEALED, passed=True, description=_retained(found))


def events(
    attempt: SealingAttempt, known: Collection[dg.AssetKey]
) -> Iterator[dg.AssetMaterialization | dg.AssetCheckEvaluation]:
    """What an attempt of the sensor tells the asset of its report; nothing where the location does not have it."""
    report = attempt.report
    content = _content(report)
    key = dg.AssetKey([report.environment, content["tenant"]["slug"], content["profile"], EVIDENCE])
    if key not in known:
        return
    if attempt.evidence is not None:
        found = SealedReport(report, attempt.evidence)
        yield dg.AssetMaterialization(
            key,
            description=f"Sealed by the sensor: the report of a run that {_ended(report)}.",
            metadata=_shown(found, content),
        )
        yield dg.AssetCheckEvaluation(
            asset_key=key, check_name=SEALED, passed=True, description=_retained(found), metadata={}
        )
    elif attempt.is_overdue and attempt.problem is not None:
        yield dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=SEALED,
            passed=False,
            description=f"Report {report.sequence} is past its deadline and not sealed. {attempt.problem['detail']}",
            metadata={"problem": dg.MetadataValue.json(json.loads(json.dumps(attempt.problem, default=str)))},
        )


def tell(log: Logger, attempt: SealingAttempt) -> None:
    """One line for each attempt; an overdue one is an error, which alerts go by."""
    report = attempt.report
    if attempt.evidence is not None:
        log.info(
            "Report %d of seed run %s is sealed: %s", report.sequence, report.seed_run_id, attempt.evidence.object_key
        )
        return
    problem = json.dumps(attempt.problem, default=str)
    words = "Report %d of seed run %s is not sealed: Problem Details: %s"
    (log.error if attempt.is_overdue else log.warning)(words, report.sequence, report.seed_run_id, problem)


def summary(attempts: Sequence[SealingAttempt], away: Sequence[str]) -> str | None:
    """Why a tick did nothing, `away` being what it could not ask; None where it sealed something."""
    if any(attempt.evidence is not None for attempt in attempts):
        return None
    if away:
        return "; ".join(away)
    return f"{len(attempts)} reports could not be sealed: see the log." if attempts else "Every report is sealed."


def _ended(report: Report) -> str:
    words = {
        "succeeded": "succeeded",
        "partial": "was for some assets or shards only",
        "failed": "failed",
        "aborted": "was stopped",
    }
    return words[report.verdict]


def _retained(found: SealedReport) -> str:
    until = found.evidence.retain_until
    return f"Report {found.report.sequence} is sealed until {until:%Y-%m-%d}, and was read back."
