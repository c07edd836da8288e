"""`seed-data verify`: an envelope with a public key and nothing else, or a run against the bucket and the database."""

import json
from pathlib import Path
from typing import Final
from uuid import uuid4

import click
from rich.console import Console
from rich.table import Table

from seed_pipelines.cli import claims
from seed_pipelines.cli.console import console
from seed_pipelines.domain.catalogue import ENVIRONMENTS
from seed_pipelines.domain.evidence.envelope import LARGEST_ENVELOPE
from seed_pipelines.domain.evidence.public_key import public_key
from seed_pipelines.errors import EvidenceInvalid, RequestInvalid
from seed_pipelines.seeding.authorization import Caller
from seed_pipelines.seeding.services import Services
from seed_pipelines.seeding.verification.envelopes import Trust
from seed_pipelines.seeding.verification.findings import Verification, require_valid
from seed_pipelines.seeding.verification.row_difference import RowDifference
from seed_pipelines.seeding.verification.run import Scope, verify_envelope, verify_run, verify_sealed_envelope

_RESULTS: Final = {"pass": "[green]verified", "fail": "[red]FAILED", "not_applicable": "not applicable"}


@click.command("verify")
@click.argument("target", metavar="ENVELOPE_OR_RUN")
@click.option(
    "--public-key",
    "public_keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="PEM of a key that may have signed (repeatable). Default with --environment: those that Transit shows.",
)
@click.option(
    "--environment",
    type=click.Choice(ENVIRONMENTS),
    help="Look into its bucket and database; without it, verify offline.",
)
@click.option("--attempt", type=click.IntRange(min=1), help="Of a run that began several times. Default: the newest.")
@click.option("--rows", is_flag=True, help="Make the rows anew from the manifest and compare them with the database.")
@click.option(
    "--no-chain", is_flag=True, help="Leave the other reports of the tenant and the older heads of the log alone."
)
@claims.ROLES
@claims.REQUESTED_BY
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def verify_command(
    target: str,
    public_keys: tuple[Path, ...],
    environment: str | None,
    attempt: int | None,
    rows: bool,
    no_chain: bool,
    roles: tuple[str, ...],
    requested_by: str,
    as_json: bool,
) -> None:
    """Verify a sealed report: the file of its envelope, or the id of a seed run, Dagster run or backfill.

    With a file and a public key it needs no server and no settings. With --environment it looks at every version in the
    bucket, the lock, the chain, the log and the database. Exits with 0 if everything holds, with 2 if something does not.
    """
    pems = tuple(_pem(path) for path in public_keys)
    file = Path(target)
    if environment is None:
        _require_offline(file, pems, online_only=rows or attempt is not None)
        found = verify_envelope(_bytes(file), Trust(pems=pems))
    else:
        services, scope = _services(environment), Scope(chain=not no_chain, rows=rows)
        caller = Caller(str(uuid4()), requested_by, roles)
        with services.connections_kept():
            if file.is_file():
                found = verify_sealed_envelope(services, environment, _bytes(file), caller, pems=pems, scope=scope)
            else:
                found = verify_run(services, environment, target, caller, pems=pems, attempt=attempt, scope=scope)
    if as_json:
        click.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        _print(found, console())
    require_valid(found)


COMMANDS: Final = (verify_command,)


def _services(environment: str) -> Services:
    from seed_pipelines.local.environment import use_local_stack  # noqa: PLC0415 # Dagster is slow to import
    from seed_pipelines.orchestration.instance import dagster_instance  # noqa: PLC0415 # likewise
    from seed_pipelines.orchestration.resources import SeedingFromSettings  # noqa: PLC0415 # likewise
    from seed_pipelines.orchestration.settings import Settings  # noqa: PLC0415 # likewise

    use_local_stack()
    return SeedingFromSettings(Settings()).services(environment, dagster_instance())


def _require_offline(file: Path, pems: tuple[str, ...], *, online_only: bool) -> None:
    if not file.is_file():
        raise RequestInvalid(f"{file} is no file: for the id of a run, say in which --environment.")
    if not pems:
        raise RequestInvalid("Say whom to trust: --public-key with the PEM, or --environment to ask its Vault.")
    if online_only:
        raise RequestInvalid("--rows and --attempt need --environment: they are answered by its database.")


def _pem(path: Path) -> str:
    """A file's PEM; RequestInvalid unless it is of a key that reports are signed with."""
    try:
        return public_key("given", 1, path.read_text(encoding="ascii")).pem
    except (EvidenceInvalid, UnicodeDecodeError) as error:
        raise RequestInvalid(f"{path} is not the PEM of a P-256 or Ed25519 public key.") from error


def _bytes(file: Path) -> bytes:
    """The bytes of an envelope, or one more than it may have."""
    with file.open("rb") as opened:
        return opened.read(LARGEST_ENVELOPE + 1)


def _print(found: Verification, out: Console) -> None:
    about = Table(title="report", show_header=False, title_justify="left")
    about.add_column(no_wrap=True)
    about.add_column(overflow="fold")
    for name, value in found.about.items():
        if value is not None:
            about.add_row(name.replace("_", " "), str(value))
    if found.about:
        out.print(about, markup=False)
    table = Table("what", "result", "what was found", title="what was verified", title_justify="left")
    table.columns[2].overflow = "fold"
    for finding in found.findings:
        table.add_row(finding.what, _RESULTS[finding.result], finding.says.replace("[", r"\["))
    out.print(table)
    if found.difference is not None:
        _print_difference(found.difference, out)


def _print_difference(difference: RowDifference, out: Console) -> None:
    title = f"{difference.table}, row {difference.row_id}: the first that differs"
    table = Table("column", "as the manifest makes it", "in the database", "", title=title, title_justify="left")
    made, stored = difference.made or {}, difference.stored or {}
    for name in {**made, **stored}:
        sides = (_printable(side[name]) if name in side else "no row" for side in (made, stored))
        table.add_row(name, *sides, "differs" if name in difference.columns else "")
    out.print(table, markup=False)


def _printable(value: object) -> str:
    """A value as text; whoever wrote it into the database may not command the terminal."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in str(value))
