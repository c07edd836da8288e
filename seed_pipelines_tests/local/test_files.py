"""What the stack reads and writes: places, password files, records, tenants of manifests."""

import os
import signal
import socket
import stat
import subprocess
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from seed_pipelines.errors import StackUnavailable
from seed_pipelines.local.children import Child, Record, free_port, start, stop, until_ready
from seed_pipelines.local.environment import stack_environment, use_local_stack
from seed_pipelines.local.manifest_tenants import NamedTenant, named_tenants
from seed_pipelines.local.passwords import read_passwords, write_passwords
from seed_pipelines.local.paths import StackPaths, write_private
from seed_pipelines.local.s3_server import find_emulator
from seed_pipelines.local.stack import LocalStack
from seed_pipelines.local.vault_provisioning import read_material


class TestPaths:
    def test_the_directory_is_for_its_owner_only(self, tmp_path: Path) -> None:
        """Also where it existed with a wider mode."""
        state_dir = tmp_path / ".seed"
        state_dir.mkdir(mode=0o755)
        paths = StackPaths.of(state_dir)
        paths.create()
        assert stat.S_IMODE(state_dir.stat().st_mode) == 0o700
        assert state_dir.joinpath(".gitignore").read_text() == "*\n"

    def test_a_file_in_its_place_is_named(self, tmp_path: Path) -> None:
        """A directory cannot be made where a file stands."""
        tmp_path.joinpath(".seed").write_text("")
        with pytest.raises(StackUnavailable, match="--state-dir"):
            StackPaths.of(tmp_path / ".seed").create()

    @pytest.mark.parametrize("depth", [0, 1, 5, 20])
    def test_a_socket_path_is_never_too_long(self, tmp_path: Path, depth: int) -> None:
        """However deep the project lies; two projects never share one."""
        here, there = (
            StackPaths.of(tmp_path.joinpath(*["directory-name"] * depth, name)).socket_dir for name in ("a", "b")
        )
        assert len(os.fsencode(here / ".s.PGSQL.5432")) < 104
        assert here != there

    def test_a_private_file_is_replaced_whole(self, tmp_path: Path) -> None:
        """With mode 0600, and nothing is left beside it."""
        file = tmp_path / "secret"
        for content in ("one", "another"):
            write_private(file, content)
            assert file.read_text() == content
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert list(tmp_path.iterdir()) == [file]


class TestPasswords:
    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        """Colons and backslashes in any field included."""
        passwords = {"seed_app": "plain", "odd:login": r"with:colon and \ backslash"}
        write_passwords(tmp_path / "pgpass", Path("/run/a:b"), 5432, passwords)
        assert read_passwords(tmp_path / "pgpass") == passwords

    def test_damaged_lines_are_left_out(self, tmp_path: Path) -> None:
        """And a file that is not there holds none."""
        tmp_path.joinpath("pgpass").write_text("# nothing\n\nhost:5432:*:seed_app:secret\nhalf:a:line\n")
        assert read_passwords(tmp_path / "pgpass") == {"seed_app": "secret"}
        assert read_passwords(tmp_path / "none") == {}


class TestChildren:
    def test_a_child_is_on_record_before_it_runs(self, tmp_path: Path) -> None:
        """The command itself finds its own process id there."""
        record, log = Record(tmp_path / "child.json"), tmp_path / "log"
        command = ["/bin/sh", "-c", f'grep -q "\\"pid\\": $$," {record.path} && echo found && exec sleep 60']
        child = start(record, command, log=log, environment={"PATH": os.defpath}, cwd=tmp_path)
        until_ready(child, lambda: "found" in log.read_text(), what="The child", seconds=10, log=log)
        assert record.running() == child
        stop(child, gently=signal.SIGTERM, seconds=5)
        assert record.running() is None
        assert record.read() == child

    def test_one_that_ends_at_once_shows_its_last_words(self, tmp_path: Path) -> None:
        """The end of its log is in the message."""
        record, log = Record(tmp_path / "child.json"), tmp_path / "log"
        command = ["/bin/sh", "-c", "echo no such luck; exit 1"]
        child = start(record, command, log=log, environment={"PATH": os.defpath}, cwd=tmp_path)
        with pytest.raises(StackUnavailable, match="no such luck"):
            until_ready(child, lambda: False, what="The child", seconds=10, log=log)

    def test_one_that_never_answers_is_given_up(self, tmp_path: Path) -> None:
        """After the deadline."""
        record = Record(tmp_path / "child.json")
        child = start(record, ["sleep", "60"], log=tmp_path / "log", environment={"PATH": os.defpath}, cwd=tmp_path)
        with pytest.raises(StackUnavailable, match="did not answer"):
            until_ready(child, lambda: False, what="The child", seconds=0.1, log=tmp_path / "log")
        stop(child, gently=signal.SIGTERM, seconds=5)

    def test_another_process_with_the_same_id_is_not_the_child(self, tmp_path: Path) -> None:
        """Its start time differs, so it is neither seen nor ended."""
        with subprocess.Popen(["sleep", "60"]) as stranger:
            impostor = Child(stranger.pid, psutil.Process(stranger.pid).create_time() - 100, 1)
            assert impostor.process() is None
            assert not impostor.listens()
            stop(impostor, gently=signal.SIGTERM, seconds=1)
            assert stranger.poll() is None
            stranger.terminate()

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "started": 2, "odd": 3}'])
    def test_a_damaged_record_is_none(self, tmp_path: Path, content: str) -> None:
        """As after a full disk."""
        tmp_path.joinpath("child.json").write_text(content)
        assert Record(tmp_path / "child.json").read() is None

    def test_a_free_port_is_the_preferred_one_unless_taken(self) -> None:
        """The first stays the choice until somebody listens there."""
        port = free_port()
        assert free_port(port) == port
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))
            taken.listen()
            assert free_port(port) != port


