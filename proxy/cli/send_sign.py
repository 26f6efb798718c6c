"""`lockgate send --sign`: with which key requests are signed, and what of them (RFC 9421)."""

import argparse
from pathlib import Path
from typing import Final

from proxy.cli.send_place import Place, UsageError
from proxy.client.signer import LASTS, TAG, Signer
from proxy.errors import CredentialError
from proxy.settings.address import parse_endpoint

FIELDS: Final = frozenset({"signature", "signature-input"})
"""What nobody else may write where we sign."""
Fields = list[tuple[bytes, bytes]]


def register_signing(group: "argparse._ArgumentGroup") -> None:
    """Add the options."""
    group.add_argument("--sign", action="store_true", help="sign each request with --key")
    group.add_argument("--sign-key", type=Path, metavar="FILE", help="or with this: PEM or JWK")
    group.add_argument("--sign-tag", metavar="TAG", help=f"what it is for; default: {TAG}")
    text = f"seconds in which all of it must have arrived; default: {LASTS}"
    group.add_argument("--sign-for", type=int, metavar="SECONDS", help=text)


def signer(arguments: argparse.Namespace, own: bytes | None) -> Signer | None:
    """Who signs, when it was asked for. Raises UsageError, and CredentialError for the key."""
    if not arguments.sign and arguments.sign_key is None:
        if arguments.sign_tag is not None or arguments.sign_for is not None:
            raise UsageError("--sign-tag and --sign-for are for --sign")
        return None
    if arguments.no_digest:
        raise UsageError("--sign covers the content by its digest; leave --no-digest out")
    tag, lasts = _said(arguments)
    if arguments.sign_key is not None:
        try:
            return Signer(arguments.sign_key, tag=tag, lasts=lasts)
        except OSError as error:
            raise UsageError(f"{arguments.sign_key}: {error.strerror}") from None
        except CredentialError as error:
            raise UsageError(f"{arguments.sign_key}: {error}") from None
    if own is None:
        raise UsageError("--sign needs --key, or --sign-key with another one")
    return Signer(own, tag=tag, lasts=lasts)


def _said(arguments: argparse.Namespace) -> tuple[str, int]:
    """What signatures are for, and for how many seconds. Raises UsageError."""
    tag = arguments.sign_tag or TAG
    lasts = LASTS if arguments.sign_for is None else arguments.sign_for
    if not tag.isascii() or not tag.isprintable():
        raise UsageError("--sign-tag: expected printable ASCII")
    if lasts < 1:
        raise UsageError("--sign-for: expected a number of seconds")
    return tag, lasts


def signature(signer: Signer, method: str, place: Place, target: str, fields: Fields) -> Fields:
    """The fields that a signature adds to these."""
    host = place.host or parse_endpoint(place.endpoint).authority
    scheme = place.origin.partition("://")[0]
    given = [(name.decode(), value.decode("latin-1")) for name, value in fields]
    made = signer.fields(method, f"{scheme}://{host}{target}", given)
    return [(name.encode(), value.encode()) for name, value in made]
