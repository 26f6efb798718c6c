"""`lockgate certs verify`: what a handshake would say of a certificate, without a connection."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from proxy.cli.wording import texts
from proxy.errors import CredentialError, TlsFailure
from proxy.tls.context import read_trust
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import describe_authority, format_pin, identify, printable
from proxy.tls.offline import CLIENT, SERVER, verify_path
from proxy.tls.revocation import read_crls

_USAGES = {"client": CLIENT, "server": SERVER}


def register(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `verify` to the commands of `certs`."""
    verify = actions.add_parser(
        "verify",
        help="would a handshake accept this certificate, and why not",
        **texts(
            "Judge the certificates in CHAIN, leaf first, as a handshake would: path, validity, "
            "keys, usages, constraints, revocation, names. Prints the path, or the reason as "
            "log and metrics have it. Exit code 0: accepted; 1: refused.",
            "lockgate certs verify --trust certs/ca.pem certs/client.pem",
            "lockgate certs verify --trust certs/ca.pem --name localhost certs/gateway.pem",
        ),
    )
    verify.add_argument("chain", type=Path, metavar="CHAIN", help="PEM, the leaf first")
    verify.add_argument(
        "--trust", type=Path, required=True, metavar="BUNDLE", help="the authorities, PEM"
    )
    verify.add_argument(
        "--crl",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="revocation lists, PEM or DER; may be given again",
    )
    verify.add_argument(
        "--usage",
        choices=tuple(_USAGES),
        help="what it is to be; server with --name, client without, unless given",
    )
    verify.add_argument("--name", help="the DNS name or address that it has to have")
    verify.add_argument(
        "--at", type=_moment, metavar="TIME", help="when, as 2026-07-01T12:00:00Z; now unless given"
    )
    verify.add_argument("--json", action="store_true", help="one line for programs")
    verify.set_defaults(run=run_verify)


def run_verify(arguments: argparse.Namespace) -> int:
    """Print the answer; 0 for a certificate that a handshake would accept, 1 for all else."""
    try:
        trust = read_trust(arguments.trust.read_bytes())
        crls = [crl for path in arguments.crl for crl in read_crls(path.read_bytes())]
        pem = arguments.chain.read_bytes()
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return 1
    except CredentialError as error:
        sys.stderr.write(f"the trust bundle or a revocation list cannot be used: {error}\n")
        return 1
    try:
        path = _verify(arguments, pem, trust, crls)
    except TlsFailure as failure:
        print(_refusal(failure, as_json=arguments.json))
        return 1
    print(_acceptance(path, as_json=arguments.json))
    return 0


def _verify(
    arguments: argparse.Namespace,
    pem: bytes,
    trust: Sequence[x509.Certificate],
    crls: Sequence[x509.CertificateRevocationList],
) -> list[x509.Certificate]:
    try:
        leaf, *others = parse_chain(pem)
    except CredentialError as error:
        raise TlsFailure("untrusted", str(error)) from None
    usage = arguments.usage or ("server" if arguments.name else "client")
    return verify_path(
        leaf,
        others,
        trust,
        usage=_USAGES[usage],
        at=arguments.at,
        name=arguments.name,
        crls=crls,
    )


def _refusal(failure: TlsFailure, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(
            {"accepted": False, "reason": failure.reason, "detail": failure.detail, "path": []}
        )
    return f"refused: {failure.reason}: {failure.detail}"


def _acceptance(path: Sequence[x509.Certificate], *, as_json: bool) -> str:
    if as_json:
        described = [_described(each, above=depth > 0) for depth, each in enumerate(path)]
        return json.dumps({"accepted": True, "reason": None, "detail": None, "path": described})
    lines = [
        f"  {printable(each.subject)}, until {each.not_valid_after_utc:%Y-%m-%d %H:%M}Z"
        for each in path
    ]
    return "\n".join(["accepted, by this path:", *lines])


def _described(certificate: x509.Certificate, *, above: bool) -> dict[str, Any]:
    known = describe_authority(certificate) if above else identify(certificate)
    return {
        "subject": known.subject,
        "serial": f"{known.serial:x}",
        "not_after": f"{known.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "sha256": known.sha256.hex(),
        "pin": format_pin(known.spki_sha256),
    }


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("not a time such as 2026-07-01T12:00:00Z") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
