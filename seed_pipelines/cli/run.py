"""`seed_data`: seed one manifest, with the flags and exit codes of the source document."""

import json
from pathlib import Path
from typing import Any, NoReturn

import click

from seed_pipelines.cli import claims
from seed_pipelines.cli.console import console
from seed_pipelines.domain.catalogue import ENVIRONMENTS, MODES
from seed_pipelines.errors import Interrupted, SeedError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--tenant-id", type=click.UUID, required=True, help="Tenant whose data is seeded.")
@click.option("--environment", type=click.Choice(ENVIRONMENTS), required=True)
@click.option(
    "--manifest-path",
    type=click.Path(path_type=Path),
    help="Default: <manifests>/<environment>/<tenant>.yaml; without that file, a minimal baseline.",
)
@click.option(
    "--mode",
    type=click.Choice(MODES),
    help="Default: the manifest's. Another than the manifest's is an error.",
)
@click.option("--dry-run", is_flag=True, help="Generate, mask and check without writing to the database; at any hour.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Where a dry run writes. Default: <state>/dry-run.",
)
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="Asked for again within 24 hours, a run that succeeded is not repeated, only its answer. "
    "Default: seed-data:<manifest_hash>; a dry run has none.",
)
@click.option("--wait", is_flag=True, help="Wait up to five minutes for a lease and a slot, in order of arrival.")
@claims.ROLES
@claims.REQUESTED_BY
@click.option(
    "--override-window",
    metavar="REASON",
    help="Run outside the window, as a seed-admin; the report shows why.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON on stdout.")
def seed_data(**options: Any) -> None:
    """Generate, mask, load, check and report the synthetic data of one manifest.

    Exit codes: 0 done; 2 validation, tenant mismatch, drift, another manifest under the key, or failed checks; 3 lease
    held, too many runs, or the key's run at work; 4 a needed service is away; 5 outside the window, waiting in the queue,
    or over budget; 6 row level security, tenant or role; 130 interrupted. The reason is on stderr as Problem Details.
    """
    try:
        # Dagster takes seconds to import, and who asks for help or misspells an option needs none of it.
        from seed_pipelines.cli.commanded_run import seed  # noqa: PLC0415
        from seed_pipelines.cli.outcome import print_outcome  # noqa: PLC0415

        outcome = seed(**options)
    except SeedError as error:
        _refuse(error, as_json=options["as_json"])
    except KeyboardInterrupt:
        _refuse(
            Interrupted("Stopped by Ctrl-C or a signal; what had not been committed was rolled back."),
            as_json=options["as_json"],
        )
    if options["as_json"]:
        click.echo(outcome.text)
    else:
        print_outcome(outcome, console())
    if outcome.problem is not None:
        click.echo(json.dumps(outcome.problem, indent=2), err=True)
    raise SystemExit(outcome.exit_code)


def _refuse(error: SeedError, *, as_json: bool) -> NoReturn:
    problem = error.problem()
    if as_json:
        outcome = {"outcome": "refused", "exit_code": error.exit_code, "problem": problem}
        click.echo(json.dumps(outcome, indent=2, default=str))
    click.echo(json.dumps(problem, indent=2, default=str), err=True)
    raise SystemExit(error.exit_code)
