"""Dagster's webserver as a person's browser speaks to it: GraphQL over HTTP."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
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
      startTime
      endTime
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

_STEPS = """
query($runId: ID!) {
  runOrError(runId: $runId) { ... on Run { stepStats { stepKey materializations { __typename } } } }
}"""

_TERMINATE = """
mutation($runId: String!) {
  terminateRun(runId: $runId) { __typename ... on TerminateRunFailure { message } ... on PythonError { message } }
}"""

_REEXECUTE = """
mutation($reexecutionParams: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $reexecutionParams) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""

_RELOAD = """
mutation($location: String!) {
  reloadRepositoryLocation(repositoryLocationName: $location) { __typename ... on PythonError { message } }
}"""

_SCHEDULE = """
query($selector: ScheduleSelector!) {
  scheduleOrError(scheduleSelector: $selector) { ... on Schedule { scheduleState { id status } } }
}"""

_START_SCHEDULE = """
mutation($selector: ScheduleSelector!) {
  startSchedule(scheduleSelector: $selector) { __typename ... on PythonError { message } }
}"""

_STOP_SCHEDULE = """
mutation($id: String!) {
  stopRunningSchedule(id: $id) { __typename ... on PythonError { message } }
}"""

_TAGGED = """
query($filter: RunsFilter!) {
  runsOrError(filter: $filter) { ... on Runs { results { runId } } }
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
    period: tuple[float, float] = (0, 0)
    """When it started and ended, in seconds of the epoch; zeros where that was not asked for."""


@dataclass(frozen=True)
class Webserver:
    """The webserver at an address."""

    address: str

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = Request(f"{self.address}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310 # loopback
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
                found: dict[str, Any] = json.load(answer)
        except HTTPError as failure:
            raise AssertionError(failure.read().decode(errors="replace")) from failure
        if "errors" in found:
            raise AssertionError(found["errors"])
        return dict(found["data"])

    def launch(
        self, location: str, job: str, partition: str | None = None, assets: Sequence[Sequence[str]] = ()
    ) -> Run:
        """Launch a job, or some assets of the graph, as the launchpad does, and wait for the end."""
        return self.finished(self.submit(location, job, partition, assets))

    def submit(
        self, location: str, job: str, partition: str | None = None, assets: Sequence[Sequence[str]] = ()
    ) -> str:
        """Launch a job, or some assets of the graph, as the launchpad does; the id of the run, which may wait in the queue."""
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
        return str(launched["run"]["runId"])

    def status(self, run_id: str) -> str:
        """The status of a run at the moment."""
        return str(self.ask(_RUN, runId=run_id)["runOrError"]["status"])

    def await_step(self, run_id: str, step: str) -> None:
        """Wait until a run has materialized what a step makes."""
        _polled(
            lambda: self.ask(_STEPS, runId=run_id)["runOrError"],
            lambda run: any(
                stats["stepKey"].startswith(step) and stats["materializations"] for stats in run["stepStats"]
            ),
        )

    def cancel(self, run_id: str) -> None:
        """End a run as the button on its page does."""
        answer = self.ask(_TERMINATE, runId=run_id)["terminateRun"]
        if answer["__typename"] != "TerminateRunSuccess":
            raise AssertionError(answer)

    def again(self, run_id: str, strategy: str) -> Run:
        """Execute a run again, FROM_FAILURE or ALL_STEPS, and wait for the end."""
        parameters = {"parentRunId": run_id, "strategy": strategy}
        launched = self.ask(_REEXECUTE, reexecutionParams=parameters)["launchRunReexecution"]
        if launched["__typename"] != "LaunchRunSuccess":
            raise AssertionError(launched)
        return self.finished(launched["run"]["runId"])

    def reload(self, location: str) -> None:
        """Load a code location anew, as its button does."""
        answer = self.ask(_RELOAD, location=location)["reloadRepositoryLocation"]
        if answer["__typename"] != "WorkspaceLocationEntry":
            raise AssertionError(answer)

    def switch(self, location: str, schedule: str, *, on: bool) -> None:
        """Start or stop a schedule, as its switch does."""
        selector = {"repositoryLocationName": location, "repositoryName": "__repository__", "scheduleName": schedule}
        if on:
            answer = self.ask(_START_SCHEDULE, selector=selector)["startSchedule"]
        else:
            found = self.ask(_SCHEDULE, selector=selector)["scheduleOrError"]["scheduleState"]
            answer = self.ask(_STOP_SCHEDULE, id=found["id"])["stopRunningSchedule"]
        if answer["__typename"] != "ScheduleStateResult":
            raise AssertionError(answer)

    def runs_with(self, tag: str, value: str) -> list[Run]:
        """The runs that carry a tag, when there are some and they are over."""
        found = _polled(
            lambda: self.ask(_TAGGED, filter={"tags": [{"key": tag, "value": value}]})["runsOrError"],
            lambda runs: bool(runs["results"]),
        )
        return [self.finished(run["runId"]) for run in found["results"]]

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
        period = (found["startTime"] or 0, found["endTime"] or 0)
        return Run(run_id, found["status"], _tags(found), problems[0] if problems else None, period)

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
        retry=retry_if_result(lambda found: not done(found)), stop=stop_after_delay(480), wait=wait_fixed(0.5)
    )
    return retrying(ask)
