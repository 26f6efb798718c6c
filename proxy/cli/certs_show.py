"""`lockgate certs inspect` and `pin`: what a certificate or key says. Key material is not shown."""

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from proxy.cli.wording import count
from proxy.errors import CredentialError, TlsFailure
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import format_pin, identify, read_pins
from proxy.tls.revocation import read_crls

_USAGES = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
}


def run_inspect(arguments: argparse.Namespace) -> int:
    """Describe every file; 1 when one of them cannot be described."""
    return max(_tell(path, _describe) for path in arguments.files)


def run_pin(arguments: argparse.Namespace) -> int:
    """Print the pin of every key in the file, one a line; 1 when there is none."""
    return _tell(arguments.file, lambda _, content: iter(read_pins(content)))


def _tell(path: Path, lines: Callable[[Path, bytes], Iterator[str]]) -> int:
    try:
        for line in lines(path, path.read_bytes()):
            print(line)
    except OSError as error:
        sys.stderr.write(f"{path}: {error.strerror}\n")
        return 1
    except (CredentialError, TlsFailure) as error:
        sys.stderr.write(f"{path}: {error}\n")
        return 1
    return 0


def _describe(path: Path, content: bytes) -> Iterator[str]:
    yield f"{path}"
    if b"PRIVATE KEY-----" in content:
        yield "  a private key, which is not shown"
    elif b"-----BEGIN PUBLIC KEY-----" in content:
        yield f"  public key  {read_pins(content)[0]}"
    elif b"-----BEGIN X509 CRL-----" in content:
        for crl in read_crls(content):
            yield f"  CRL of      {crl.issuer.rfc4514_string()!r}"
            yield f"  revokes     {count(len(crl), 'certificate')}"
            yield f"  valid       {_period(crl.last_update_utc, crl.next_update_utc)}"
    else:
        for certificate in parse_chain(content):
            yield from _describe_certificate(certificate)


def _describe_certificate(parsed: x509.Certificate) -> Iterator[str]:
    certificate = identify(parsed)
    yield f"  subject     {certificate.subject}"
    yield f"  issuer      {certificate.issuer}"
    yield f"  serial      {certificate.serial:x}"
    for name in certificate.sans:
        yield f"  name        {name}"
    yield f"  valid       {_period(certificate.not_before, certificate.not_after)}"
    yield f"  usages      {_usages(parsed)}"
    yield f"  sha256      {certificate.sha256.hex()}"
    yield f"  pin         {format_pin(certificate.spki_sha256)}"


def _period(begin: datetime, end: datetime | None) -> str:
    if end is None:
        return f"from {begin:%Y-%m-%d %H:%M}Z"
    left = end - datetime.now(UTC)
    state = "EXPIRED" if left.total_seconds() < 0 else f"{count(left.days, 'day')} left"
    return f"{begin:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z ({state})"


def _usages(parsed: x509.Certificate) -> str:
    try:
        constraints = parsed.extensions.get_extension_for_class(x509.BasicConstraints)
        if constraints.value.ca:
            return "authority"
    except x509.ExtensionNotFound:
        pass
    try:
        extended = parsed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return "none written: no peer will be let in with this"
    return ", ".join(_USAGES.get(usage, usage.dotted_string) for usage in extended)
