"""`lockgate certs jwk`: keys that sign requests, as the JWKS that a gateway's `signers` reads."""

import argparse
import base64
import json
import secrets
import sys
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from proxy.cli.certs_files import answering, write_private
from proxy.cli.wording import texts
from proxy.errors import CredentialError
from proxy.tls.credentials import parse_chain
from proxy.wire.jwk import VerifyingKey, certificate_key, parse_jwks, public_key, to_jwk
from proxy.wire.signature_algorithms import ALGORITHMS, PrivateKey
from proxy.wire.signing_key import parse_signing_key

_SECRET: Final = 32
"""Octets of a new secret for HMAC."""
_CHOICES: Final = ", ".join(sorted(ALGORITHMS))


def register(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `jwk` to the commands of `certs`."""
    jwk = actions.add_parser(
        "jwk",
        help="print the public keys that verify signed requests, as a JWKS",
        **texts(
            "Print the public key of each FILE (a certificate, a key in PEM, a JWK or JWKS) as one "
            "JWKS, which `signers` of a configuration takes. Private parts are never printed. With "
            "--new make the private key first, in FILE, mode 0600, for `lockgate send --sign-key`; "
            "that of hmac-sha256 is a secret which both sides have, and nothing is printed.",
            "lockgate certs jwk etl.pem > keys/etl.jwks",
            "lockgate certs jwk --new ml-dsa-65 --kid etl-1 etl.key > keys/etl.jwks",
        ),
    )
    jwk.add_argument("files", nargs="+", type=Path, metavar="FILE")
    jwk.add_argument("--kid", metavar="NAME", help="name of the key; default: its thumbprint")
    jwk.add_argument("--new", choices=sorted(ALGORITHMS), metavar="ALGORITHM", help=_CHOICES)
    jwk.set_defaults(run=answering(run))


def run(arguments: argparse.Namespace) -> int:
    """Make what is to be made, and print the set; 1 when a file has no key for it."""
    if len(arguments.files) > 1 and (arguments.new or arguments.kid):
        sys.stderr.write("--new and --kid are for a single file\n")
        return 2
    if arguments.new:
        _make(arguments.files[0], arguments.new, arguments.kid)
        if arguments.new == "hmac-sha256":
            sys.stderr.write(f"{arguments.files[0]} is the secret: both sides have it\n")
            return 0
    keys = [key for path in arguments.files for key in _read(path)]
    jwks = {"keys": [_said(key, arguments.kid) for key in keys]}
    parse_jwks(json.dumps(jwks).encode())
    print(json.dumps(jwks, indent=2))
    return 0


def _said(key: VerifyingKey, kid: str | None) -> dict[str, str]:
    return {**to_jwk(key.public), "kid": kid or key.keyid}


def _read(path: Path) -> tuple[VerifyingKey, ...]:
    """The public keys in a file. Raises CredentialError and OSError."""
    data = path.read_bytes()
    try:
        keys = _parse(data)
    except CredentialError as error:
        raise CredentialError(f"{path}: {error}") from None
    if any(isinstance(key.public, bytes) for key in keys):
        raise CredentialError(f"{path}: a secret, which has no public part")
    return keys


def _parse(data: bytes) -> tuple[VerifyingKey, ...]:
    if b"-----BEGIN CERTIFICATE-----" in data:
        leaf: x509.Certificate = parse_chain(data)[0]
        key = certificate_key(leaf.public_bytes(Encoding.DER))
        if key is None:
            raise CredentialError("the key of this certificate cannot sign messages")
        return (key,)
    if b"-----BEGIN PUBLIC KEY-----" in data:
        try:
            return (public_key(load_pem_public_key(data)),)
        except (ValueError, UnsupportedAlgorithm):
            raise CredentialError("not a public key in PEM") from None
    try:
        return (parse_signing_key(data).verifying,)
    except CredentialError:
        if not data.lstrip().startswith(b"{"):
            raise
    return parse_jwks(data)


def _make(path: Path, algorithm: str, kid: str | None) -> None:
    if algorithm != "hmac-sha256":
        private = _new(algorithm)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, pem)
        return
    secret = base64.urlsafe_b64encode(secrets.token_bytes(_SECRET)).rstrip(b"=").decode()
    name = kid or secrets.token_urlsafe(9)
    write_private(path, json.dumps({"kty": "oct", "kid": name, "k": secret}).encode() + b"\n")


def _new(algorithm: str) -> PrivateKey:
    match algorithm:
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "ecdsa-p256-sha256":
            return ec.generate_private_key(ec.SECP256R1())
        case "rsa-pss-sha512":
            return rsa.generate_private_key(65537, 3072)
        case "ml-dsa-44":
            return mldsa.MLDSA44PrivateKey.generate()
        case "ml-dsa-65":
            return mldsa.MLDSA65PrivateKey.generate()
        case _:
            return mldsa.MLDSA87PrivateKey.generate()
