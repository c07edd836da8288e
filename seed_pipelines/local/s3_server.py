"""The S3 emulator of the local stack (ministack), on loopback, with its objects on disk."""

import configparser
import io
import os
import secrets
import shutil
import signal
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from seed_pipelines.adapters.evidence.bucket import IN_FLIGHT, PROBES
from seed_pipelines.adapters.evidence.stored_objects import COMPLIANCE
from seed_pipelines.domain.retention import Retention
from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.children import Child, serve, start, stop
from seed_pipelines.local.paths import write_private
from seed_pipelines.local.server import RecordedServer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION: Final = "us-east-1"
BUCKET: Final = "seed-pipelines"
EVIDENCE_BUCKET: Final = "seed-evidence"
BUCKETS: Final = (BUCKET, EVIDENCE_BUCKET)

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_KEY_ID: Final = "aws_access_key_id"
_SECRET: Final = "aws_secret_access_key"  # noqa: S105  # the name of a setting


@dataclass(frozen=True)
class S3Server(RecordedServer):
    """The server of one stack."""

    name: ClassVar[str] = "s3"
    emulator: Path | None = None
    """The emulator's command; None if it is not installed."""

    @property
    def data(self) -> Path:
        """Where it keeps its data."""
        return self.paths.s3

    def start(self) -> Child:
        """Start the server, or return the one that runs; StackUnavailable if it does not start."""
        running = self.record.running()
        if running is not None and self._answers():
            return running
        self.stop()
        return serve(
            self.record,
            self._launched,
            self._answers,
            what="The S3 emulator",
            seconds=_START_SECONDS,
            log=self.log,
        )

    def client(self) -> "S3Client":
        """Connect with the stack's credentials."""
        import boto3  # noqa: PLC0415 # slow to import, and a stack that is only found needs none
        from botocore.config import Config  # noqa: PLC0415 # likewise

        known = self._credentials()
        return boto3.client(
            "s3",
            endpoint_url=self.address,
            aws_access_key_id=known[_KEY_ID],
            aws_secret_access_key=known[_SECRET],
            region_name=REGION,
            config=Config(
                connect_timeout=5,
                read_timeout=10,
                retries={"max_attempts": 1},
                s3={"addressing_style": "path"},
                proxies={},
            ),
        )

    def healthy(self) -> bool:
        """Whether the recorded process serves its port and the buckets, with versions and object lock."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 # as in `client`

        if not self._answers():
            return False
        client = self.client()
        try:
            versions = [client.get_bucket_versioning(Bucket=bucket).get("Status") for bucket in BUCKETS]
            for bucket in BUCKETS:
                client.get_object_lock_configuration(Bucket=bucket)
        except (BotoCoreError, ClientError):
            return False
        return set(versions) == {"Enabled"}

    def stop(self) -> None:
        """End the recorded server."""
        child = self.record.read()
        if child is not None:
            stop(child, gently=signal.SIGTERM, seconds=_STOP_SECONDS)

    def provision(self) -> None:
        """Make the buckets, with versions and object lock.

        Both are set again where they are missing: the emulator writes a bucket's settings only when it is asked
        to end, so a killed one comes back with its objects and without them. The locks of its objects it never writes:
        those in the bucket for evidence are locked again as they were, or nobody could verify them any more.
        """
        client = self.client()
        known = [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]
        for bucket in BUCKETS:
            if bucket not in known:
                client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
            _lock(client, bucket)
        _lock_evidence(client)

    def _launched(self, port: int) -> Child:
        if self.emulator is None:
            raise StackUnavailable(_NOT_INSTALLED)
        known = self._credentials()
        temporary = self.data / "tmp"
        temporary.mkdir(mode=0o700, exist_ok=True)
        environment = {
            "PATH": os.defpath,
            "HOME": str(self.data),
            "TMPDIR": str(temporary),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "SERVICES": "s3",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "AUTH": "true",
            "AWS_ACCESS_KEY_ID": known[_KEY_ID],
            "AWS_SECRET_ACCESS_KEY": known[_SECRET],
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.data / "objects"),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.data / "state"),
            "LOG_LEVEL": "WARNING",
        }
        return start(self.record, [str(self.emulator)], log=self.log, environment=environment, cwd=self.data, port=port)

    def _answers(self) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 # as in `client`

        child = self.record.running()
        if child is None or not child.listens():
            return False
        try:
            self.client().list_buckets()
        except (BotoCoreError, ClientError):
            return False
        return True

    def _credentials(self) -> dict[str, str]:
        file = configparser.ConfigParser(interpolation=None)
        file.read(self.paths.s3_credentials)
        if not file.has_option("default", _KEY_ID) or not file.has_option("default", _SECRET):
            file["default"] = {_KEY_ID: f"seed{secrets.token_hex(8)}", _SECRET: secrets.token_hex(20)}
            text = io.StringIO()
            file.write(text)
            write_private(self.paths.s3_credentials, text.getvalue())
        return dict(file["default"])


def _lock(client: "S3Client", bucket: str) -> None:
    from botocore.exceptions import ClientError  # noqa: PLC0415 # as in `client`

    if client.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    try:
        client.get_object_lock_configuration(Bucket=bucket)
    except ClientError:
        client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})


def _lock_evidence(client: "S3Client") -> None:
    from botocore.exceptions import ClientError  # noqa: PLC0415 # as in `client`

    for page in client.get_paginator("list_object_versions").paginate(Bucket=EVIDENCE_BUCKET):
        for version in page.get("Versions", []):
            if version["Key"].startswith(PROBES):
                continue
            key, version_id = version["Key"], version["VersionId"]
            try:
                client.get_object_retention(Bucket=EVIDENCE_BUCKET, Key=key, VersionId=version_id)
            except ClientError:
                until = Retention().until(version["LastModified"].astimezone(UTC) + IN_FLIGHT)
                client.put_object_retention(
                    Bucket=EVIDENCE_BUCKET,
                    Key=key,
                    VersionId=version_id,
                    Retention={"Mode": COMPLIANCE, "RetainUntilDate": until},
                )


_NOT_INSTALLED: Final = (
    "The S3 emulator is not installed. Install it beside the project: `python -m venv .venv-s3` and"
    " `.venv-s3/bin/pip install --require-hashes -r requirements-s3-emulator.lock`; or name its command"
    " in SEED_S3_EMULATOR."
)


def find_emulator(project_dir: Path, named: str | None) -> Path | None:
    """Find the emulator's command: the one named, else in the project's `.venv-s3`, else on the PATH."""
    if named:
        return Path(named).expanduser().resolve()
    beside = project_dir / ".venv-s3" / "bin" / "ministack"
    if beside.exists():
        return beside
    found = shutil.which("ministack")
    return Path(found) if found else None
