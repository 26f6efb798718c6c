"""`lockgate certs issue`, `renew`, `rotate`: pairs of a small authority, each replaced as one."""

import argparse
import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from pydantic import TypeAdapter, ValidationError

from proxy.cli.certs_files import answering
from proxy.cli.certs_store import Store, opened
from proxy.cli.wording import texts, typed
from proxy.errors import CredentialError, TlsFailure
from proxy.settings.values import Duration
from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.identity import format_pin, identify, require_one_spiffe_id
from proxy.tls.keys import Algorithm
from proxy.tls.names import labels
from proxy.tls.path import examine_in_place
from proxy.tls.pki import BOTH, CLIENT, SERVER, SKEW, Names, issue

_USAGES: Final = {"client": CLIENT, "server": SERVER, "both": BOTH}
_ALGORITHMS: Final[tuple[Algorithm, ...]] = ("p256", "p384", "ed25519", "rsa2048")
_LIFETIME: Final = timedelta(days=30)
_DURATION: Final[TypeAdapter[float]] = TypeAdapter(Duration)


def register(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `issue`, `renew` and `rotate` to the commands of `certs`."""
    _register_issue(actions)
    renew = actions.add_parser(
        "renew",
        help="replace a certificate and its key by new ones for the same names",
        **texts(
            "Issue NAME anew from the authority in DIR: a new key, the same names, usages and "
            "lifetime. NAME.key and NAME.pem are replaced as one pair. Where peers pin the key, "
            "use `rotate`.",
            "lockgate certs renew ca gateway",
        ),
    )
    _add_place(renew)
    _add_lifetime(renew, None)
    renew.set_defaults(run=run_renew)
    rotate = actions.add_parser(
        "rotate",
        help="renew in two steps, for peers that pin the key",
        **texts(
            "First make the new pair as NAME.next.key and NAME.next.pem, and say which pin is to "
            "stand beside the old one, at every peer that pins this key. With --finish put the new "
            "pair into place, and say which pin may go.",
            "lockgate certs rotate ca gateway",
            "lockgate certs rotate ca gateway --finish",
        ),
    )
    _add_place(rotate)
    _add_lifetime(rotate, None)
    rotate.add_argument("--finish", action="store_true", help="put the new pair into place")
    rotate.set_defaults(run=run_rotate)


def _register_issue(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    issued = actions.add_parser(
        "issue",
        help="issue a certificate, with a key of its own",
        **texts(
            "Issue a certificate for NAME from the authority in DIR, with a new key, as NAME.pem "
            "and NAME.key beside it. It needs one name that peers know it by.",
            "lockgate certs issue ca client --spiffe spiffe://acme.example/client --usage client",
            "lockgate certs issue ca gateway --dns gateway.acme.example --ip 10.0.0.7",
        ),
    )
    _add_place(issued)
    issued.add_argument("--spiffe", metavar="URI", help="its SPIFFE ID: spiffe://DOMAIN/PATH")
    issued.add_argument("--dns", action="append", default=[], metavar="NAME", help="a DNS name")
    issued.add_argument("--ip", action="append", default=[], metavar="ADDRESS", help="an address")
    issued.add_argument("--usage", choices=tuple(_USAGES), default="both", help="both if not given")
    issued.add_argument(
        "--algorithm", choices=_ALGORITHMS, default="p256", help="of its key; p256 if not given"
    )
    _add_lifetime(issued, _LIFETIME)
    issued.set_defaults(run=run_issue)


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="of the authority")
    parser.add_argument("name", metavar="NAME", help="of the files: NAME.pem, NAME.key")


def _add_lifetime(parser: argparse.ArgumentParser, default: timedelta | None) -> None:
    parser.add_argument(
        "--lifetime",
        type=lifetime,
        default=default,
        metavar="TIME",
        help=f"such as 12h or 90d; {f'{default.days}d' if default else 'as before'} if not given",
    )


def lifetime(text: str) -> timedelta:
    """`30d` -> a timedelta; for argparse."""
    try:
        return timedelta(seconds=_DURATION.validate_python(text))
    except ValidationError:
        raise argparse.ArgumentTypeError("expected a duration such as 12h or 30d") from None


# --- commands ------------------------------------------------------------------------------------


@answering
def run_issue(arguments: argparse.Namespace) -> int:
    """Issue for the first time. Refuses to replace what is there."""
    with opened(arguments.directory) as store:
        name = arguments.name
        store.require_idle(name)
        for kind in ("pem", "key"):
            if store.path(name, kind).exists():
                raise CredentialError(f"{store.path(name, kind)} is there; `certs renew` replaces")
        names = _names(arguments.spiffe, arguments.dns, arguments.ip)
        usages = _USAGES[arguments.usage]
        pair = _issue(store, name, names, usages, arguments.lifetime, arguments.algorithm)
        store.prepare(name, pair)
        store.finish(name)
        _tell(store, name, "issued", pair)
    return 0


@answering
def run_renew(arguments: argparse.Namespace) -> int:
    """The same again, with a new key."""
    with opened(arguments.directory) as store:
        store.require_idle(arguments.name)
        pair = _again(store, arguments.name, arguments.lifetime)
        store.prepare(arguments.name, pair)
        store.finish(arguments.name)
        _tell(store, arguments.name, "renewed", pair)
    return 0


@answering
def run_rotate(arguments: argparse.Namespace) -> int:
    """One of the two steps, with the pins that peers have to know before and after."""
    name = arguments.name
    with opened(arguments.directory) as store:
        if arguments.finish:
            _finish(store, name)
            return 0
        store.require_idle(name)
        old, new = store.pair(name), _again(store, name, arguments.lifetime)
        store.prepare(name, new)
        print(f"{store.path(name, 'next.pem')}: the next certificate of {name}, not in use yet")
        print("\nWherever the key of the old one is pinned, have both, the newest first:\n")
        print(f'    pins: ["{_pin(new)}",\n           "{_pin(old)}"]\n')
        print("When every peer has both, put the new pair into place:\n")
        print("   ", typed(["lockgate", "certs", "rotate", str(store.folder), name, "--finish"]))
    return 0


def _finish(store: Store, name: str) -> None:
    replaced = store.path(name, "pem")
    before = parse_chain(replaced.read_bytes())[0] if replaced.exists() else None
    store.finish(name)
    pair = store.pair(name)
    _tell(store, name, "in place", pair)
    if before is None:
        return  # of an `issue` that was cut short
    print("\nWhen no peer presents the old key any more (`lockgate_pinned_transfers_total`, and")
    print("`pins` in /status), take its pin out of every configuration:\n")
    print(f"    {format_pin(identify(before).spki_sha256)}\n")
    print("and revoke its certificate, if the key may be in other hands:\n")
    serial = f"{before.serial_number:x}"
    print("   ", typed(["lockgate", "certs", "revoke", str(store.folder), serial]))


# --- pairs ---------------------------------------------------------------------------------------


def _issue(
    store: Store,
    name: str,
    names: Names,
    usages: tuple[x509.ObjectIdentifier, ...],
    life: timedelta,
    algorithm: Algorithm,
) -> Credentials:
    """Raises `CredentialError` where it would outlive the authority, or be let in by nobody."""
    end = store.authority.certificate.not_valid_after_utc
    if datetime.now(UTC) - SKEW + life > end:
        raise CredentialError(
            f"that is longer than the authority itself, which ends on {end:%Y-%m-%d}"
        )
    pair = issue(
        store.authority, name, usages=usages, names=names, lifetime=life, algorithm=algorithm,
        organization=None,
    )  # fmt: skip
    leaf = parse_chain(pair.certificate)[0]
    try:
        for usage in usages:
            examine_in_place(leaf, 0, leaf.not_valid_before_utc, usage)
    except TlsFailure as failure:
        raise CredentialError(f"every handshake would refuse it: {failure}") from None
    return pair


def _again(store: Store, name: str, life: timedelta | None) -> Credentials:
    """A new pair for what the one that is there is for."""
    (leaf, *_) = parse_chain(store.pair(name).certificate)
    if leaf.issuer != store.authority.certificate.subject:
        raise CredentialError(f"{store.path(name, 'pem')} is not of this authority")
    who = identify(leaf)
    usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    common = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    subject = str(common[0].value) if common else name
    names = Names(who.uris, who.dns, who.ips)
    life = life or who.not_after - who.not_before
    return _issue(store, subject, names, tuple(usages), life, _algorithm(leaf))


def _algorithm(leaf: x509.Certificate) -> Algorithm:
    key = leaf.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "p384" if key.curve.name == "secp384r1" else "p256"
    if isinstance(key, rsa.RSAPublicKey):
        return "rsa2048"
    return "ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "p256"


def _names(spiffe: str | None, dns: list[str], ips: list[str]) -> Names:
    if not (spiffe or dns or ips):
        raise CredentialError("it needs a name: --spiffe, --dns or --ip")
    if spiffe is not None and require_one_spiffe_id((spiffe,)) is None:
        raise CredentialError(f"{spiffe!r} is no SPIFFE ID")
    for name in dns:
        try:
            labels(name.removeprefix("*."))
        except ValueError as error:
            raise CredentialError(f"{name!r} is no DNS name: {error}") from None
    for address in ips:
        _require_address(address)
    return Names((spiffe,) if spiffe else (), tuple(dns), tuple(ips))


def _require_address(text: str) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise CredentialError(f"{text!r} is no address") from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise CredentialError(f"{text!r} is an address of one machine's network alone")
        if address.ipv4_mapped is not None:
            raise CredentialError(f"{text!r}: write it as IPv4, {address.ipv4_mapped}")


def _pin(pair: Credentials) -> str:
    return format_pin(identify(parse_chain(pair.certificate)[0]).spki_sha256)


def _tell(store: Store, name: str, what: str, pair: Credentials) -> None:
    leaf = identify(parse_chain(pair.certificate)[0])
    print(f"{store.path(name, 'pem')}: {what}, with {store.path(name, 'key').name}")
    print(f"  names       {', '.join(leaf.sans)}")
    print(f"  until       {leaf.not_after:%Y-%m-%d %H:%M}Z")
    print(f"  serial      {leaf.serial:x}")
    print(f"  pin         {format_pin(leaf.spki_sha256)}")
