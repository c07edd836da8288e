"""One trial: a run is disturbed, runs follow until one succeeds, and what there is then is what an undisturbed run leaves."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from uuid import uuid4

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from seed_pipelines_tests.chaos.boundaries import heard
from seed_pipelines_tests.chaos.draw import FaultName, Trial
from seed_pipelines_tests.chaos.faults import FAULTS, KILLED, Scene
from seed_pipelines_tests.chaos.ground import Ground
from seed_pipelines_tests.chaos.lane import ACCOUNTS, CUSTOMERS, Lane
from seed_pipelines_tests.chaos.leftovers import forget_dagster_runs, left_behind
from seed_pipelines_tests.e2e.seeding.staging import Finished, finish

_DISTURBED: Final = "disturbed"
"""Who asks for the run that is disturbed."""
_FENCED_OUT: Final = "aborted"
_OTHERS_MODE: Final = "carga"
"""Of the tenant that nobody disturbs: its rows are written anew by every run."""
_NOT_YET: Final = (3, 5)
"""Exit codes of who comes while another holds the lease, the key or a place in the queue."""
_UNTIL_SERVED_SECONDS: Final = 90
_REPEATED: Final = "nothing was started"


@dataclass(frozen=True)
class Undergoing:
    """A trial under way."""

    ground: Ground
    trial: Trial
    folder: Path

    @property
    def lane(self) -> Lane:
        """The tenant whose run is disturbed."""
        return self.ground.lanes[self.trial.tenant]

    @property
    def other(self) -> Lane:
        """The tenant that nobody disturbs."""
        return self.ground.other(self.lane)

    @property
    def key(self) -> str:
        """The key of the disturbed run."""
        return f"trial-{self.trial}"

    def undergo(self) -> None:
        """Everything, in its order."""
        forget_dagster_runs(self.ground)
        self.ground.restore({self.lane.slug: self.trial.before, self.other.slug: _OTHERS_MODE})
        fault = FAULTS[self.trial.fault]
        with self._beside_another(), fault.prepared(self.ground.staging, self.folder) as variables:
            if self.trial.fault is FaultName.STOPPED:
                self._stopped_and_woken(variables)
            else:
                self._disturbed(variables)
                self._served(self.key)
        assert self.lane.state() == self.lane.loaded[self.trial.mode].shards, "not what an undisturbed run leaves"
        assert self.lane.totals() == (CUSTOMERS, ACCOUNTS)
        left = left_behind(self.ground)
        assert not left, f"left behind: {left}"

    @contextmanager
    def _beside_another(self) -> Iterator[None]:
        """The other tenant notices nothing, whether it is seeded at the same time or has been before."""
        if not self.trial.beside:
            untouched = self.other.written()
            yield
            assert self.other.written() == untouched, "another tenant's rows or files changed"
            return
        with self._running(self.other.start(_OTHERS_MODE, f"{self.key}-beside")) as process:
            yield
            ended = finish(process)
        assert ended.exit_code == 0, ended.stderr
        assert self.other.state() == self.other.loaded[_OTHERS_MODE].shards, "another tenant's run was disturbed"

    def _disturbed(self, variables: Mapping[str, str]) -> None:
        """A fault befalls a run, which ends as the fault allows."""
        fault = FAULTS[self.trial.fault]
        with self._at_its_moment(variables) as scene, fault.strike(scene):
            self._assert_whole_shards()
            ended = finish(scene.process)
        if fault.kills:
            assert ended.exit_code == KILLED, ended.stderr
        else:
            assert_ended_well(ended, fault.problems)

    def _stopped_and_woken(self, variables: Mapping[str, str]) -> None:
        """A run stands still until another took over and is done; then it writes nothing, and says why not."""
        fault = FAULTS[self.trial.fault]
        with self._at_its_moment(variables) as scene:
            with fault.strike(scene):
                self._assert_whole_shards()
                self._served(self.key if self.trial.same_key else f"{self.key}-again")
                status, left = self._status(), self.lane.written()
            ended = finish(scene.process)
        if status == _FENCED_OUT:
            assert ended.exit_code != 0, "it was fenced out, and says that it succeeded"
            assert self.lane.written() == left, "it was fenced out, and wrote"
            assert_ended_well(ended, fault.problems)
        elif status == "succeeded":
            assert_ended_well(ended, frozenset())
        else:
            assert_ended_well(ended, fault.problems)

    @contextmanager
    def _at_its_moment(self, variables: Mapping[str, str]) -> Iterator[Scene]:
        """A run at the moment of the trial, or sooner where it was over by then; it is ended on leaving."""
        moment = self.trial.moment
        while True:
            started = self.lane.start(self.trial.mode, self.key, "--requested-by", _DISTURBED, **variables)
            with self._running(started) as process, heard(self.ground.storage_url) as boundaries:
                if boundaries.await_moment(process, self.lane.slug, moment, self.lane.loaded[self.trial.mode].seconds):
                    yield Scene(self.ground.staging, self.trial, self.folder, process)
                    return
                ended = finish(process)
            assert ended.exit_code == 0, ended.stderr
            self.lane.emptied()
            self.lane.put_back(self.trial.before)
            moment = replace(moment, share=moment.share / 2)

    @staticmethod
    @contextmanager
    def _running(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def _served(self, key: str) -> None:
        """Runs until one succeeds: a dead one's lease, its key or its place in the queue may have to expire first.

        A run that did its work before it was disturbed is not repeated under its key: then one more under another, which
        finds what it left in Dagster.
        """
        if _REPEATED in self._until_it_succeeds(key).stdout:
            self._until_it_succeeds(f"{key}-{uuid4()}")

    def _until_it_succeeds(self, key: str) -> Finished:
        waiting = ("--wait",) if self.trial.patient else ()
        again = Retrying(
            retry=retry_if_result(lambda done: not self.trial.patient and done.exit_code in _NOT_YET),
            stop=stop_after_delay(_UNTIL_SERVED_SECONDS),
            wait=wait_fixed(0.2),
        )
        done: Finished = again(lambda: finish(self.lane.start(self.trial.mode, key, *waiting)))
        assert done.exit_code == 0, done.stderr
        return done

    def _assert_whole_shards(self) -> None:
        """Each shard is the old one or the new one, with its checkpoint."""
        trial, lane = self.trial, self.lane
        old = lane.empty_state() if trial.before is None else lane.loaded[trial.before].shards
        for found, *whole in zip(lane.state(), old, lane.loaded[trial.mode].shards, strict=True):
            assert found in whole, f"neither the old shard nor the new one: {found}"

    def _status(self) -> str | None:
        """The status of the seed run that is disturbed; None where it has none yet, or had no lease to lose."""
        with self.ground.staging.superuser() as connection:
            found = connection.execute(
                "SELECT status FROM seed.seed_run"
                " WHERE tenant_id = %s AND requested_by = %s AND fencing_token IS NOT NULL",
                [self.lane.tenant, _DISTURBED],
            ).fetchone()
        return None if found is None else str(found[0])


def assert_ended_well(ended: Finished, problems: frozenset[str]) -> None:
    """A run succeeded, or says as Problem Details which of the expected problems ended it, with that problem's exit code."""
    if ended.exit_code == 0:
        return
    try:
        problem = ended.problem
    except json.JSONDecodeError as error:
        raise AssertionError(f"exit {ended.exit_code} without Problem Details:\n{ended.stderr}") from error
    assert problem["code"] in problems, ended.stderr
    assert ended.exit_code == problem["exit_code"], ended.stderr
    assert "Traceback" not in ended.stderr, ended.stderr
