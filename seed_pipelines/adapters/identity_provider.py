"""The public keys of whoever issues tokens: a JSON Web Key Set (RFC 7517) in a file or at an https address."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Final

import jwt

from seed_pipelines.adapters.key_set import reader_of
from seed_pipelines.errors import IdentityUnavailable

MOST_OFTEN_SECONDS: Final = 30.0
"""Between two looks for a key that is not known: tokens with made-up key ids must not make a flood of requests."""
_FRESH_SECONDS: Final = 300.0
_STALE_SECONDS: Final = 3_600.0
_REQUEST_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class IdentityProvider:
    """A key set, read when first needed, again every five minutes, and when a token names a key that is not in it."""

    def __init__(
        self, location: str, clock: Callable[[], float] = time.monotonic, seconds: float = _REQUEST_SECONDS
    ) -> None:
        """`location` is a path, or an address with https; RequestInvalid for another one. `clock` counts seconds.

        Whoever needs a key that is not known waits for at most `seconds`; whoever needs a known one waits for nobody else.
        """
        self._location = location
        self._clock = clock
        self._read = reader_of(location, seconds)
        self._lock = threading.Lock()
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None

    def key(self, key_id: str) -> jwt.PyJWK | None:
        """The key of an id, None if there is none; IdentityUnavailable if none were ever read, or not for an hour."""
        if key_id not in self._keys:
            with self._lock:
                if key_id not in self._keys:
                    self._refresh()
        elif self._age(self._read_at) > _FRESH_SECONDS and self._lock.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._lock.release()
        if self._age(self._read_at) > _STALE_SECONDS:
            raise IdentityUnavailable("The keys that tokens are verified with cannot be read at the moment.")
        return self._keys.get(key_id)

    def _refresh(self) -> None:
        if self._age(self._tried_at) < MOST_OFTEN_SECONDS:
            return
        self._tried_at = self._clock()
        try:
            keys = jwt.PyJWKSet.from_dict(self._read()).keys
        # PyJWT takes the set to have the shape of one: what has not fails with errors of the language.
        except (OSError, HTTPException, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
            logger.warning("The key set %s cannot be read: %s", self._location, error)
            return
        # In this order: others read both without the lock.
        self._read_at = self._clock()
        self._keys = {key.key_id: key for key in keys if key.key_id}

    def _age(self, moment: float | None) -> float:
        return float("inf") if moment is None else self._clock() - moment
