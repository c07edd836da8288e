"""Everything this program refuses or cannot do, each with its problem type (RFC 9457) and exit code.

SeedError
├── ValidationFailure            exit 2
│   ├── ManifestInvalid          422 manifest_invalid
│   ├── ManifestHashMismatch     422 manifest_hash_mismatch
│   ├── CapExceeded              422 cap_exceeded
│   ├── TenantMismatch           422 tenant_mismatch
│   ├── RequestInvalid           422 request_invalid
│   ├── CanaryOutOfScope         422 canary_out_of_scope
│   ├── PartitionsNotSelected    422 partitions_not_selected
│   ├── IdempotencyConflict      409 idempotency_conflict
│   ├── ReferenceDatetimeDrift   409 reference_datetime_drift
│   ├── MaskingKeyChanged        409 masking_key_changed
│   ├── DatasetInUse             409 dataset_in_use
│   ├── TargetMismatch           422 target_mismatch
│   ├── ParquetMismatch          409 parquet_mismatch
│   ├── ExternalCallsBlocked     503 external_calls_blocked
│   ├── ChecksFailed             422 checks_failed
│   ├── EvidenceInvalid          422 evidence_invalid
│   ├── SeedRunUnknown           404 seed_run_unknown
│   └── SeedRunEnded             409 seed_run_ended
├── ConcurrencyRefusal           exit 3
│   ├── IdempotencyInProgress    409 idempotency_in_progress
│   ├── ConcurrencyCap           429 concurrency_cap
│   ├── LeaseHeld                409 lease_held
│   └── LeaseLost                409 lease_lost
├── DependencyUnavailable        exit 4
│   ├── DatabaseUnavailable      503 database_unavailable
│   ├── VaultUnavailable         503 vault_unavailable
│   ├── StorageUnavailable       503 storage_unavailable
│   ├── WormUnavailable          503 worm_unavailable
│   ├── TelemetryUnavailable     503 telemetry_unavailable
│   ├── StubUnavailable          503 stub_unavailable
│   ├── IdentityUnavailable      503 identity_unavailable
│   └── StackUnavailable         503 stack_unavailable
├── LimitRefusal                 exit 5
│   ├── OutsideWindow            409 outside_window
│   ├── QueuePending             429 queue_pending
│   ├── QueueExpired             429 queue_expired
│   ├── RateLimited              429 rate_limited
│   └── BudgetExceeded           429 budget_exceeded
├── Stopped                      exit 130
│   └── Interrupted              409 interrupted
├── AccessRefusal                exit 6
│   ├── TenantUnknown            404 tenant_unknown
│   ├── RlsNotEnforced           503 rls_not_enforced
│   ├── Unauthenticated          401 unauthenticated
│   └── Forbidden                403 forbidden
└── MessageRefusal               exit 2
    ├── RequestMalformed         400 request_malformed
    ├── PathUnknown              404 path_unknown
    ├── MethodNotAllowed         405 method_not_allowed
    ├── NotAcceptable            406 not_acceptable
    ├── PreconditionFailed       412 precondition_failed
    ├── ContentTooLarge          413 content_too_large
    ├── MediaTypeUnsupported     415 media_type_unsupported
    └── PreconditionRequired     428 precondition_required
"""

from typing import Any, ClassVar, Final

PROBLEM_TYPE_PREFIX: Final = "urn:seed-pipelines:problem:"
"""Problem types are URNs; `contracts/problems.md` has a section for each."""


class SeedError(Exception):
    """Root of the tree: a fact that stops the work, in words for the person who asked for it."""

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "The run stopped for a reason of its own"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, detail: str, **extensions: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extensions = extensions

    def problem(self) -> dict[str, Any]:
        """Problem Details object (RFC 9457, section 3), with `code` and `exit_code` as extension members."""
        return {
            "type": PROBLEM_TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "exit_code": self.exit_code,
            **self.extensions,
        }


class ValidationFailure(SeedError):
    """What was asked for is wrong or contradicts what is already there."""

    exit_code = 2
    status = 422


class ManifestInvalid(ValidationFailure):
    """The manifest cannot be read, or breaks the schema or a rule; `issues` lists every one."""

    code = "manifest_invalid"
    title = "The manifest is not valid"


class ManifestHashMismatch(ValidationFailure):
    """The manifest's content is not what its integrity.manifest_hash was sealed for."""

    code = "manifest_hash_mismatch"
    title = "The manifest is not the one that was sealed, deployed or ordered"


