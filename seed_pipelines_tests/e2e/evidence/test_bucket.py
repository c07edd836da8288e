"""Sealing in a real bucket with object lock, directly and through a server that fails."""

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.exceptions import ClientError

from seed_pipelines.adapters.evidence.bucket import EvidenceBucket
from seed_pipelines.adapters.evidence.stored_objects import ObjectLock, SealedObject
from seed_pipelines.domain.retention import Retention
from seed_pipelines.errors import WormUnavailable
from seed_pipelines.orchestration.settings import Settings
from seed_pipelines_tests.e2e.conftest import RunningStack
from seed_pipelines_tests.fakes.s3_exchanges import (
    Answer,
    Backend,
    Fault,
    FaultyServer,
    Request,
    ahead_by,
    both,
    cut,
    failing,
    failing_after,
    faulty_server,
    forwarded_to,
    replaced,
    silent,
    silent_after,
    with_header,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.e2e

BODY: Final = b'{"payloadType":"application/vnd.in-toto+json"}'
KEY: Final = "staging/tenant-a/0001 é.dsse.json"
RETENTION: Final = Retention()
DAY: Final = timedelta(days=1)
NO_CHECKSUM: Final = with_header("GetObject", "x-amz-checksum-sha256", None)


def now() -> datetime:
    """Our clock."""
    return datetime.now(UTC)


@pytest.fixture(autouse=True)
def _as_the_stack_says(local_stack: RunningStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name, value in local_stack.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def admin(local_stack: RunningStack) -> "S3Client":
    """Somebody who may do anything that the server allows."""
    return local_stack.stack.s3.client()


@pytest.fixture
def name(admin: "S3Client") -> str:
    """A bucket of the test's own, whose settings it may spoil."""
    name = f"evidence-{secrets.token_hex(6)}"
    admin.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


@pytest.fixture
def bucket(local_stack: RunningStack, name: str) -> EvidenceBucket:
    """The same bucket as the program reaches it."""
    return EvidenceBucket(name, RETENTION, now, endpoint_url=local_stack.stack.s3.address)


@pytest.fixture
def server(local_stack: RunningStack) -> Iterator[FaultyServer]:
    """The real server, through one that a test can have fail."""
    with faulty_server(forwarded_to(local_stack.stack.s3.address)) as running:
        yield running


@pytest.fixture
def beyond(server: FaultyServer, name: str) -> EvidenceBucket:
    """The same bucket through that server, with less patience than usual."""
    return EvidenceBucket(name, RETENTION, now, endpoint_url=server.endpoint_url, timeout=2)


def seal(bucket: EvidenceBucket) -> SealedObject:
    """Seal the test's body under the test's key."""
    return bucket.seal(KEY, BODY, "application/json", {"seed-run-id": "run-1"})


def refused(error: pytest.ExceptionInfo[ClientError]) -> str:
    """The code of a refusal."""
    return str(error.value.response["Error"]["Code"])


class TestGoodPath:
    def test_the_bucket_of_the_stack_is_fit(self) -> None:
        """As the variables of the stack name it."""
        settings = Settings()
        bucket = EvidenceBucket(
            settings.evidence_bucket, settings.evidence_retention, now, endpoint_url=settings.evidence_endpoint_url
        )
        facts = bucket.preflight()
        assert (facts.bucket, facts.versioning, facts.default_retention) == ("seed-evidence", "Enabled", None)
        assert facts.probe_lock == ObjectLock("COMPLIANCE", facts.server_date + timedelta(minutes=1))
        assert abs(facts.clock_skew) < timedelta(minutes=1)
        [probe] = bucket.versions(facts.probe_key)
        assert probe.version_id == facts.probe_version_id

    def test_what_is_sealed_can_be_read_by_its_version(self, bucket: EvidenceBucket) -> None:
        """Locked for 30 days and 5 years from when it was stored."""
        sealed = seal(bucket)
        assert sealed.mode == "COMPLIANCE"
        assert timedelta() <= sealed.retain_until - RETENTION.until(sealed.stored_at) < timedelta(hours=2)
        assert bucket.fetch(KEY, sealed.version_id) == BODY
        assert bucket.lock(KEY, sealed.version_id) == ObjectLock("COMPLIANCE", sealed.retain_until)
        [version] = bucket.versions("staging/")
        assert (version.key, version.version_id, version.size) == (KEY, sealed.version_id, len(BODY))

    def test_sealing_again_adds_nothing(self, bucket: EvidenceBucket) -> None:
        """The same version is found."""
        sealed = seal(bucket)
        again = seal(bucket)
        assert again == replace(sealed, server_date=again.server_date)
        assert len(list(bucket.versions(KEY))) == 1

    def test_many_versions_are_listed_in_pages(self, bucket: EvidenceBucket, admin: "S3Client", name: str) -> None:
        """More than the thousand of one page, of one key: the earliest is on the last."""
        sealed = seal(bucket)
        for _ in range(1_001):
            admin.put_object(Bucket=name, Key=KEY, Body=b"")
        assert len(list(bucket.versions(""))) == 1_002
        again = seal(bucket)
        assert (again.version_id, len(again.above)) == (sealed.version_id, 1_001)


class TestWhatTheServerEnforces:
    def test_a_sealed_version_cannot_be_deleted(self, bucket: EvidenceBucket, admin: "S3Client", name: str) -> None:
        """By nobody, and whatever is bypassed."""
        sealed = seal(bucket)
        for bypass in (False, True):
            with pytest.raises(ClientError) as error:
                admin.delete_object(Bucket=name, Key=KEY, VersionId=sealed.version_id, BypassGovernanceRetention=bypass)
            assert refused(error) == "AccessDenied"
        assert bucket.fetch(KEY, sealed.version_id) == BODY

    def test_its_lock_cannot_be_shortened_or_weakened(
        self, bucket: EvidenceBucket, admin: "S3Client", name: str
    ) -> None:
        """It can be lengthened."""
        sealed = seal(bucket)
        for mode, until in (
            ("COMPLIANCE", sealed.retain_until - DAY),
            ("GOVERNANCE", sealed.retain_until),
            ("GOVERNANCE", sealed.retain_until + DAY),
        ):
            with pytest.raises(ClientError) as error:
                lock(admin, name, sealed.version_id, ObjectLock(mode, until))
            assert refused(error) == "AccessDenied"
        assert bucket.lock(KEY, sealed.version_id) == ObjectLock("COMPLIANCE", sealed.retain_until)
        lock(admin, name, sealed.version_id, ObjectLock("COMPLIANCE", sealed.retain_until + DAY))
        assert seal(bucket).retain_until == sealed.retain_until + DAY

    def test_what_is_put_above_hides_and_does_not_change_it(
        self, bucket: EvidenceBucket, admin: "S3Client", name: str
    ) -> None:
        """A plain put adds a version, a plain deletion a marker; both are reported."""
        sealed = seal(bucket)
        admin.put_object(Bucket=name, Key=KEY, Body=b"forged")
        admin.delete_object(Bucket=name, Key=KEY)
        again = seal(bucket)
        assert again == replace(sealed, server_date=again.server_date, above=again.above)
        assert {(it.size, it.is_delete_marker) for it in again.above} == {(6, False), (0, True)}
        assert bucket.fetch(KEY, sealed.version_id) == BODY
        with pytest.raises(WormUnavailable, match="not there"):
            bucket.fetch(KEY)


class TestSpoiltBuckets:
    def test_suspended_versioning_is_noticed_by_both(
        self, bucket: EvidenceBucket, admin: "S3Client", name: str
    ) -> None:
        """The probe refuses; what is sealed nevertheless has no version of its own."""
        admin.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
        with pytest.raises(WormUnavailable, match="versioning Suspended"):
            bucket.preflight()
        with pytest.raises(WormUnavailable, match="without versioning"):
            seal(bucket)

    def test_a_bucket_without_object_lock_is_refused(
        self, local_stack: RunningStack, admin: "S3Client", name: str
    ) -> None:
        """And one that is not there; each says what to do."""
        plain = EvidenceBucket(f"{name}-plain", RETENTION, now, endpoint_url=local_stack.stack.s3.address)
        with pytest.raises(WormUnavailable, match="does not exist"):
            plain.preflight()
        admin.create_bucket(Bucket=f"{name}-plain")
        admin.put_bucket_versioning(Bucket=f"{name}-plain", VersioningConfiguration={"Status": "Enabled"})
        for ask in (plain.preflight, lambda: seal(plain)):
            with pytest.raises(WormUnavailable, match=r"(?i)object ?lock"):
                ask()

    def test_a_default_retention_must_be_strong_enough(
        self, bucket: EvidenceBucket, admin: "S3Client", name: str
    ) -> None:
        """GOVERNANCE is not, and five years are not."""
        for mode, years, good in (("GOVERNANCE", 9, False), ("COMPLIANCE", 5, False), ("COMPLIANCE", 6, True)):
            rule: Any = {"DefaultRetention": {"Mode": mode, "Years": years}}
            admin.put_object_lock_configuration(
                Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
            )
            if good:
                facts = bucket.preflight()
                assert facts.probe_lock.retain_until == facts.server_date + timedelta(minutes=1)
            else:
                with pytest.raises(WormUnavailable, match=f"default retention of {mode}, {years} years"):
                    bucket.preflight()

    def test_weak_versions_of_our_bytes_are_refused_until_they_are_locked(
        self, bucket: EvidenceBucket, admin: "S3Client", name: str
    ) -> None:
        """Without a lock, in GOVERNANCE, and too short; what the words say to do then helps."""
        version_id = admin.put_object(Bucket=name, Key=KEY, Body=BODY)["VersionId"]
        with pytest.raises(WormUnavailable, match="no retention"):
            seal(bucket)
        lock(admin, name, version_id, ObjectLock("GOVERNANCE", now() + DAY))
        with pytest.raises(WormUnavailable, match="mode GOVERNANCE"):
            seal(bucket)
        lock(admin, name, version_id, ObjectLock("COMPLIANCE", now() + 1_855 * DAY))
        with pytest.raises(WormUnavailable, match=r"only\. It must be COMPLIANCE until"):
            seal(bucket)
        lock(admin, name, version_id, ObjectLock("COMPLIANCE", RETENTION.until(now())))
        assert seal(bucket).version_id == version_id
        assert len(list(bucket.versions(KEY))) == 1

    def test_other_bytes_under_the_key_are_refused(self, bucket: EvidenceBucket, admin: "S3Client", name: str) -> None:
        """Nothing is put beside them; a delete marker on them changes nothing."""
        admin.put_object(Bucket=name, Key=KEY, Body=BODY[::-1])
        with pytest.raises(WormUnavailable, match="holds other bytes"):
            seal(bucket)
        admin.delete_object(Bucket=name, Key=KEY)
        with pytest.raises(WormUnavailable, match="holds other bytes"):
            seal(bucket)
        assert len(list(bucket.versions(KEY))) == 2

    def test_a_delete_marker_alone_is_refused_until_it_is_removed(
        self, bucket: EvidenceBucket, admin: "S3Client", name: str
    ) -> None:
        """Nothing is put on top of it."""
        marker = admin.delete_object(Bucket=name, Key=KEY)["VersionId"]
        with pytest.raises(WormUnavailable, match="only a delete marker"):
            seal(bucket)
        admin.delete_object(Bucket=name, Key=KEY, VersionId=marker)
        assert seal(bucket).above == ()


class TestFailingServer:
    @pytest.mark.parametrize(
        "fault",
        [
            silent_after("PutObject", times=1),
            silent("PutObject", times=1),
            failing_after("PutObject", 500, "InternalError", times=1),
            failing("PutObject", 503, "SlowDown", times=2),
            cut("GetObject", times=1),
            failing("GetObjectRetention", 500, "InternalError", times=1),
        ],
        ids=["timeout after", "timeout before", "500 after", "503", "cut", "500 reading back"],
    )
    def test_a_failure_that_passes_leaves_one_version(
        self, beyond: EvidenceBucket, server: FaultyServer, bucket: EvidenceBucket, fault: Fault
    ) -> None:
        """Sealed once, however often it was asked."""
        server.fault = fault
        sealed = seal(beyond)
        server.fault = None
        assert seal(bucket).version_id == sealed.version_id
        assert len(list(bucket.versions(KEY))) == 1

    def test_a_version_that_came_in_between_is_found(
        self, beyond: EvidenceBucket, server: FaultyServer, bucket: EvidenceBucket
    ) -> None:
        """The real server answers 412."""
        first: list[SealedObject] = []

        def overtaken(request: Request, backend: Backend) -> Answer:
            if request.operation == "PutObject":
                first.append(seal(bucket))
            return backend(request)

        server.fault = overtaken
        assert [seal(beyond).version_id] == [sealed.version_id for sealed in first]
        assert len(list(bucket.versions(KEY))) == 1

    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            (failing("PutObject", 403, "AccessDenied"), "s3:PutObject and s3:PutObjectRetention"),
            (failing("GetObjectRetention", 403, "AccessDenied"), "needs s3:GetObjectRetention"),
            (failing("GetObject", 404, "NoSuchVersion"), "this version of it is not there"),
            (failing("PutObject", 500, "InternalError"), "4 times"),
            (failing("PutObject", 503, "SlowDown"), "SlowDown"),
            (cut("GetObject"), "broke off"),
            (with_header("GetObject", "x-amz-checksum-sha256", "AAAA"), "not those of its checksum"),
            (with_header("GetObject", "x-amz-object-lock-mode", "GOVERNANCE"), "mode GOVERNANCE"),
            (replaced("GetObjectRetention", b"COMPLIANCE", b"GOVERNANCE"), "mode GOVERNANCE"),
            (with_header("GetObject", "x-amz-object-lock-retain-until-date", "2030-01-01T00:00:00Z"), "2030-01-01"),
            (replaced("GetObject", b"in-toto", b"on-toto"), "not those of its checksum"),
            (both(NO_CHECKSUM, replaced("GetObject", b"in-toto", b"on-toto")), "holds other bytes"),
            (ahead_by(DAY), "(1 day, 0:00:0|23:59:5). ahead of ours"),
            (ahead_by(-DAY), "(1 day, 0:00:0|23:59:5). behind ours"),
        ],
    )
    def test_a_failure_that_lasts_is_refused_and_can_be_asked_again(
        self, beyond: EvidenceBucket, server: FaultyServer, bucket: EvidenceBucket, fault: Fault, words: str
    ) -> None:
        """Once the server is well the report is sealed, and there is one version of it."""
        server.fault = fault
        with pytest.raises(WormUnavailable, match=words):
            seal(beyond)
        server.fault = None
        sealed = seal(beyond)
        assert [it.version_id for it in bucket.versions(KEY)] == [sealed.version_id]

    def test_a_body_that_is_damaged_on_the_way_is_not_stored(
        self, beyond: EvidenceBucket, server: FaultyServer, bucket: EvidenceBucket
    ) -> None:
        """The real server compares it with its checksum."""

        def damaged(request: Request, backend: Backend) -> Answer:
            return backend(replace(request, body=request.body[::-1]))

        server.fault = damaged
        with pytest.raises(WormUnavailable, match="refuses PutObject"):
            seal(beyond)
        assert list(bucket.versions(KEY)) == []

    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            (failing("GetBucketVersioning", 403, "AccessDenied"), "needs s3:GetBucketVersioning"),
            (failing("GetObjectLockConfiguration", 403, "AccessDenied"), "s3:GetBucketObjectLockConfiguration"),
            (silent_after("PutObject"), "did not answer within 2 s"),
            (with_header("HeadObject", "x-amz-object-lock-mode", None), "by HEAD nothing"),
            (ahead_by(DAY), "by NTP"),
        ],
    )
    def test_a_probe_notices_a_failing_server(
        self, beyond: EvidenceBucket, server: FaultyServer, fault: Fault, words: str
    ) -> None:
        """Before a run begins."""
        server.fault = fault
        with pytest.raises(WormUnavailable, match=words):
            beyond.preflight()


def lock(admin: "S3Client", name: str, version_id: str, wanted: ObjectLock) -> None:
    """Ask for another lock of a version."""
    retention: Any = {"Mode": wanted.mode, "RetainUntilDate": wanted.retain_until}
    admin.put_object_retention(Bucket=name, Key=KEY, VersionId=version_id, Retention=retention)
