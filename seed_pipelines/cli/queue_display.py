"""What a command shows of its place in the queue."""

import time
from typing import Final

import click

from seed_pipelines.adapters.postgres.queue import TTL_SECONDS
from seed_pipelines.errors import SeedError
from seed_pipelines.seeding.turn import Patience

_PAUSE_SECONDS: Final = 1.0
_REMINDER_SECONDS: Final = 10.0


class QueueDisplay:
    """Tells the entry on stdout, and on stderr why it is not its turn: when the reason changes, and every ten seconds.

    It waits as long as an entry of the queue lives, be it for the end of another run with the same key.
    """

    def __init__(self, *, announces: bool, waits: bool) -> None:
        self.announces, self._waits = announces, waits
        self._began = time.monotonic()
        self._told = 0.0
        self._reason = ""

    @property
    def patience(self) -> Patience:
        """To be called back while the run is in the queue."""
        return Patience(self._on_entered, self._on_refused)

    def _on_entered(self, entry_id: int) -> None:
        self._began = time.monotonic()
        if self.announces:
            click.echo(f"queue_entry={entry_id}")

    def _on_refused(self, refusal: SeedError) -> bool:
        if not self._waits:
            return False
        now = time.monotonic()
        if now - self._began >= TTL_SECONDS:
            return False
        if refusal.code != self._reason or now - self._told >= _REMINDER_SECONDS:
            waited = round(now - self._began)
            click.echo(f"waiting{f' for {waited} s' if waited else ''}: {refusal.detail}", err=True)
            self._reason, self._told = refusal.code, now
        time.sleep(_PAUSE_SECONDS)  # the queue is asked once a second; it cannot call back through a pooler
        return True
