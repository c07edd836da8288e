"""The local stack with its real servers: idempotent, persistent, and able to recover."""

import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest
from click.testing import CliRunner
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from seed_pipelines.adapters.vault import TransitKeys
from seed_pipelines.cli.stack import down_command, env_command, status_command
from seed_pipelines.errors import MaskingKeyChanged, RequestInvalid, StackUnavailable
from seed_pipelines.local.children import Child
from seed_pipelines.local.environment import stack_environment, use_local_stack
from seed_pipelines.local.paths import StackPaths
from seed_pipelines.local.s3_server import BUCKET
from seed_pipelines.local.stack import LocalStack, Purpose
from seed_pipelines_tests.e2e.conftest import PROJECT_DIR, RunningStack, running_stack, stack_directory

pytestmark = pytest.mark.e2e

SERVERS = ("postgres", "openbao", "s3")
FIELDS = ("document_number", "email")


def keys_of(stack: RunningStack) -> dict[str, bytes]:
    """Ask for masking keys as a run does."""
    token = Path(stack.environment["SEED_VAULT_TOKEN_FILE"])
    transit = TransitKeys(
        stack.environment["SEED_VAULT_ADDR"], lambda: token.read_text().strip(), stack.environment["SEED_VAULT_MOUNT"]
    )
    return dict(transit.masking_keys("tenant-a", "staging", "v1", FIELDS))


def child_of(stack: LocalStack, name: str) -> Child:
    """The running process of a server."""
    child = next(server for server in stack.servers if server.name == name).record.running()
    assert child is not None
    return child


def connect(stack: RunningStack, variable: str) -> psycopg.Connection:
    """Connect as a run does: no password but the file's."""
    url = stack.environment[variable].replace("{environment}", "staging").replace("+psycopg2", "")
    return psycopg.connect(url, passfile=stack.environment["PGPASSFILE"])