class TestNamedTenants:
    def test_broken_manifests_are_left_out(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Each with a warning; the others count, in YAML or JSON."""
        good = "metadata: {tenant: tenant-a, environment: dev, salt_version: v1.2}"
        for name, content in {
            "a.yaml": good,
            "twice.yml": good,
            "b.json": '{"metadata": {"tenant": "tenant-b", "environment": "dr", "salt_version": "v1"}}',
            "readme.md": good,
            "list.yaml": "- 1",
            "empty.yaml": "",
            "binary.yaml": "\x00\x01",
            "nowhere.yaml": "metadata: {tenant: t, environment: production, salt_version: v1}",
            "path.yaml": "metadata: {tenant: ../../sys, environment: dev, salt_version: v1}",
            "number.yaml": "metadata: {tenant: t, environment: dev, salt_version: 1}",
            "unhashable.yaml": "metadata: {tenant: t, environment: [dev], salt_version: v1}",
            "huge.yaml": good + "\n" + "#" * 1_000_001,
            "deep.yaml": "[" * 5_000,
        }.items():
            tmp_path.joinpath(name).write_text(content)
        assert named_tenants(tmp_path) == (
            NamedTenant("dev", "tenant-a", "v1.2"),
            NamedTenant("dr", "tenant-b", "v1"),
        )
        assert len(caplog.records) == 9

    def test_a_tenant_has_one_identity(self) -> None:
        """In every environment and on every machine."""
        identities = {NamedTenant(environment, "tenant-a", "v1").tenant_id for environment in ("dev", "dr")}
        assert identities == {UUID("98aceecd-27d1-5be7-bfa1-28b42034b7d0")}


class TestStackThatIsNotUp:
    def test_it_says_how_to_start_it(self, tmp_path: Path) -> None:
        """With the servers that are missing, and without making the directory."""
        with pytest.raises(StackUnavailable, match=r"postgres, openbao, s3.*seed-data up"):
            stack_environment(tmp_path / ".seed")
        with pytest.raises(StackUnavailable):
            use_local_stack({"SEED_STATE_DIR": str(tmp_path / ".seed")})
        status = LocalStack(StackPaths.of(tmp_path / ".seed")).status()
        assert not status.healthy
        assert [server["pid"] for server in status.as_dict()["servers"]] == [None] * 3
        assert not tmp_path.joinpath(".seed").exists()

    def test_down_finds_nothing_to_end(self, tmp_path: Path) -> None:
        """And makes nothing."""
        LocalStack(StackPaths.of(tmp_path / ".seed")).down(delete=True)
        assert list(tmp_path.iterdir()) == []


class TestKeyMaterial:
    @pytest.mark.parametrize("size", [0, 31, 513])
    def test_too_short_or_long_is_refused(self, tmp_path: Path, size: int) -> None:
        """With the number of bytes found."""
        tmp_path.joinpath("key").write_bytes(bytes(size))
        with pytest.raises(StackUnavailable, match=f"{size} bytes"):
            read_material(tmp_path / "key")

    def test_an_absent_file_is_named(self, tmp_path: Path) -> None:
        """And one of the right size is read as it is."""
        with pytest.raises(StackUnavailable, match="absent"):
            read_material(tmp_path / "absent")
        tmp_path.joinpath("key").write_bytes(bytes(range(32)))
        assert read_material(tmp_path / "key") == bytes(range(32))


def test_the_emulator_is_looked_for_beside_the_project(tmp_path: Path) -> None:
    """Unless it is named."""
    beside = tmp_path / ".venv-s3/bin/ministack"
    beside.parent.mkdir(parents=True)
    beside.write_text("")
    assert find_emulator(tmp_path, None) == beside
    assert find_emulator(tmp_path, "/opt/s3") == Path("/opt/s3")
