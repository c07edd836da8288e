"""Stubs of the outside systems, in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from seed_pipelines.adapters.outbound import Answer
from seed_pipelines.domain.outbound import Endpoint
from seed_pipelines.errors import StubUnavailable


@dataclass(frozen=True)
class Asked:
    """A request that a stub had."""

    endpoint: Endpoint
    path: str
    content: Mapping[str, Any]
    headers: Mapping[str, str]


def answer(status: int, body: str = "{}", **headers: str) -> Answer:
    """An answer; `retry_after` stands for Retry-After."""
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body.encode())


def well(asked: Asked) -> Answer:
    """What a stub answers that follows its contract: the status of the customer, and a decision."""
    statuses = {"payments": HTTPStatus.CREATED, "notifications": HTTPStatus.ACCEPTED}
    told = f'{{"customer_status": "{asked.content["customer_status"]}", "decision": "APPROVED"}}'
    return answer(statuses.get(asked.path.rpartition("/")[2], HTTPStatus.OK), told)


@dataclass
class FakeStubs:
    """Answers with what `answers` begins with, one after the other, and as `then` says once there is no more."""

    answers: list[Answer | None] = field(default_factory=list)
    """None is none at all."""
    then: Callable[[Asked], Answer | None] = well
    asked: list[Asked] = field(default_factory=list)

    def request(
        self,
        method: str,
        endpoint: Endpoint,
        path: str,
        *,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        assert method == "POST"
        self.asked.append(Asked(endpoint, path, content, headers or {}))
        found = self.answers.pop(0) if self.answers else self.then(self.asked[-1])
        if found is None:
            raise StubUnavailable(f"The stub at {endpoint.authority} gave no answer.", endpoint=endpoint.authority)
        return found
