"""Where the API listens."""

import socket

import pytest

from seed_pipelines.api.server import listening
from seed_pipelines.errors import RequestInvalid


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_is_named(host: str) -> None:
    """Before anything is said to be served there."""
    with listening(host, 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(RequestInvalid, match=rf"{host}, port {port}: .*--port"), listening(host, port):
            pytest.fail("two listened at one port")
    with listening(host, port), socket.create_connection((host, port), timeout=5):
        pass


def test_an_address_of_another_machine_is_refused() -> None:
    """192.0.2.0/24 is nobody's (RFC 5737)."""
    with pytest.raises(RequestInvalid, match="Nothing can be served at"), listening("192.0.2.1", 0):
        pytest.fail("it listened at another machine's address")
