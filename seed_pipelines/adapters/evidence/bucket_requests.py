"""Requests to the bucket for evidence: which of them are made again, and what their failures mean in words."""

from collections.abc import Callable, Mapping
from functools import cached_property
from http import HTTPStatus
from string import digits
from typing import TYPE_CHECKING, Any, Final, TypeVar

import boto3
from botocore import exceptions as failures
from botocore.config import Config
from botocore.parsers import ResponseParserError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_after_delay, wait_exponential

from seed_pipelines.adapters.evidence.bucket_objects import code_of, status_of
from seed_pipelines.errors import WormUnavailable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_ATTEMPTS: Final = 4
_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 5.0

_PASSING_FAILURES: Final = (failures.HTTPClientError, failures.ConnectionError, failures.IncompleteReadError)
_PASSING_STATUS: Final = frozenset({429, 500, 502, 503, 504})
_PASSING_CODES: Final = frozenset({"ConditionalRequestConflict", "OperationAborted", "RequestTimeout", "SlowDown"})

_NEEDS: Final[Mapping[str, str]] = {
    "PutObject": "s3:PutObject and s3:PutObjectRetention",
    "GetObject": "s3:GetObject and s3:GetObjectVersion",
    "HeadObject": "s3:GetObject, s3:GetObjectVersion and s3:GetObjectRetention",
    "GetObjectRetention": "s3:GetObjectRetention",
    "ListObjectVersions": "s3:ListBucketVersions",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
}
"""What the identity must be allowed for each request."""

Answer = TypeVar("Answer")


class BucketRequests:
    """The connection to one bucket, with credentials from the usual AWS places."""

    def __init__(self, bucket: str, endpoint_url: str | None, timeout: float) -> None:
        """`endpoint_url` is for servers other than AWS; `timeout` is in seconds, for one silence of the server."""
        self._bucket = bucket
        self._endpoint_url = endpoint_url
        self._timeout = timeout

    def asked(self, work: "Callable[[S3Client], Answer]") -> Answer:
        """What `work` returns, which is done again, as a whole, after a failure that may pass.

        At most four times, none begun after 30 seconds. WormUnavailable for every failure that lasts.
        """
        retrying = Retrying(
            retry=retry_if_exception(_is_passing),
            stop=stop_after_attempt(_ATTEMPTS) | stop_after_delay(_SECONDS),
            wait=wait_exponential(multiplier=0.1, max=2),
            reraise=True,
        )
        try:
            return retrying(lambda: work(self._client))
        except RecursionError as error:  # botocore follows a redirect by asking for the bucket, which is redirected too
            raise WormUnavailable(
                f"{self._where} redirects elsewhere and back. {_STRANGER}", bucket=self._bucket
            ) from error
        except (failures.BotoCoreError, failures.ClientError, ResponseParserError) as error:
            raise WormUnavailable(self._meaning(error), bucket=self._bucket) from error

    @cached_property
    def _client(self) -> "S3Client":
        return boto3.Session().client(
            "s3",
            endpoint_url=self._endpoint_url,
            config=Config(
                connect_timeout=min(_CONNECT_SECONDS, self._timeout),
                read_timeout=self._timeout,
                retries={"total_max_attempts": 1, "mode": "standard"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path"} if self._endpoint_url else {},
            ),
        )

    @property
    def _where(self) -> str:
        return f"The bucket {self._bucket}" + (f" at {self._endpoint_url}" if self._endpoint_url else "")

    def _meaning(self, error: Exception) -> str:
        where = self._where
        if isinstance(error, failures.ClientError):
            return f"{where} {_refusal(error)}"
        if isinstance(error, failures.NoCredentialsError | failures.PartialCredentialsError):
            return f"{where} needs credentials, and none were found. Set AWS_SHARED_CREDENTIALS_FILE, or give a role."
        if isinstance(error, failures.ReadTimeoutError | failures.ConnectTimeoutError):
            return f"{where} did not answer within {self._timeout:g} s. See its state and the network between."
        if isinstance(error, failures.FlexibleChecksumError):
            return f"{where} gives bytes that are not those of its checksum. It, or the network between, damages them."
        if isinstance(error, failures.SSLError):
            return f"{where} cannot be trusted: its TLS certificate was not accepted. Check SEED_EVIDENCE_ENDPOINT_URL."
        if isinstance(error, failures.ConnectionError):
            return (
                f"{where} cannot be reached. For the local stack run `seed-data up`; or set SEED_EVIDENCE_ENDPOINT_URL."
            )
        if isinstance(error, failures.HTTPClientError | failures.IncompleteReadError):
            return f"{where} broke off in the middle of an answer. See its state and the network between."
        if isinstance(error, ResponseParserError):
            return f"{where} cannot be understood. {_STRANGER}"
        return f"{where} cannot be asked: {type(error).__name__}. Check SEED_EVIDENCE_BUCKET and the AWS variables."


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, failures.ClientError):
        return status_of(error) in _PASSING_STATUS or code_of(error) in _PASSING_CODES
    return isinstance(error, _PASSING_FAILURES) and not isinstance(error, failures.SSLError)


def _refusal(error: failures.ClientError) -> str:
    code, status, asked = code_of(error), status_of(error), error.operation_name
    if code in _CODES:
        return _CODES[code]
    if not code.strip(digits) and asked != "HeadObject":
        return f"answered {asked} with {status} and no word of S3's. {_STRANGER}"
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return (
            f"refuses {asked} ({code}). The identity needs {_NEEDS.get(asked, asked)} there, and no policy may deny it."
        )
    if status == HTTPStatus.NOT_FOUND:
        return f"holds nothing that answers {asked} ({code}): the object or this version of it is not there."
    if _is_passing(error):
        return f"failed {asked} {_ATTEMPTS} times ({status} {code}). Wait until it is well; asking again is safe."
    return f"refuses {asked} ({status} {code}): {_reason(error)}"


_STRANGER: Final = "Wait until it is well, or see whether something else is listening there."
_CREDENTIALS: Final = "does not know these credentials. Renew what AWS_SHARED_CREDENTIALS_FILE or the role gives."
_ELSEWHERE: Final = "is in another region. Set AWS_DEFAULT_REGION to the bucket's."
_CODES: Final[Mapping[str, str]] = {
    "NoSuchBucket": "does not exist. Make it with object lock enabled, or set SEED_EVIDENCE_BUCKET.",
    "ObjectLockConfigurationNotFoundError": "has no object lock. Make a bucket with object lock enabled for evidence.",
    "RequestTimeTooSkewed": "refuses our clock. Set it by NTP.",
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "ExpiredToken": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "PermanentRedirect": _ELSEWHERE,
    "AuthorizationHeaderMalformed": _ELSEWHERE,
}


def _reason(error: failures.ClientError) -> str:
    said: Any = error.response.get("Error", {}).get("Message") or "no reason was given"
    return " ".join(str(said).split())
