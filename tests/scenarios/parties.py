"""Everybody who takes part, honest and not: certificates and keys in one folder."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.cli.certs import make_folder, write_private, write_public
from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.identity import identify
from proxy.tls.pki import CLIENT, SERVER, Authority, Names, issue, make_authority

LONG_AGO = datetime.now(UTC) - timedelta(days=30)
DAY = timedelta(days=1)


def make_parties(folder: Path) -> Path:
    """`client`, `stranger`, `gateway`, `receiver`, and those that must be refused."""
    authority, foreign = make_folder(folder), make_authority("Foreign CA")
    elsewhere = Names(uris=("spiffe://lockgate.example/receiver",), dns=("elsewhere.example",))
    for name, credentials in {
        "stranger": issue(authority, "stranger", usages=CLIENT),
        "impostor": issue(foreign, "client", usages=CLIENT),
        "expired-client": issue(
            authority, "client", usages=CLIENT, not_before=LONG_AGO, lifetime=DAY
        ),
        "server-only-client": issue(authority, "client", usages=SERVER),
        "expired-receiver": issue(
            authority, "receiver", usages=SERVER, not_before=LONG_AGO, lifetime=DAY
        ),
        "client-only-receiver": issue(authority, "receiver", usages=CLIENT),
        "misnamed-receiver": issue(authority, "receiver", usages=SERVER, names=elsewhere),
        "other-receiver": issue(authority, "other", usages=SERVER),
        "foreign-receiver": issue(foreign, "receiver", usages=SERVER),
        "renewed-gateway": issue(authority, "gateway"),
        "renewed-client": issue(authority, "client", usages=CLIENT),
    }.items():
        put(folder, name, credentials)
    return folder


def authority_of(folder: Path) -> Authority:
    """The authority that everybody honest is under, to issue and revoke more."""
    (certificate,) = parse_chain((folder / "ca.pem").read_bytes())
    signer = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    return Authority(certificate, signer)


def put(folder: Path, name: str, credentials: Credentials) -> None:
    write_public(folder / f"{name}.pem", credentials.certificate, force=True)
    write_private(folder / f"{name}.key", credentials.key, force=True)


def pin(folder: Path, name: str) -> str:
    """The pin of a party's key, as a configuration writes it."""
    (leaf, *_) = parse_chain((folder / f"{name}.pem").read_bytes())
    return "sha256:" + base64.b64encode(identify(leaf).spki_sha256).decode()