class CapExceeded(ValidationFailure):
    """A cap is above the catalogue's, or rows are above their cap."""

    code = "cap_exceeded"
    title = "More rows than the catalogue allows"


class TenantMismatch(ValidationFailure):
    """The manifest, the command and the database do not name one tenant and environment."""

    code = "tenant_mismatch"
    title = "The manifest belongs to another tenant, environment or mode"


class RequestInvalid(ValidationFailure):
    """What was asked for cannot be, whatever the manifest says."""

    code = "request_invalid"
    title = "The request is not valid"


class CanaryOutOfScope(ValidationFailure):
    """The manifest is a canary for other tenants."""

    code = "canary_out_of_scope"
    title = "The canary does not include this tenant"


class PartitionsNotSelected(ValidationFailure):
    """A job of several shards was started without saying which, or with one it does not have."""

    code = "partitions_not_selected"
    title = "The partitions of the run do not fit its job"


class IdempotencyConflict(ValidationFailure):
    """The idempotency key was used for another manifest."""

    code = "idempotency_conflict"
    title = "The idempotency key stands for another manifest"
    status = 409


class ReferenceDatetimeDrift(ValidationFailure):
    """The dataset in the database was made for another reference_datetime or anchor_datetime."""

    code = "reference_datetime_drift"
    title = "The loaded dataset has another reference_datetime"
    status = 409


class MaskingKeyChanged(ValidationFailure):
    """The dataset in the database was masked with another key or salt_version."""

    code = "masking_key_changed"
    title = "The loaded dataset was masked with another key"
    status = 409


class DatasetInUse(ValidationFailure):
    """Rows of the application refer to seeded rows that would have to go."""

    code = "dataset_in_use"
    title = "Application rows refer to the seeded rows"
    status = 409


class TargetMismatch(ValidationFailure):
    """The target tables do not fit what is to be loaded."""

    code = "target_mismatch"
    title = "The target tables do not fit"


class ParquetMismatch(ValidationFailure):
    """The Parquet files are absent, damaged or made from another manifest."""

    code = "parquet_mismatch"
    title = "The Parquet files are not those of this manifest"
    status = 409


class ExternalCallsBlocked(ValidationFailure):
    """A call would leave the closed world of the stubs and the program's own servers."""

    code = "external_calls_blocked"
    title = "Calls to the outside are blocked"
    status = 503


class ChecksFailed(ValidationFailure):
    """What landed is not what was planned."""

    code = "checks_failed"
    title = "The loaded data failed its checks"


class EvidenceInvalid(ValidationFailure):
    """An envelope, a report, a proof or a chain of reports is not what was sealed."""

    code = "evidence_invalid"
    title = "The evidence is not valid"


class SeedRunUnknown(ValidationFailure):
    """The tenant has no such run in the environment."""

    code = "seed_run_unknown"
    title = "No such run"
    status = 404


class SeedRunEnded(ValidationFailure):
    """The run is over, or is none that can be cancelled from here."""

    code = "seed_run_ended"
    title = "The run cannot be cancelled"
    status = 409


class ConcurrencyRefusal(SeedError):
    """Somebody else is at work there."""

    exit_code = 3
    status = 409


class IdempotencyInProgress(ConcurrencyRefusal):
    """A run with this idempotency key goes on."""

    code = "idempotency_in_progress"
    title = "A run with this idempotency key is at work"


class ConcurrencyCap(ConcurrencyRefusal):
    """As many runs as may at once are seeding the environment."""

    code = "concurrency_cap"
    title = "Too many runs in this environment"
    status = 429


class LeaseHeld(ConcurrencyRefusal):
    """Another run holds the lease of this tenant and environment."""

    code = "lease_held"
    title = "Another run is seeding this tenant and environment"


class LeaseLost(ConcurrencyRefusal):
    """This run's fencing token is no longer the newest: another run took over."""

    code = "lease_lost"
    title = "Another run took over this tenant and environment"


class DependencyUnavailable(SeedError):
    """Something the run needs does not answer or refuses."""

    exit_code = 4
    status = 503


class DatabaseUnavailable(DependencyUnavailable):
    """PostgreSQL does not answer, or went away."""

    code = "database_unavailable"
    title = "PostgreSQL is not available"


class VaultUnavailable(DependencyUnavailable):
    """Vault Transit is sealed, forbidden, away, or has no such key."""

    code = "vault_unavailable"
    title = "Vault Transit is not available"


class StorageUnavailable(DependencyUnavailable):
    """The directory or bucket for the Parquet files cannot be read or written."""

    code = "storage_unavailable"
    title = "The data directory or bucket is not available"


