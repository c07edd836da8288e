"""Sealing in a bucket that a test answers for, whatever goes wrong."""

import base64
import hashlib
import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from seed_pipelines.adapters.evidence.bucket import EvidenceBucket
from seed_pipelines.adapters.evidence.stored_objects import DefaultRetention, ObjectLock, SealedObject
from seed_pipelines.domain.retention import Retention
from seed_pipelines.errors import WormUnavailable
from seed_pipelines_tests.fakes.locked_bucket import LockedBucket
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
    replaced,
    silent,
    silent_after,
    with_header,
    without_request_header,
)

BODY: Final = b'{"payloadType":"application/vnd.in-toto+json"}'
KEY: Final = "staging/tenant-a/0001.dsse.json"
UNTIL: Final = datetime(2031, 12, 24, 15, 17, 44, tzinfo=UTC)
"""The retention of the fake's moment, reckoned from an hour later."""
LEAST: Final = Retention()
SECRET: Final = "a-secret-nobody-may-see"  # noqa: S105 # opens nothing
LOCK: Final = "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"

PREFLIGHT: Final = [
    "GetBucketVersioning",
    "GetObjectLockConfiguration",
    "PutObject",
    "GetObjectRetention",
    "HeadObject",
]
ANOTHER_CHECKSUM: Final = with_header("GetObject", "x-amz-checksum-sha256", "AAAA")
RIGHT_CRC: Final = with_header(
    "GetObject", "x-amz-checksum-crc32", base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
)
NO_CHECKSUM: Final = with_header("GetObject", "x-amz-checksum-sha256", None)
LOOK_UP: Final = ["ListObjectVersions", "GetObject", "GetObjectRetention"]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anybody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def stored() -> LockedBucket:
    """The bucket itself."""
    return LockedBucket()


@pytest.fixture
def server(stored: LockedBucket) -> Iterator[FaultyServer]:
    """The bucket on a loopback port."""
    with faulty_server(stored) as running:
        yield running


def bucket_at(
    server: FaultyServer, stored: LockedBucket, retention: Retention = LEAST, timeout: float = 10
) -> EvidenceBucket:
    """The bucket as the program reaches it."""
    return EvidenceBucket("evidence", retention, lambda: stored.now, endpoint_url=server.endpoint_url, timeout=timeout)


@pytest.fixture
def bucket(server: FaultyServer, stored: LockedBucket) -> EvidenceBucket:
    """With the usual retention."""
    return bucket_at(server, stored)


@pytest.fixture
def hasty(server: FaultyServer, stored: LockedBucket) -> EvidenceBucket:
    """With less patience than usual, for servers that say nothing."""
    return bucket_at(server, stored, timeout=0.5)


def seal(bucket: EvidenceBucket, body: bytes = BODY) -> SealedObject:
    """Seal the test's body under the test's key."""
    return bucket.seal(KEY, body, "application/json", {"seed-run-id": "run-1"})


