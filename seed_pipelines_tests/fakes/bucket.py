"""A bucket that takes what is stored and forgets it, and knows which requests that took."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_BEGUN = (
    b'<?xml version="1.0"?><InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<UploadId>1</UploadId></InitiateMultipartUploadResult>"
)
_ENDED = (
    b'<?xml version="1.0"?><CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b'<ETag>"0"</ETag></CompleteMultipartUploadResult>'
)


@dataclass
class ForgetfulBucket:
    """Speaks as much of S3 as a multipart upload takes."""

    endpoint_url: str = ""
    requests: list[str] = field(default_factory=list)


@contextmanager
def forgetful_bucket() -> Iterator[ForgetfulBucket]:
    """A server on loopback, until the block ends."""
    bucket = ForgetfulBucket()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    self.rfile.read(size + 2)
                self.rfile.readline()
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(_BEGUN if self.path.endswith("uploads") else _ENDED)

        def _answer(self, body: bytes) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            bucket.requests.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.send_header("ETag", '"0"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name that http.server gives it
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        bucket.endpoint_url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield bucket
        finally:
            server.shutdown()
            thread.join()
