"""Dagster's webserver as a person's browser speaks to it: GraphQL over HTTP."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

PARTITION = "dagster/partition"
_FINISHED = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
_BACKFILL_FINISHED = frozenset({"COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"})

_LAUNCH = """
mutation($executionParams: ExecutionParams!) {
  launchRun(executionParams: $executionParams) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""

_RUN = """
query($runId: ID!) {
  runOrError(runId: $runId) {
    ... on Run {
      status
      tags { key value }
      eventConnection(limit: 1000) {
        events {
          __typename
          ... on ExecutionStepFailureEvent {
            failureMetadata { description metadataEntries { label ... on JsonMetadataEntry { jsonString } } }
          }
        }
      }
    }
  }
}"""

_BACKFILL = """
mutation($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""

_BACKFILL_STATUS = """
query($backfillId: String!) {
  partitionBackfillOrError(backfillId: $backfillId) {
    ... on PartitionBackfill { status runs { runId status tags { key value } } }
  }
}"""


@dataclass(frozen=True)
class Run:
    """A run that is over."""

    run_id: str
    status: str
    tags: Mapping[str, str]
    problem: Mapping[str, Any] | None
    """The Problem Details in the failure metadata, as the run page shows them."""


@dataclass(frozen=True)
class Webserver:
    """The webserver at an address."""

    address: str

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"{self.address}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310 # loopback
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        if "errors" in found:
            raise AssertionError(found["errors"])
        return dict(found["data"])

    def launch(
        self, location: str, job: str, partition: str | None = None, assets: Sequence[Sequence[str]] = ()
    ) -> Run:
        """Launch a job, or some assets of the graph, as the launchpad does, and wait for the end."""
        selector = {
            "repositoryLocationName": location,
            "repositoryName": "__repository__",
            "pipelineName": job,
            "assetSelection": [{"path": list(path)} for path in assets] or None,
        }
        tags = [{"key": PARTITION, "value": partition}] if partition else []
        parameters = {
            "selector": selector,
            "mode": "default",
            "runConfigData": "{}",
            "executionMetadata": {"tags": tags},
        }
        launched = self.ask(_LAUNCH, executionParams=parameters)["launchRun"]
        if launched["__typename"] != "LaunchRunSuccess":
            raise AssertionError(launched)
        return self.finished(launched["run"]["runId"])

    def finished(self, run_id: str) -> Run:
        """The run, when it is over."""
        found = _polled(lambda: self.ask(_RUN, runId=run_id)["runOrError"], lambda run: run["status"] in _FINISHED)
        failures = [e for e in found["eventConnection"]["events"] if e["__typename"] == "ExecutionStepFailureEvent"]
        problems = [
            json.loads(entry["jsonString"])
            for failure in failures
            for entry in (failure["failureMetadata"] or {"metadataEntries": []})["metadataEntries"]
            if entry["label"] == "problem"
        ]
        return Run(run_id, found["status"], _tags(found), problems[0] if problems else None)

    def backfill(self, assets: Sequence[Sequence[str]], partitions: Sequence[str]) -> tuple[str, list[Run]]:
        """Launch a backfill of assets over partitions, as the asset graph does; its status and runs when it is over."""
        parameters = {
            "assetSelection": [{"path": list(path)} for path in assets],
            "partitionNames": list(partitions),
            "fromFailure": False,
            "tags": [],
        }
        launched = self.ask(_BACKFILL, params=parameters)["launchPartitionBackfill"]
        if launched["__typename"] != "LaunchBackfillSuccess":
            raise AssertionError(launched)
        found = _polled(
            lambda: self.ask(_BACKFILL_STATUS, backfillId=launched["backfillId"])["partitionBackfillOrError"],
            lambda backfill: backfill["status"] in _BACKFILL_FINISHED,
        )
        return found["status"], [Run(run["runId"], run["status"], _tags(run), None) for run in found["runs"]]


def _tags(run: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["tags"]}


def _polled(ask: Callable[[], dict[str, Any]], done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    retrying = Retrying(
        retry=retry_if_result(lambda found: not done(found)), stop=stop_after_delay(240), wait=wait_fixed(0.5)
    )
    return retrying(ask)