class TestPreflight:
    def test_a_bucket_that_locks_is_described(
        self, bucket: EvidenceBucket, stored: LockedBucket, server: FaultyServer
    ) -> None:
        """With the probe, which is locked for a minute, and the server's clock; nothing is deleted."""
        facts = bucket.preflight()
        assert (facts.bucket, facts.versioning, facts.default_retention) == ("evidence", "Enabled", None)
        assert facts.probe_lock == ObjectLock("COMPLIANCE", stored.now + timedelta(minutes=1))
        assert (facts.server_date, facts.clock_skew) == (stored.now, timedelta())
        [probe] = stored.stored
        assert (probe.key, probe.version_id) == (facts.probe_key, facts.probe_version_id)
        assert probe.key.startswith("probes/20261124T141744Z-")
        assert server.operations == PREFLIGHT

    def test_each_probe_is_an_object_of_its_own(self, bucket: EvidenceBucket) -> None:
        """Two within a second too."""
        assert bucket.preflight().probe_key != bucket.preflight().probe_key

    @pytest.mark.parametrize("versioning", ["Suspended", ""])
    def test_versioning_must_be_enabled(self, bucket: EvidenceBucket, stored: LockedBucket, versioning: str) -> None:
        """Nothing is put where it is not."""
        stored.versioning = versioning
        with pytest.raises(WormUnavailable, match=f"versioning {versioning or 'off'}"):
            bucket.preflight()
        assert stored.stored == []

    @pytest.mark.parametrize("configuration", [None, "", "<ObjectLockEnabled>Disabled</ObjectLockEnabled>"])
    def test_object_lock_must_be_enabled(
        self, bucket: EvidenceBucket, stored: LockedBucket, configuration: str | None
    ) -> None:
        """Whether the server has an error for that or an empty answer."""
        stored.lock_configuration = configuration
        with pytest.raises(WormUnavailable, match="has no object lock"):
            bucket.preflight()
        assert stored.stored == []

    @pytest.mark.parametrize(
        ("mode", "length", "good"),
        [
            ("COMPLIANCE", "<Days>1857</Days>", True),
            ("COMPLIANCE", "<Years>6</Years>", True),
            ("COMPLIANCE", "<Days>1856</Days>", False),
            ("COMPLIANCE", "<Years>5</Years>", False),
            ("COMPLIANCE", "", False),
            ("GOVERNANCE", "<Years>10</Years>", False),
        ],
    )
    def test_a_default_retention_must_be_at_least_ours(
        self, bucket: EvidenceBucket, stored: LockedBucket, mode: str, length: str, good: bool
    ) -> None:
        """In COMPLIANCE, and as long as ours in any year."""
        assert stored.lock_configuration is not None
        stored.lock_configuration += f"<Rule><DefaultRetention><Mode>{mode}</Mode>{length}</DefaultRetention></Rule>"
        if good:
            default = bucket.preflight().default_retention
            assert isinstance(default, DefaultRetention)
            assert default.mode == "COMPLIANCE"
        else:
            with pytest.raises(WormUnavailable, match=rf"default retention of {mode}.*1857 days"):
                bucket.preflight()

    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            (without_request_header("PutObject", *LOCK), "kept nothing, by HEAD nothing"),
            (replaced("GetObjectRetention", b"COMPLIANCE", b"GOVERNANCE"), "kept GOVERNANCE until"),
            (replaced("GetObjectRetention", b"14:18:44", b"14:18:43"), "kept COMPLIANCE until 2026-11-24T14:18:43Z"),
            (with_header("HeadObject", LOCK[0], "GOVERNANCE"), "by HEAD GOVERNANCE"),
            (
                with_header("HeadObject", LOCK[1], "2026-11-24T14:18:43Z"),
                "by HEAD COMPLIANCE until 2026-11-24T14:18:43Z",
            ),
            (with_header("HeadObject", LOCK[0], None), "by HEAD nothing"),
            (with_header("HeadObject", "x-amz-version-id", "another"), "gave another"),
            (with_header("PutObject", "x-amz-version-id", None), "without a version of its own"),
            (with_header("PutObject", "x-amz-version-id", "null"), "without a version of its own"),
            (failing("PutObject", 412, "PreconditionFailed"), "without a version of its own"),
            (failing("HeadObject", 403, ""), "s3:GetObjectRetention"),
            (failing("HeadObject", 404, ""), "this version of it is not there"),
        ],
    )
    def test_a_probe_that_is_not_locked_as_asked_is_noticed(
        self, bucket: EvidenceBucket, server: FaultyServer, fault: Fault, words: str
    ) -> None:
        """By GetObjectRetention, by HEAD, or by the version it did not get."""
        server.fault = fault
        with pytest.raises(WormUnavailable, match=words):
            bucket.preflight()

    @pytest.mark.parametrize("direction", [1, -1])
    def test_clocks_may_differ_by_five_minutes(
        self, bucket: EvidenceBucket, server: FaultyServer, stored: LockedBucket, direction: int
    ) -> None:
        """And not by a day, for a seal as for a probe: nothing is put then."""
        server.fault = ahead_by(direction * timedelta(minutes=5))
        assert bucket.preflight().clock_skew == direction * timedelta(minutes=5)
        for skew in (timedelta(minutes=5, seconds=1), timedelta(days=1)):
            server.fault = ahead_by(direction * skew)
            for ask in (bucket.preflight, lambda: seal(bucket)):
                with pytest.raises(WormUnavailable, match="clocks by NTP"):
                    ask()
        assert len(stored.stored) == 1

    @pytest.mark.parametrize("date", [None, "yesterday"])
    def test_a_server_must_say_what_time_it_is(
        self, bucket: EvidenceBucket, server: FaultyServer, date: str | None
    ) -> None:
        """No retention can be reckoned otherwise."""
        server.fault = with_header("GetBucketVersioning", "Date", date)
        with pytest.raises(WormUnavailable, match="header Date"):
            bucket.preflight()


