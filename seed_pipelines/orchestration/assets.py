"""The assets of one manifest, in the order of the data path."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from seed_pipelines.domain.entities import Entity
from seed_pipelines.errors import ChecksFailed
from seed_pipelines.orchestration import presentation
from seed_pipelines.orchestration.evidence import evidence_asset
from seed_pipelines.orchestration.manifest_jobs import (
    DATABASE,
    ENVIRONMENT_TAG,
    INTEGRATIONS,
    INTEGRITY_REPORT,
    OWNER,
    TENANT_TAG,
    VALIDATED_MANIFEST,
    ManifestJob,
)
from seed_pipelines.orchestration.resources import Seeding
from seed_pipelines.orchestration.steps import seed_step
from seed_pipelines.seeding import budget
from seed_pipelines.seeding.budget import Expenses
from seed_pipelines.seeding.generation import generate
from seed_pipelines.seeding.integrations import call_stubs, error_budget_warning
from seed_pipelines.seeding.loading import load
from seed_pipelines.seeding.reporting import shard_report, summarize
from seed_pipelines.seeding.tracing import traced

AssetDecorator = Callable[[Callable[[dg.AssetExecutionContext], dg.MaterializeResult[None]]], dg.AssetsDefinition]


def manifest_assets(job: ManifestJob, seeding: Seeding) -> list[dg.AssetsDefinition]:
    """validated_manifest, one asset per entity, database, integrations where the mode calls them, integrity_report, evidence."""
    upstream, entity_assets = VALIDATED_MANIFEST, []
    for entity in job.plan.entities:
        entity_assets.append(_entity(job, seeding, entity, upstream))
        upstream = entity.name
    names = [entity.name for entity in job.plan.entities]
    return [
        _validated_manifest(job, seeding),
        *entity_assets,
        _database(job, seeding, names),
        *([_integrations(job, seeding)] if job.calls_stubs else []),
        _integrity_report(job, seeding),
        evidence_asset(job, seeding),
    ]


def _asset(
    job: ManifestJob, name: str, kinds: set[str], deps: Sequence[str], description: str, metadata: Mapping[str, Any]
) -> AssetDecorator:
    environment, tenant, _ = job.identity
    spec = dg.AssetSpec(
        job.key(name),
        deps=[job.key(dep) for dep in deps],
        group_name=job.slug,
        owners=[OWNER],
        kinds=kinds,
        tags={TENANT_TAG: tenant, ENVIRONMENT_TAG: environment},
        code_version=job.manifest.integrity.manifest_hash[:12],
        description=description,
        metadata=metadata,
        partitions_def=job.partitions,
    )
    decorator: AssetDecorator = dg.multi_asset(name=job.step_name(name), specs=[spec], pool=job.pool)
    return decorator


def _paid(context: dg.AssetExecutionContext, spent: Expenses) -> dict[str, Any]:
    """What the seed run has cost so far, with a warning in the log once little is left."""
    if spent.warning is not None:
        context.log.warning(spent.warning)
    return presentation.paid(spent)


def _validated_manifest(job: ManifestJob, seeding: Seeding) -> dg.AssetsDefinition:
    @_asset(
        job,
        VALIDATED_MANIFEST,
        {"yaml"},
        (),
        description=(
            "The manifest, read and validated again, its hash verified, and every guard passed: database, tenant, row "
            "level security, role, window, drift, Vault, lease. Says what the run will do."
        ),
        metadata=presentation.manifest_definition(job),
    )
    def validated_manifest(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with seed_step(context, job, seeding, VALIDATED_MANIFEST) as step:
            for shard in step.shards:
                context.add_asset_metadata(presentation.planned(step.session, shard), partition_key=shard.key)
        return dg.MaterializeResult()

    return validated_manifest


def _entity(job: ManifestJob, seeding: Seeding, entity: Entity, upstream: str) -> dg.AssetsDefinition:
    per = "for the tenant, made with the first shard" if entity.of_tenant else "per shard"

    @_asset(
        job,
        entity.name,
        {"python", "parquet"},
        [upstream],
        description=f"{entity.description} Generated from the manifest and masked in one step; one Parquet file {per}.",
        metadata=presentation.entity_definition(entity),
    )
    def rows(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with seed_step(context, job, seeding, entity.name) as step:
            for shard in step.shards:
                if entity.name not in shard.rows:
                    context.add_asset_metadata(presentation.elsewhere(step.session), partition_key=shard.key)
                    continue
                budget.afford_generation(step.session, entity, shard)
                started = time.perf_counter()
                with traced(step.session, "generate", shard, entity):
                    file = generate(step.session, entity, shard)
                seconds = time.perf_counter() - started
                spent = budget.charge_generation(step.session, entity, shard, file, seconds)
                made = presentation.generated(step.session, entity, shard, file, seconds)
                context.add_asset_metadata(made | _paid(context, spent), partition_key=shard.key)
        return dg.MaterializeResult()

    return rows


def _database(job: ManifestJob, seeding: Seeding, entities: Sequence[str]) -> dg.AssetsDefinition:
    @_asset(
        job,
        DATABASE,
        {"postgres"},
        entities,
        description=(
            "The shard's rows in PostgreSQL, loaded from the Parquet files under row level security: every table in one "
            "transaction, so that there is the old shard or the new one and never a mixture."
        ),
        metadata=presentation.database_definition(job),
    )
    def database(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with seed_step(context, job, seeding, DATABASE) as step:
            for shard in step.shards:
                budget.afford_load(step.session, shard)
                started = time.perf_counter()
                with traced(step.session, "load", shard):
                    loaded = load(step.session, shard)
                seconds = time.perf_counter() - started
                spent = budget.charge_load(step.session, shard, loaded, seconds)
                there = presentation.loaded(step.session, loaded, seconds)
                context.add_asset_metadata(there | _paid(context, spent), partition_key=shard.key)
        return dg.MaterializeResult()

    return database


def _integrations(job: ManifestJob, seeding: Seeding) -> dg.AssetsDefinition:
    @_asset(
        job,
        INTEGRATIONS,
        {"openapi"},
        [DATABASE],
        description=(
            "What the stubs of the outside systems answered about a sample of what landed: KYC and fraud prevention about "
            "customers, payments and notifications about their transactions. Within the manifest's rate limit, with its "
            "backoff, and to stubs only; nothing is called where none has an address."
        ),
        metadata=presentation.integrations_definition(job),
    )
    def integrations(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with seed_step(context, job, seeding, INTEGRATIONS) as step:
            for shard in step.shards:
                budget.afford_calls(step.session, shard)
                used = call_stubs(step.session, shard)
                spent = budget.charge_calls(step.session, shard, sum(use.requests for use in used))
                warning = error_budget_warning(step.session)
                if warning is not None:
                    context.log.warning(warning)
                context.add_asset_metadata(
                    presentation.called(used, warning) | _paid(context, spent), partition_key=shard.key
                )
        return dg.MaterializeResult()

    return integrations


def _integrity_report(job: ManifestJob, seeding: Seeding) -> dg.AssetsDefinition:
    @_asset(
        job,
        INTEGRITY_REPORT,
        {"json"},
        [DATABASE, *([INTEGRATIONS] if job.calls_stubs else [])],
        description="What was asked for, what landed, and the result of every check, with the digest of the dataset.",
        metadata={},
    )
    def integrity_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with seed_step(context, job, seeding, INTEGRITY_REPORT) as step:
            reports = [(shard, shard_report(step.session, shard)) for shard in step.shards]
            summary = summarize(step.session)
            for shard, report in reports:
                context.add_asset_metadata(presentation.reported(report, summary), partition_key=shard.key)
            red = [shard.key for shard, report in reports if not report["passed"]]
            if red:
                raise ChecksFailed(f"Checks failed in shard {', '.join(red)}.", shards=red)
        return dg.MaterializeResult()

    return integrity_report
