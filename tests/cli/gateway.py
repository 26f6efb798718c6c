"""A receiver and a gateway as processes, once for all tests of a module."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxy.cli.demo.config import ROUTES, config
from proxy.cli.demo.site import Site
from proxy.tls.keys import make_ed25519, public_pem
from tests.pki import write

FILES = """
  - name: files
    listener: ingest
    match: {path: /files/**}
    allow: [{spiffe: spiffe://lockgate.example/client}]
    upstream: receiver
    request: {content: [opaque], label: internal}
    response: {content: [json], label: internal}
    limits: {body: 1MiB}
"""
ONCE = """
  - name: once
    listener: ingest
    match: {path: /once/**}
    allow: [{spiffe: spiffe://lockgate.example/client}]
    upstream: receiver
    request: {content: [opaque], label: internal}
    response: {content: [json], label: internal}
    replay: {require: transfer-id, window: 5m}
    integrity: {require: content-digest}
"""


@contextmanager
def gateway(folder: Path, routes: str = "", port: int = 0) -> Iterator[Site]:
    """The site with both of them running, and a receipt key that is not theirs. `port` is where the
    gateway listens, any by default."""
    site = Site(folder)
    write(folder / "certs")
    (folder / "certs" / "other.pub").write_bytes(public_pem(make_ed25519()))
    with site.guarded():
        site.start_receiver()
        said = config(site.receiver, ROUTES + FILES + routes)
        site.start_gateway(said.replace("127.0.0.1:0", f"127.0.0.1:{port}", 1))
        yield site