class TestSeal:
    def test_a_body_is_stored_locked_and_read_back(
        self, bucket: EvidenceBucket, stored: LockedBucket, server: FaultyServer
    ) -> None:
        """Retained for 30 days and 5 years from when the server stored it, and a little more."""
        sealed = seal(bucket)
        assert sealed == SealedObject(
            bucket="evidence",
            key=KEY,
            version_id="v0",
            sha256=hashlib.sha256(BODY).hexdigest(),
            size=len(BODY),
            mode="COMPLIANCE",
            retain_until=UNTIL,
            stored_at=stored.now,
            server_date=stored.now,
            above=(),
        )
        assert server.operations == ["ListObjectVersions", "PutObject", *LOOK_UP]
        put = server.requests[1].headers
        assert (put["Content-Type"], put["x-amz-meta-seed-run-id"]) == ("application/json", "run-1")
        assert put["If-None-Match"] == "*"

    def test_sealing_again_finds_the_same(
        self, bucket: EvidenceBucket, stored: LockedBucket, server: FaultyServer
    ) -> None:
        """Weeks later too: what was sealed then is not sealed anew."""
        sealed = seal(bucket)
        stored.now += timedelta(days=40)
        server.requests.clear()
        assert seal(bucket) == replace(sealed, server_date=stored.now)
        assert server.operations == LOOK_UP
        assert len(stored.stored) == 1

    def test_what_is_new_is_stored_before_it_is_asked_about(
        self, bucket: EvidenceBucket, stored: LockedBucket, server: FaultyServer
    ) -> None:
        """By the time that the server has told; it is found where it was stored after all."""
        seal(bucket)
        for _ in range(2):
            server.requests.clear()
            sealed = bucket.seal(f"{KEY}.new", BODY, "application/json", {}, is_new=True)
            assert (sealed.retain_until, server.operations) == (UNTIL, ["PutObject", *LOOK_UP])
        assert len(stored.stored) == 2

    def test_a_new_object_waits_for_a_time_that_is_near_ours(
        self, bucket: EvidenceBucket, stored: LockedBucket, server: FaultyServer
    ) -> None:
        """One that was not told yet, or was a day off, is no time to reckon a lock from."""
        server.fault = ahead_by(timedelta(days=1))
        for _ in range(2):
            with pytest.raises(WormUnavailable, match="clocks by NTP"):
                bucket.seal(KEY, BODY, "application/json", {}, is_new=True)
        assert server.operations == ["ListObjectVersions"] * 2
        server.fault, server.requests = None, []
        bucket.seal(KEY, BODY, "application/json", {}, is_new=True)
        assert server.operations == ["ListObjectVersions", "PutObject", *LOOK_UP]

    def test_a_longer_retention_is_kept(self, server: FaultyServer, stored: LockedBucket) -> None:
        """And what was sealed under a shorter one is then not enough; its lock can be lengthened."""
        seal(bucket_at(server, stored))
        longer = bucket_at(server, stored, Retention(days=31, years=7))
        with pytest.raises(WormUnavailable, match=r"is locked until 2031-12-24T15:17:44Z only.*2033-12-25T14:17:44Z"):
            seal(longer)
        stored.stored = [replace(stored.stored[0], until="2033-12-25T14:17:44Z")]
        assert seal(longer).version_id == "v0"

    @pytest.mark.parametrize(
        "fault",
        [
            failing("PutObject", 503, "SlowDown", times=2),
            failing_after("PutObject", 500, "InternalError", times=1),
            failing("PutObject", 409, "ConditionalRequestConflict", times=1),
            silent("PutObject", times=1),
            silent_after("PutObject", times=1),
            cut("GetObject", times=1),
            failing("GetObject", 500, "InternalError", times=3),
            failing("ListObjectVersions", 502, "BadGateway", times=2),
            silent("GetObjectRetention", times=1),
            failing("GetObject", 503, "SlowDown", times=1),
        ],
        ids=lambda _: "",
    )
    @pytest.mark.parametrize("knows_conditions", [True, False])
    def test_a_failure_that_passes_leaves_one_version(
        self, hasty: EvidenceBucket, server: FaultyServer, stored: LockedBucket, fault: Fault, knows_conditions: bool
    ) -> None:
        """Before or after the object was written, and whether the server understands `If-None-Match` or not."""
        stored.knows_conditions = knows_conditions
        server.fault = fault
        assert seal(hasty).version_id == "v0"
        assert [version.body for version in stored.stored] == [BODY]

    @pytest.mark.parametrize("knows_conditions", [True, False])
    def test_of_two_that_seal_at_once_both_get_the_earlier(
        self, bucket: EvidenceBucket, server: FaultyServer, stored: LockedBucket, knows_conditions: bool
    ) -> None:
        """The other's version came between the look and the put: 412, or a second version."""
        stored.knows_conditions = knows_conditions

        def overtaken(request: Request, backend: Backend) -> Answer:
            if request.operation == "PutObject":
                backend(request)
            return backend(request)

        server.fault = overtaken
        sealed = seal(bucket)
        assert sealed.version_id == "v0"
        assert [it.version_id for it in sealed.above] == ([] if knows_conditions else ["v1"])

    def test_a_slow_put_is_retained_from_when_it_was_stored(
        self, bucket: EvidenceBucket, server: FaultyServer, stored: LockedBucket
    ) -> None:
        """Seconds after the clock was read that the lock was reckoned by."""

        def slow(request: Request, backend: Backend) -> Answer:
            stored.now += timedelta(seconds=9 * (request.operation == "PutObject"))
            return backend(request)

        server.fault = slow
        sealed = seal(bucket)
        assert sealed.retain_until == UNTIL >= LEAST.until(sealed.stored_at)

    def test_what_others_put_above_is_reported(self, bucket: EvidenceBucket, stored: LockedBucket) -> None:
        """Other bytes and a delete marker hide the sealed version, and do not change it."""
        sealed = seal(bucket)
        stored.now += timedelta(hours=1)
        stored.keep(KEY, b"forged")
        stored.keep(KEY, None)
        again = seal(bucket)
        assert again == replace(sealed, server_date=stored.now, above=again.above)
        assert [(it.version_id, it.is_delete_marker, it.is_latest) for it in again.above] == [
            ("v1", False, False),
            ("v2", True, True),
        ]

    def test_a_key_that_begins_likewise_is_another(self, bucket: EvidenceBucket, stored: LockedBucket) -> None:
        """Listings are asked by prefix."""
        stored.keep(KEY + ".old", b"other")
        stored.keep(KEY[:-1], b"other")
        assert seal(bucket).version_id == "v2"

    def test_a_long_history_is_read_to_its_end(self, bucket: EvidenceBucket, stored: LockedBucket) -> None:
        """The earliest version stands on its last page."""
        sealed = seal(bucket)
        stored.page_size = 2
        for _ in range(5):
            stored.keep(KEY, b"forged")
        stored.keep(KEY + "2", b"other")
        again = seal(bucket)
        assert again.version_id == sealed.version_id
        assert len(again.above) == 5

    def test_a_weaker_version_does_not_hide_a_good_one(
        self, bucket: EvidenceBucket, server: FaultyServer, stored: LockedBucket
    ) -> None:
        """The earliest good version counts; what is above it is only what came later."""
        stored.keep(KEY, BODY, age=timedelta(minutes=2), mode="GOVERNANCE", until="2040-01-01T00:00:00Z")
        stored.keep(KEY, BODY, age=timedelta(minutes=1), mode="COMPLIANCE", until="2040-01-01T00:00:00Z")
        sealed = seal(bucket)
        assert (sealed.version_id, sealed.above) == ("v1", ())
        assert "PutObject" not in server.operations

    def test_other_bytes_under_the_key_are_refused(self, bucket: EvidenceBucket, stored: LockedBucket) -> None:
        """Of another length and of the same, also with a good version above: which came first would be open."""
        stored.keep(KEY, b"forged", age=timedelta(days=1))
        with pytest.raises(WormUnavailable, match=r"v0 .* holds other bytes \(6 of them, 46 expected\)") as failure:
            seal(bucket)
        assert failure.value.extensions == {"bucket": "evidence", "key": KEY, "version_id": "v0"}
        stored.keep(KEY, BODY, mode="COMPLIANCE", until="2040-01-01T00:00:00Z")
        stored.stored[0] = replace(stored.stored[0], body=BODY[::-1])
        with pytest.raises(WormUnavailable, match=r"v0 .* holds other bytes"):
            seal(bucket)
        assert len(stored.stored) == 2

    def test_a_delete_marker_alone_is_refused(self, bucket: EvidenceBucket, stored: LockedBucket) -> None:
        """Nothing is put on top of it."""
        stored.keep(KEY, None)
        with pytest.raises(WormUnavailable, match="only a delete marker"):
            seal(bucket)
        assert len(stored.stored) == 1

    def test_versioning_suspended_in_between_is_noticed(self, bucket: EvidenceBucket, stored: LockedBucket) -> None:
        """What is stored then has no version of its own, whatever its lock says."""
        bucket.preflight()
        stored.versioning = "Suspended"
        with pytest.raises(WormUnavailable, match=r"Version null .* without versioning"):
            seal(bucket)

    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            (without_request_header("PutObject", *LOCK), "no retention that can be read back"),
            (failing("GetObjectRetention", 404, "NoSuchObjectLockConfiguration"), "no retention that can be read back"),
            (with_header("GetObject", LOCK[0], None), "no retention that can be read back"),
            (replaced("GetObjectRetention", b"COMPLIANCE", b"GOVERNANCE"), "locked in mode GOVERNANCE"),
            (with_header("GetObject", LOCK[0], "GOVERNANCE"), "locked in mode GOVERNANCE"),
            (replaced("GetObjectRetention", b"2031", b"2030"), "locked until 2030-12-24T15:17:44Z only"),
            (with_header("GetObject", LOCK[1], "2031-12-24T14:17:43Z"), "locked until 2031-12-24T14:17:43Z only"),
            (with_header("GetObject", "x-amz-checksum-sha256", "AAAA"), "not those of its checksum"),
            (both(ANOTHER_CHECKSUM, RIGHT_CRC), "another checksum by its headers"),
            (with_header("GetObject", "Content-Length", "1"), "not those of its checksum"),
            (with_header("GetObject", "x-amz-version-id", "another"), "gave another"),
            (with_header("GetObject", "x-amz-version-id", None), "gave null"),
            (replaced("GetObject", b"in-toto", b"on-toto"), "not those of its checksum"),
            (both(NO_CHECKSUM, replaced("GetObject", b"in-toto", b"on-toto")), "holds other bytes"),
            (both(NO_CHECKSUM, with_header("GetObject", "Content-Length", "1")), "holds other bytes"),
            (replaced("GetObject", b"in-toto", b"in-toto-and-more"), "holds more than 46 bytes"),
            (replaced("ListObjectVersions", b"<Size>46<", b"<Size>45<"), "holds other bytes"),
            (replaced("ListObjectVersions", b"<IsTruncated>false<", b"<IsTruncated>true<"), "without end"),
            (cut("GetObject"), "broke off in the middle"),
            (failing("PutObject", 412, "PreconditionFailed"), "lists under .* nothing, although"),
            (failing("PutObject", 400, "BadDigest"), r"refuses PutObject \(400 BadDigest\): Planted"),
            (failing("PutObject", 403, "AccessDenied"), "s3:PutObject and s3:PutObjectRetention"),
            (failing("GetObject", 403, "AccessDenied"), "s3:GetObjectVersion"),
            (failing("GetObjectRetention", 403, "AccessDenied"), "needs s3:GetObjectRetention"),
            (failing("ListObjectVersions", 403, "AccessDenied"), "s3:ListBucketVersions"),
            (failing("ListObjectVersions", 403, "RequestTimeTooSkewed"), "refuses our clock"),
            (failing("ListObjectVersions", 403, "SignatureDoesNotMatch"), "does not know these credentials"),
            (failing("ListObjectVersions", 404, "NoSuchBucket"), "does not exist"),
            (failing("ListObjectVersions", 301, "PermanentRedirect"), "in another region"),
            (failing("GetObject", 404, "NoSuchVersion"), "this version of it is not there"),
            (failing("PutObject", 501, "NotImplemented"), "501 NotImplemented"),
        ],
    )
    def test_every_failure_that_lasts_says_what_it_is(
        self, bucket: EvidenceBucket, server: FaultyServer, fault: Fault, words: str
    ) -> None:
        """One error, its cause in its message, and never a credential."""
        server.fault = fault
        with pytest.raises(WormUnavailable, match=words) as failure:
            seal(bucket)
        assert SECRET not in str(failure.value.problem())
        assert server.operations.count("PutObject") <= 1

    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            (failing("PutObject", 503, "SlowDown"), r"failed PutObject 4 times \(503 SlowDown\)"),
            (failing("PutObject", 500, "InternalError"), r"failed PutObject 4 times \(500 InternalError\)"),
            (silent("PutObject"), "did not answer within 0.5 s"),
        ],
    )
    def test_a_bucket_that_fails_is_asked_four_times(
        self, hasty: EvidenceBucket, server: FaultyServer, fault: Fault, words: str
    ) -> None:
        """Each time it is looked first whether the last one was stored after all."""
        server.fault = fault
        with pytest.raises(WormUnavailable, match=words):
            seal(hasty)
        assert server.operations == ["ListObjectVersions", "PutObject"] * 4

    def test_a_refusal_is_final(self, bucket: EvidenceBucket, server: FaultyServer) -> None:
        """It is not asked again."""
        server.fault = failing("PutObject", 403, "AccessDenied")
        with pytest.raises(WormUnavailable):
            seal(bucket)
        assert server.operations == ["ListObjectVersions", "PutObject"]

    @pytest.mark.parametrize(
        ("status", "body", "words"),
        [
            (200, b"<html>an intranet page", "no word of S3's"),
            (404, b"<html>an intranet page</html>", "answered ListObjectVersions with 404 and no word of S3's"),
            (403, b"", "answered ListObjectVersions with 403 and no word of S3's"),
            (302, b"", "redirects elsewhere"),
            (200, b"<html>an intranet page</html>", "header Date"),
        ],
    )
    def test_what_is_no_s3_is_told_apart(self, stored: LockedBucket, status: int, body: bytes, words: str) -> None:
        """From a server of S3 that refuses."""
        with (
            faulty_server(lambda _: Answer(status, {"Location": "/login"}, body)) as stranger,
            pytest.raises(WormUnavailable, match=words),
        ):
            seal(bucket_at(stranger, stored))

    def test_nobody_there_is_said_so(self, stored: LockedBucket) -> None:
        """With what to start or to set."""
        with faulty_server(stored) as gone:
            pass
        with pytest.raises(WormUnavailable, match=r"cannot be reached.*SEED_EVIDENCE_ENDPOINT_URL"):
            seal(bucket_at(gone, stored))

    def test_credentials_are_needed(self, bucket: EvidenceBucket, monkeypatch: pytest.MonkeyPatch) -> None:
        """And asked for by name."""
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
        with pytest.raises(WormUnavailable, match="needs credentials"):
            seal(bucket)