def await_that(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Poll until the condition holds."""
    Retrying(retry=retry_if_result(lambda done: not done), stop=stop_after_delay(seconds), wait=wait_fixed(0.005))(
        condition
    )


def servers_of(state_dir: Path) -> list[psutil.Process]:
    """Processes whose command line or working directory lies in the stack."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
            continue
        if str(state_dir) in " ".join(process.info["cmdline"] or ()) or _works_in(process, state_dir):
            found.append(process)
    return found


def _works_in(process: psutil.Process, state_dir: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(state_dir)
    except (psutil.Error, OSError):
        return False


class TestUp:
    def test_up_again_changes_nothing(self, own_stack: RunningStack) -> None:
        """The same processes, ports, keys and passwords."""
        before = own_stack.stack.status()
        keys, secrets = keys_of(own_stack), own_stack.stack.paths.passwords.read_bytes()
        assert own_stack.stack.up(own_stack.purpose) == before
        assert before.healthy
        assert keys_of(own_stack) == keys
        assert own_stack.stack.paths.passwords.read_bytes() == secrets

    @pytest.mark.parametrize("name", SERVERS)
    def test_a_killed_server_comes_back_with_its_data(self, own_stack: RunningStack, name: str) -> None:
        """`kill -9` of one, and the next `up` has it again where it was."""
        keys = keys_of(own_stack)
        own_stack.stack.s3.client().put_object(Bucket=BUCKET, Key=f"kept/{name}", Body=b"evidence")
        environment = own_stack.environment
        victim = child_of(own_stack.stack, name)
        psutil.Process(victim.pid).kill()
        await_that(lambda: victim.process() is None)
        assert not own_stack.stack.status().healthy

        assert own_stack.stack.up(own_stack.purpose).healthy
        assert child_of(own_stack.stack, name).pid != victim.pid
        assert own_stack.environment == environment
        assert keys_of(own_stack) == keys
        stored = own_stack.stack.s3.client().get_object(Bucket=BUCKET, Key=f"kept/{name}")
        assert stored["Body"].read() == b"evidence"
        with connect(own_stack, "SEED_CONTROL_DATABASE_URL") as connection:
            assert connection.execute("SELECT name FROM seed.environment").fetchone() == ("staging",)

    def test_down_and_up_keep_everything(self, own_stack: RunningStack) -> None:
        """A restart is no loss, and ends every process in between."""
        keys = keys_of(own_stack)
        own_stack.stack.s3.client().put_object(Bucket=BUCKET, Key="kept", Body=b"evidence")
        own_stack.stack.down()
        assert servers_of(own_stack.state_dir) == []
        with pytest.raises(StackUnavailable, match="seed-data up"):
            stack_environment(own_stack.state_dir)
        assert own_stack.stack.up(own_stack.purpose).healthy
        assert keys_of(own_stack) == keys
        assert own_stack.stack.s3.client().get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"evidence"

    @pytest.mark.parametrize("name", ["openbao", "s3"])
    def test_a_port_taken_by_a_stranger_is_left_to_it(self, own_stack: RunningStack, name: str) -> None:
        """The server moves to another port, which the variables name."""
        own_stack.stack.down()
        server = next(server for server in own_stack.stack.servers if server.name == name)
        before = server.record.read()
        assert before is not None
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stranger.bind(("127.0.0.1", before.port))
            stranger.listen()
            assert own_stack.stack.up(own_stack.purpose).healthy
        assert child_of(own_stack.stack, name).port != before.port
        assert server.address in own_stack.environment.values()
        assert keys_of(own_stack).keys() == set(FIELDS)

    def test_two_at_a_time_make_one_stack(self, own_stack: RunningStack, one_tenant: Path) -> None:
        """The second waits for the first and finds everything running."""
        own_stack.stack.down()
        both = [_up_process(own_stack.state_dir, one_tenant) for _ in range(2)]
        for process in both:
            output, _ = process.communicate(timeout=120)
            assert process.returncode == 0, output
        assert own_stack.stack.status().healthy
        assert len([it for it in servers_of(own_stack.state_dir) if it.name() == "bao"]) == 1

    @pytest.mark.parametrize(
        "reached",
        [
            "postgres.new.*",
            "run/openbao.json",
            "vault-keys.json",
            "run/postgres.json",
            "pgpass",
        ],
    )
    def test_up_killed_half_way_recovers(self, one_tenant: Path, reached: str) -> None:
        """Whatever it had reached: the next `up` completes, and no server of the first is left over."""
        with stack_directory() as state_dir:
            first = _up_process(state_dir, one_tenant)
            await_that(lambda: any(state_dir.glob(reached)))
            first.kill()
            first.communicate()
            second = _up_process(state_dir, one_tenant)
            output, _ = second.communicate(timeout=120)
            assert second.returncode == 0, output
            stack = LocalStack(StackPaths.of(state_dir))
            assert stack.status().healthy
            baos = [it for it in servers_of(state_dir) if it.name() == "bao"]
            assert [it.pid for it in baos] == [child_of(stack, "openbao").pid]
            stack.down()
            assert servers_of(state_dir) == []

    def test_a_deep_directory_has_its_socket_elsewhere(self, one_tenant: Path, tmp_path: Path) -> None:
        """A Unix socket's path is short, a project's need not be."""
        deep = tmp_path.joinpath(*["a-rather-long-name-of-a-directory"] * 4, ".seed")
        stack = LocalStack(StackPaths.of(deep), None)
        try:
            with pytest.raises(StackUnavailable, match=r"\.venv-s3"):
                stack.up(Purpose(PROJECT_DIR, one_tenant))
            assert stack.postgres.healthy()
            assert len(os.fsencode(stack.paths.socket_dir / ".s.PGSQL.5432")) < 104
        finally:
            stack.down(delete=True)
        assert not stack.paths.socket_dir.exists()

    def test_a_missing_manifests_folder_is_named(self, tmp_path: Path) -> None:
        """Nothing is started for a folder that is not there."""
        stack = LocalStack(StackPaths.of(tmp_path / ".seed"))
        with pytest.raises(StackUnavailable, match="--manifests"):
            stack.up(Purpose(project_dir=tmp_path, manifests_dir=tmp_path / "nowhere"))
        assert not (tmp_path / ".seed").exists()


def _up_process(state_dir: Path, manifests: Path) -> "subprocess.Popen[str]":
    program = Path(sys.executable).with_name("seed-data")
    command = [str(program), "up", "--without-stubs", "--state-dir", str(state_dir), "--manifests", str(manifests)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=PROJECT_DIR)


class TestDown:
    def test_only_recorded_processes_are_ended(self, own_stack: RunningStack) -> None:
        """A process id that now belongs to somebody else is left alone."""
        own_stack.stack.down()
        with subprocess.Popen(["sleep", "60"]) as stranger:
            record = own_stack.stack.s3.record
            left = record.read()
            assert left is not None
            record.write(Child(stranger.pid, left.started, left.port))
            own_stack.stack.down()
            assert stranger.poll() is None
            stranger.send_signal(signal.SIGTERM)
        assert own_stack.stack.up(own_stack.purpose).healthy

    def test_delete_asks_and_removes(self, one_tenant: Path) -> None:
        """Without a yes everything stays; with it nothing does."""
        with running_stack(one_tenant) as stack:
            runner = CliRunner()
            refused = runner.invoke(down_command, ["--state-dir", str(stack.state_dir), "--delete"], input="n\n")
            assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (0, "Nothing was removed.")
            unasked = runner.invoke(down_command, ["--state-dir", str(stack.state_dir), "--delete"])
            assert isinstance(unasked.exception, RequestInvalid)
            assert "--yes" in unasked.exception.detail
            assert stack.stack.status().healthy
            done = runner.invoke(down_command, ["--state-dir", str(stack.state_dir), "--delete"], input="y\n")
            assert done.exit_code == 0, done.output
            assert not stack.state_dir.exists()

    def test_a_directory_that_is_no_stack_stays(self, tmp_path: Path) -> None:
        """`down --delete` removes nothing that it did not make."""
        tmp_path.joinpath("thesis.txt").write_text("years of work")
        with pytest.raises(StackUnavailable, match="no stack"):
            LocalStack(StackPaths.of(tmp_path)).down(delete=True)
        assert tmp_path.joinpath("thesis.txt").exists()


class TestEnvironment:
    def test_each_login_connects_as_itself(self, local_stack: RunningStack) -> None:
        """With the password file alone, and never as a superuser."""
        logins = {
            "SEED_DATABASE_URL": "seed_app",
            "SEED_CONTROL_DATABASE_URL": "seed_operator",
            "SEED_DAGSTER_POSTGRES_URL": "dagster",
        }
        for variable, login in logins.items():
            with connect(local_stack, variable) as connection:
                found = connection.execute(
                    "SELECT session_user::text, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user"
                ).fetchone()
            assert found == (login, False)
        assert "seed_service" in local_stack.service_environment["SEED_CONTROL_DATABASE_URL"]

    def test_nothing_listens_on_tcp_for_postgres(self, local_stack: RunningStack) -> None:
        """Only the socket, which its owner alone may use."""
        process = psutil.Process(child_of(local_stack.stack, "postgres").pid)
        assert [it for it in process.net_connections(kind="tcp") if it.status == psutil.CONN_LISTEN] == []
        assert process.uids().real != 0

    def test_the_others_listen_on_loopback_only(self, local_stack: RunningStack) -> None:
        """No neighbour on the network can reach them."""
        for name in ("openbao", "s3"):
            listening = psutil.Process(child_of(local_stack.stack, name).pid).net_connections(kind="tcp")
            assert {it.laddr.ip for it in listening if it.status == psutil.CONN_LISTEN} == {"127.0.0.1"}

    def test_the_printed_variables_hold_no_secret(self, local_stack: RunningStack) -> None:
        """They name files, which their owner alone may read."""
        printed = CliRunner().invoke(env_command, ["--state-dir", str(local_stack.state_dir)])
        assert printed.exit_code == 0
        paths = local_stack.stack.paths
        for file in (
            paths.passwords,
            paths.provisioning_passwords,
            paths.vault_keys,
            paths.vault_token,
            paths.s3_credentials,
        ):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for secret in (*paths.passwords.read_text().split(), paths.vault_token.read_text().strip()):
            assert secret.rpartition(":")[2] not in printed.output
        assert stat.S_IMODE(local_stack.state_dir.stat().st_mode) & 0o067 == 0

    def test_tenants_and_roles_are_registered(self, local_stack: RunningStack) -> None:
        """The operator has every role, by login and by token; the service is seed-runner alone; for each tenant."""
        with connect(local_stack, "SEED_CONTROL_DATABASE_URL") as connection:
            found = connection.execute(
                "SELECT slug, subject, role FROM seed.role_grant JOIN seed.tenant USING (tenant_id) ORDER BY 1, 2, 3"
            ).fetchall()
        assert found == [
            (tenant, subject, role)
            for tenant in ("tenant-a", "tenant-b")
            for subject, role in (
                ("seed_operator", "seed-admin"),
                ("seed_operator", "seed-read"),
                ("seed_operator", "seed-runner"),
                ("seed_service", "seed-runner"),
                ("token:operator", "seed-admin"),
                ("token:operator", "seed-read"),
                ("token:operator", "seed-runner"),
            )
        ]

    def test_unset_variables_are_filled_in(self, local_stack: RunningStack) -> None:
        """What the caller set stays, and a deployment of its own is left alone."""
        environ = {"SEED_STATE_DIR": str(local_stack.state_dir), "SEED_DATA_URL": "s3://mine"}
        use_local_stack(environ)
        assert environ == {**local_stack.environment, "SEED_DATA_URL": "s3://mine"}
        assert use_local_stack({"SEED_DATABASE_URL": "postgresql://db/seed"}) == {}

    def test_status_says_whether_all_is_well(self, local_stack: RunningStack, tmp_path: Path) -> None:
        """Exit code 0, or 4 where there is no stack."""
        runner = CliRunner()
        assert runner.invoke(status_command, ["--state-dir", str(local_stack.state_dir), "--json"]).exit_code == 0
        assert runner.invoke(status_command, ["--state-dir", str(tmp_path / ".seed")]).exit_code == 4


class TestSharedKey:
    def test_two_stacks_with_one_key_mask_alike(self, one_tenant: Path, tmp_path: Path) -> None:
        """The same material, imported into two stacks, derives the same masking keys; another is refused."""
        material, other = tmp_path / "pii.key", tmp_path / "other.key"
        material.write_bytes(bytes(range(32)))
        other.write_bytes(bytes(32))
        with running_stack(one_tenant, material) as here, running_stack(one_tenant, material) as there:
            assert keys_of(here) == keys_of(there)
            assert len(set(keys_of(here).values())) == len(FIELDS)
            here.stack.up(here.purpose)
            with pytest.raises(MaskingKeyChanged, match="staging/tenant-a"):
                here.stack.up(Purpose(PROJECT_DIR, one_tenant, pii_key_file=other))
            assert keys_of(here) == keys_of(there)

    def test_short_material_is_refused(self, one_tenant: Path, tmp_path: Path) -> None:
        """Fewer than 32 bytes are no key."""
        short = tmp_path / "pii.key"
        short.write_bytes(b"password")
        stack = LocalStack(StackPaths.of(tmp_path / ".seed"))
        with pytest.raises(StackUnavailable, match="8 bytes"):
            stack.up(Purpose(PROJECT_DIR, one_tenant, pii_key_file=short))
