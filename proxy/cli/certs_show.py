"""`lockgate certs inspect` and `pin`: what a certificate or key says. Key material is not shown."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from proxy.cli import certs_live
from proxy.cli.wording import count, texts
from proxy.errors import CredentialError, TlsFailure
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import (
    UNREADABLE,
    describe_authority,
    format_pin,
    identify,
    is_authority,
    printable,
    read_pins,
)
from proxy.tls.revocation import read_crls

Said = dict[str, Any]

_USAGES = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
}


def register(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `inspect` and `pin` to the commands of `certs`."""
    inspect = actions.add_parser(
        "inspect",
        help="show certificates, of files or of a server; key material is never shown",
        **texts(
            "Show who the certificates in each FILE are for, how long, and their pins; of CRLs "
            "and public keys what there is to say. Key material is never shown. HOST:PORT is a "
            "server: what it negotiates and presents, whoever it is, and with --trust whether a "
            "handshake of Lockgate would believe it.",
            "lockgate certs inspect certs/gateway.pem certs/ca.pem",
            "lockgate certs inspect localhost:8443 --trust certs/ca.pem --json",
        ),
    )
    inspect.add_argument("files", nargs="+", metavar="FILE", help="or HOST:PORT")
    inspect.add_argument("--json", action="store_true", help="one line for each, for programs")
    for option, what in (
        ("--trust", "the authorities by which a server is judged, PEM"),
        ("--cert", "shown to a server: a certificate, PEM"),
        ("--key", "its key, PEM"),
    ):
        inspect.add_argument(option, type=Path, metavar="FILE", help=what)
    inspect.add_argument("--server-name", metavar="NAME", help="asked of a server; HOST if not")
    inspect.set_defaults(run=run_inspect)
    pin = actions.add_parser(
        "pin",
        help="print the pin of each certificate or public key",
        **texts(
            "Print the pin (sha256:…) of each certificate or public key in FILE, as a "
            "configuration and `lockgate send --pin` take it.",
            "lockgate certs pin certs/gateway.pem",
        ),
    )
    pin.add_argument("file", type=Path, metavar="FILE")
    pin.set_defaults(run=run_pin)


def run_inspect(arguments: argparse.Namespace) -> int:
    """Describe every file and server; 1 when one of them cannot be described."""
    return max(_tell(each, partial(_inspect, arguments)) for each in arguments.files)


def run_pin(arguments: argparse.Namespace) -> int:
    """Print the pin of every key in the file, one a line; 1 when there is none."""
    return _tell(str(arguments.file), lambda path: iter(read_pins(Path(path).read_bytes())))


def _tell(path: str, lines: Callable[[str], Iterator[str]]) -> int:
    try:
        for line in lines(path):
            print(line)
    except OSError as error:
        sys.stderr.write(f"{error.filename or path}: {error.strerror or error}\n")
        return 1
    except (CredentialError, TlsFailure) as error:
        sys.stderr.write(f"{path}: {error}\n")
        return 1
    return 0


def _inspect(arguments: argparse.Namespace, text: str) -> Iterator[str]:
    server = certs_live.place(text, arguments)
    if server is not None:
        seen, said = certs_live.look(server)
        certificates = [_said(each) for each in seen.chain]
    else:
        said, certificates = _of_file(text, Path(text).read_bytes())
    if arguments.json:
        yield json.dumps(said | {"certificates": certificates})
        return
    yield text
    yield from certs_live.lines(said) if server is not None else _lines(said)
    for each in certificates:
        yield from _certificate_lines(each)


def _of_file(path: str, content: bytes) -> tuple[Said, list[Said]]:
    """What a file is, and the certificates in it."""
    said: Said = {"file": path}
    if b"PRIVATE KEY-----" in content:
        return said | {"private_key": True}, []
    if b"-----BEGIN PUBLIC KEY-----" in content:
        return said | {"public_key": read_pins(content)[0]}, []
    if b"-----BEGIN X509 CRL-----" in content:
        return said | {"crls": [_said_of_list(crl) for crl in read_crls(content)]}, []
    return said, [_said(each) for each in parse_chain(content)]


def _said_of_list(crl: x509.CertificateRevocationList) -> Said:
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return {
        "issuer": printable(crl.issuer),
        "number": number,
        "revoked": [f"{each.serial_number:x}" for each in crl],
        "not_before": _moment(crl.last_update_utc),
        "next_update": _moment(crl.next_update_utc),
    }


def _said(parsed: x509.Certificate) -> Said:
    certificate = describe_authority(parsed) if _is_authority(parsed) else identify(parsed)
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": f"{certificate.serial:x}",
        "names": list(certificate.sans),
        "not_before": _moment(certificate.not_before),
        "not_after": _moment(certificate.not_after),
        "usages": _usages(parsed),
        "sha256": certificate.sha256.hex(),
        "pin": format_pin(certificate.spki_sha256),
    }


def _lines(said: Said) -> Iterator[str]:
    if "private_key" in said:
        yield "  a private key, which is not shown"
    if "public_key" in said:
        yield f"  public key  {said['public_key']}"
    for crl in said.get("crls", ()):
        yield f"  CRL of      {crl['issuer']!r}"
        yield f"  number      {crl['number']}"
        yield f"  revokes     {count(len(crl['revoked']), 'certificate')}"
        yield f"  valid       {_period(crl['not_before'], crl['next_update'])}"


def _certificate_lines(said: Said) -> Iterator[str]:
    for key in ("subject", "issuer", "serial"):
        yield f"  {key:<10}  {said[key]}"
    for name in said["names"]:
        yield f"  name        {name}"
    yield f"  valid       {_period(said['not_before'], said['not_after'])}"
    usages = ", ".join(said["usages"]) or "none written: no peer will be let in with this"
    yield f"  usages      {usages}"
    yield f"  sha256      {said['sha256']}"
    yield f"  pin         {said['pin']}"


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _period(begin: str, end: str) -> str:
    left = datetime.strptime(end, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) - datetime.now(UTC)
    state = "EXPIRED" if left.total_seconds() < 0 else f"{count(left.days, 'day')} left"
    return f"{begin[:16].replace('T', ' ')}Z to {end[:16].replace('T', ' ')}Z ({state})"


def _is_authority(parsed: x509.Certificate) -> bool:
    try:
        return is_authority(parsed)
    except UNREADABLE:
        raise CredentialError("a part of a certificate does not parse") from None


def _usages(parsed: x509.Certificate) -> list[str]:
    """`authority`, or the extended key usages; empty where none are written."""
    if is_authority(parsed):
        return ["authority"]
    try:
        extended = parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    return [_USAGES.get(usage, usage.dotted_string) for usage in extended]