class TestReading:
    def test_a_version_is_fetched_by_its_id(self, bucket: EvidenceBucket, stored: LockedBucket) -> None:
        """Whatever lies above it; without an id the latest is."""
        sealed = seal(bucket)
        stored.keep(KEY, b"forged")
        assert bucket.fetch(KEY, sealed.version_id) == BODY
        assert bucket.fetch(KEY) == b"forged"
        with pytest.raises(WormUnavailable, match="not there"):
            bucket.fetch(KEY, "v9")

    def test_no_more_than_the_bound_is_read(self, bucket: EvidenceBucket, stored: LockedBucket) -> None:
        """One byte more is too many."""
        stored.keep(KEY, b"0123456789")
        assert bucket.fetch(KEY, max_bytes=10) == b"0123456789"
        with pytest.raises(WormUnavailable, match="more than 9 bytes"):
            bucket.fetch(KEY, max_bytes=9)

    def test_versions_are_listed_page_by_page(self, bucket: EvidenceBucket, stored: LockedBucket) -> None:
        """By key, newest first, with delete markers among them."""
        for key, body in (("a/2", b"1"), ("a/1", b"22"), ("a/2", None), ("a/1", b"333"), ("b", b"")):
            stored.now += timedelta(seconds=1)
            stored.keep(key, body)
        stored.page_size = 1
        assert [
            (it.key, it.version_id, it.size, it.is_latest, it.is_delete_marker) for it in bucket.versions("a/")
        ] == [
            ("a/1", "v3", 3, True, False),
            ("a/1", "v1", 2, False, False),
            ("a/2", "v2", 0, True, True),
            ("a/2", "v0", 1, False, False),
        ]
        assert list(bucket.versions("c")) == []

    def test_a_lock_is_read_of_a_version(self, bucket: EvidenceBucket, stored: LockedBucket) -> None:
        """One without a retention has none."""
        assert bucket.lock(KEY, seal(bucket).version_id) == ObjectLock("COMPLIANCE", UNTIL)
        assert bucket.lock(KEY, stored.keep(KEY, BODY)) is None