class WormUnavailable(DependencyUnavailable):
    """The bucket for evidence does not answer, refuses, or would not keep what is sealed in it."""

    code = "worm_unavailable"
    title = "The bucket for evidence is not available"


class TelemetryUnavailable(DependencyUnavailable):
    """The collector of traces and metrics that the deployment names does not take them."""

    code = "telemetry_unavailable"
    title = "The collector of traces and metrics is not available"


class StubUnavailable(DependencyUnavailable):
    """A stub of an outside system does not answer, or not as HTTP does."""

    code = "stub_unavailable"
    title = "A stub is not available"


class IdentityUnavailable(DependencyUnavailable):
    """The keys that tokens are verified with cannot be had."""

    code = "identity_unavailable"
    title = "The identity provider is not available"


class StackUnavailable(DependencyUnavailable):
    """A server of the local stack does not start or does not answer."""

    code = "stack_unavailable"
    title = "The local stack is not available"


class LimitRefusal(SeedError):
    """Allowed, but not now or not so much."""

    exit_code = 5
    status = 429


class OutsideWindow(LimitRefusal):
    """It is not off-peak time for this manifest."""

    code = "outside_window"
    title = "Outside the off-peak window"
    status = 409


class QueuePending(LimitRefusal):
    """Others came first and wait for the same."""

    code = "queue_pending"
    title = "Waiting in the queue"


class QueueExpired(LimitRefusal):
    """The run waited as long as an entry of the queue lives."""

    code = "queue_expired"
    title = "The queue entry expired"


class RateLimited(LimitRefusal):
    """More requests than the tenant may send in its environment."""

    code = "rate_limited"
    title = "Too many requests"


class BudgetExceeded(LimitRefusal):
    """The run would cost, or go on to cost, more than its manifest allows."""

    code = "budget_exceeded"
    title = "The budget does not cover the run"


class Stopped(SeedError):
    """Somebody no longer wants it."""

    exit_code = 130
    status = 409


class Interrupted(Stopped):
    """The run was stopped by Ctrl-C, by a signal, or cancelled in Dagster."""

    code = "interrupted"
    title = "The run was interrupted"


class AccessRefusal(SeedError):
    """The tenant's isolation or the caller's rights do not allow it."""

    exit_code = 6


class TenantUnknown(AccessRefusal):
    """No such tenant in the target database."""

    code = "tenant_unknown"
    title = "The tenant does not exist"
    status = 404


class RlsNotEnforced(AccessRefusal):
    """Row level security would not hold; `holes` names each reason."""

    code = "rls_not_enforced"
    title = "Row level security is not enforced"
    status = 503


class Unauthenticated(AccessRefusal):
    """The request has no token, or one that does not hold."""

    code = "unauthenticated"
    title = "A valid token is needed"
    status = 401


class Forbidden(AccessRefusal):
    """The subject lacks the role for this tenant and environment."""

    code = "forbidden"
    title = "Not allowed for this subject"
    status = 403


class MessageRefusal(SeedError):
    """An HTTP request that cannot be understood or answered as it is, whatever it is about."""

    exit_code = 2


class RequestMalformed(MessageRefusal):
    """A header or parameter is missing or has no such value; `invalid` names each."""

    code = "request_malformed"
    title = "A header or parameter is missing or wrong"
    status = 400


class PathUnknown(MessageRefusal):
    """Nothing is served there."""

    code = "path_unknown"
    title = "Nothing is served there"
    status = 404


class MethodNotAllowed(MessageRefusal):
    """Something is served there, by other methods."""

    code = "method_not_allowed"
    title = "Not by this method"
    status = 405


class NotAcceptable(MessageRefusal):
    """The caller accepts no media type that there is."""

    code = "not_acceptable"
    title = "There is no such representation"
    status = 406


class PreconditionFailed(MessageRefusal):
    """The resource is not as the caller believes (RFC 9110, section 13.1.1)."""

    code = "precondition_failed"
    title = "The resource has changed"
    status = 412


class ContentTooLarge(MessageRefusal):
    """The body is larger than a manifest may be."""

    code = "content_too_large"
    title = "The body is too large"
    status = 413


class MediaTypeUnsupported(MessageRefusal):
    """The body is in another format than manifests are written in."""

    code = "media_type_unsupported"
    title = "Not a media type of manifests"
    status = 415


class PreconditionRequired(MessageRefusal):
    """The request must say which state it is about (RFC 6585, section 3)."""

    code = "precondition_required"
    title = "If-Match is needed"
    status = 428
