"""Peers whose handshake has to fail: certificates for each reason, and how to knock at a door."""

import socket
import ssl
import struct
from datetime import UTC, datetime
from pathlib import Path

from proxy.tls.credentials import parse_chain
from proxy.tls.identity import printable, read_pins
from proxy.tls.pki import BOTH, Names, issue, make_authority
from tests.patience import PATIENCE
from tests.pki import make_crl
from tests.scenarios.client import secured
from tests.scenarios.gateway import Line
from tests.scenarios.parties import DAY, LONG_AGO, authority_of, put
from tests.tls.paths import leaf, rsa_key

TWO_IDS = Names(
    uris=("spiffe://lockgate.example/one", "spiffe://lockgate.example/two"),
    dns=("receiver.lockgate.example", "localhost"),
)
OTHER = Names(
    uris=("spiffe://lockgate.example/other",), dns=("receiver.lockgate.example", "localhost")
)


def make_doomed(folder: Path) -> Path:
    """`NAME-peer` for each kind of certificate that is refused, on either side, and CRLs."""
    authority = authority_of(folder)
    foreign = make_authority("Another CA")
    below = make_authority("Expired CA", issuer=authority, not_before=LONG_AGO, lifetime=DAY)
    far_below = make_authority("Below Another CA", issuer=foreign)
    revoked = issue(authority, "receiver")
    wrong_names = Names(dns=("elsewhere.example",))
    weak = leaf(authority, names=["receiver.lockgate.example", "localhost"], key=rsa_key(1024))
    tomorrow = datetime.now(UTC) + DAY
    for name, credentials in {
        "foreign": issue(foreign, "receiver"),
        "expired": issue(authority, "receiver", not_before=LONG_AGO, lifetime=DAY),
        "below-expired": issue(below, "receiver"),
        "below-foreign": issue(far_below, "receiver"),
        "young": issue(authority, "receiver", not_before=tomorrow),
        "revoked": revoked,
        "useless": issue(authority, "receiver", usages=None),
        "weak": weak,
        "misnamed": issue(authority, "receiver", usages=BOTH, names=wrong_names),
        "unexpected": issue(authority, "other", names=OTHER),
        "two-ids": issue(authority, "receiver", names=TWO_IDS),
        "good": issue(authority, "receiver"),
    }.items():
        put(folder, f"{name}-peer", credentials)
    (folder / "fresh.crl").write_bytes(make_crl(authority, [revoked]))
    stale = datetime.now(UTC) - 2 * DAY
    (folder / "stale.crl").write_bytes(make_crl(authority, this_update=stale, lifetime=DAY))
    (folder / "another-ca.pem").write_bytes(foreign.pem)
    return folder


def of_whom(folder: Path, name: str) -> dict[str, str]:
    """What the log says of the certificate of a party."""
    pem = (folder / f"{name}.pem").read_bytes()
    certificate = parse_chain(pem)[0]
    return {
        "subject": printable(certificate.subject),
        "serial": f"{certificate.serial_number:x}",
        "pin": read_pins(pem)[0],
    }


def presented(line: Line) -> dict[str, str]:
    """What a line of the log says of the certificate that was presented."""
    return {key: line[key] for key in ("subject", "serial", "pin") if key in line}


def alert_of(address: tuple[str, int], context: ssl.SSLContext) -> str:
    """Shake hands and say nothing: the alert that ends it; empty for an end without one."""
    with socket.create_connection(address, timeout=PATIENCE) as plain:
        try:
            with secured(context, plain, "localhost") as sock:
                return sock.recv(1).decode()
        except ssl.SSLEOFError:
            return ""
        except ssl.SSLError as error:
            return error.reason or str(error)  # the alert of ALPN has no symbol there


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
