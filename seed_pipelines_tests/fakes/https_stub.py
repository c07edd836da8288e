"""A server with TLS on a free loopback port, whose certificate is of an authority made for the test."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from seed_pipelines_tests.fakes.raw_stub import Reply

_PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Authority:
    """A private certificate authority, and a server's certificate by it."""

    authority_file: Path
    """What whoever trusts it is given."""
    server_file: Path
    """The server's key and certificate."""


def authority(folder: Path, host: str = "localhost") -> Authority:
    """A new one, for an hour, whose server has one name."""
    key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
    own = _certificate(name, key, name, key, x509.BasicConstraints(ca=True, path_length=0), critical=True)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    server = _certificate(
        subject, server_key, name, key, x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False
    )
    private = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made = Authority(folder / "authority.pem", folder / "server.pem")
    made.authority_file.write_bytes(own.public_bytes(serialization.Encoding.PEM))
    made.server_file.touch(mode=0o600)
    made.server_file.write_bytes(private + server.public_bytes(serialization.Encoding.PEM))
    return made


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
    *,
    critical: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(minutes=1)).not_valid_after(now + timedelta(hours=1))
    return builder.add_extension(extension, critical=critical).sign(issuer_key, hashes.SHA256())


@dataclass
class HttpsStub:
    """Answers each request as `reply` does, one after the other."""

    port: int
    reply: Reply
    asked: list[bytes] = field(default_factory=list)
    """What each caller sent that got through the handshake."""

    def address(self, host: str = "localhost") -> str:
        """Of the key set."""
        return f"https://{host}:{self.port}/keys"


@contextmanager
def secured(made: Authority, reply: Reply) -> Iterator[HttpsStub]:
    """A server on a free loopback port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.server_file)
    with socket.create_server(("127.0.0.1", 0)) as server:
        stub = HttpsStub(server.getsockname()[1], reply)
        thread = threading.Thread(target=_answer_all, args=(server, context, stub))
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _answer_all(server: socket.socket, context: ssl.SSLContext, stub: HttpsStub) -> None:
    while True:
        try:
            plain, _ = server.accept()
        except OSError:
            return
        plain.settimeout(_PATIENCE_SECONDS)
        with plain:
            try:
                with context.wrap_socket(plain, server_side=True) as caller:
                    stub.asked.append(caller.recv(65_536))
                    stub.reply(caller)
            except OSError:
                continue  # the client did not trust the server or hung up, as some tests want
