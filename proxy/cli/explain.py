"""`lockgate explain`: would this pass, and which rule decides; by the code that decides."""

import argparse
import base64
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson

from proxy.cli import explain_receipts
from proxy.cli.as_written import demands, raw
from proxy.cli.explain_answer import Answer, show, told
from proxy.cli.explain_stops import Said, Stops, require_meant, require_way
from proxy.cli.wording import texts
from proxy.errors import CredentialError, Refusal, TlsFailure
from proxy.model import FOREVER, Certificate, Peer
from proxy.policy.authorize import Granted, Grants
from proxy.policy.entries import Facts, Looked
from proxy.policy.paths import require_normal, split
from proxy.policy.routes import Routes
from proxy.settings.address import parse_bind
from proxy.settings.load import load
from proxy.settings.schema import Settings
from proxy.settings.times import parse_moment
from proxy.settings.values import PIN
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import identify

_CHANGES = 2000
"""Of a clock, after which nobody looks for an end: years, where hours are given."""
_FORMATS = ("json", "ndjson", "csv", "tsv", "form", "text", "opaque", "none")


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `explain`."""
    explain = commands.add_parser(
        "explain",
        help="would a peer pass, and which rule decides",
        **texts(
            "Say what the routes and grants of CONFIG decide, and whether each key of each entry "
            "holds. Nothing but CONFIG and PEM is opened: the peer is taken for who it says, so "
            "that chain, revocation and the trust of a route are not asked. Exit code 0: allowed, "
            "as far as is known; 1: refused; 2: CONFIG cannot be used. With --receipts: every "
            "transfer of a log whose verdict CONFIG would change, and why; 1 where there is one.",
            "lockgate explain config/gateway.yaml --listener ingest --cert certs/client.pem \\\n"
            "    --method POST --path /orders/1",
            "lockgate explain config/gateway.yaml --listener ingest --method POST \\\n"
            "    --path /orders/1 --spiffe spiffe://acme/etl/a --content json --at 2027-01-01",
            "lockgate explain new.yaml --receipts var/receipts --since 30d --was gateway.yaml",
        ),
    )
    explain.add_argument("config", type=Path, metavar="CONFIG")
    explain.add_argument("--listener", metavar="L", help="where it comes in; CONFIG's only one")
    _register_peer(explain)
    explain.add_argument("--method", metavar="M", help="of the request; not of a tunnel")
    explain.add_argument("--path", metavar="P", help="of the request; not of a tunnel")
    explain.add_argument("--sni", metavar="NAME", help="that a tunnel asks for")
    explain.add_argument("--at", type=_moment, metavar="TIME", help="in UTC; now if omitted")
    explain.add_argument("--content", choices=_FORMATS, help="of the request; `none` has none")
    explain.add_argument(
        "--label", help="of the content, by the header that the route asks or by a finding"
    )
    explain.add_argument("--size", type=int, metavar="N", help="octets of the content")
    explain.add_argument("--json", action="store_true", help="as one JSON object")
    explain_receipts.add_arguments(explain)
    explain.set_defaults(run=run, unusable=2)


def _register_peer(explain: argparse.ArgumentParser) -> None:
    peer = explain.add_argument_group("the peer, by its certificate or by what stands in it")
    peer.add_argument("--cert", type=Path, metavar="PEM")
    for name in ("spiffe", "uri", "dns", "ip", "cn", "ou"):
        peer.add_argument(f"--{name}", metavar="NAME")
    peer.add_argument("--pin", type=_pin, metavar="PIN")
    peer.add_argument("--address", metavar="IP", help="where it connects from")
    peer.add_argument("--uid", type=int, metavar="N", help="on a unix socket")


def run(arguments: argparse.Namespace) -> int:
    """The explanation to standard output. Raises ConfigError."""
    try:
        replay = explain_receipts.asked(arguments)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if replay:
        return explain_receipts.run(arguments)
    loaded = load(arguments.config)
    settings = loaded.settings
    now = arguments.at or datetime.now(UTC)
    try:
        listener = _listener(settings, arguments)
        peer = _peer(arguments, now)
        require_meant(Said.of(arguments), settings)
    except OSError as error:
        sys.stderr.write(f"{arguments.cert}: {error.strerror or error}\n")
        return 2
    except (ValueError, CredentialError, TlsFailure) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    answer = Answer()
    try:
        granted = _decide(settings, listener, peer, now, arguments, answer)
        answer.allowed, answer.rule = True, granted.rule
        answer.depends_on += _open(granted, answer.entries)
        if any(_hangs_on_address(each, "deny") for each in answer.entries):
            answer.depends_on.append("networks")
        answer.demands += next(
            demands(route) for route in raw(loaded)["routes"] if route["name"] == answer.route
        )
    except Refusal as refusal:
        answer.code, answer.reason = refusal.code, refusal.reason
        if refusal.code == "not-allowed" and _lacks_address(answer.entries):
            answer.reason += ", as far as is known without --address"
    if arguments.json:
        sys.stdout.write(orjson.dumps(told(answer), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        show(answer)
    return 0 if answer.allowed else 1


def _decide(
    settings: Settings,
    listener: str,
    peer: Peer,
    now: datetime,
    arguments: argparse.Namespace,
    answer: Answer,
) -> Granted:
    """Raises Refusal at the first stop that refuses, with what was looked at in `answer`."""
    pins = settings.listeners[listener].tls.pins
    if pins is not None and (peer.certificate is None or peer.certificate.pin not in pins):
        raise Refusal("not-allowed", f"the key of the peer is none of pins of listener {listener}")
    if peer.expired(now) or (peer.certificate and now < peer.certificate.not_before):
        raise Refusal("certificate-expired", "the certificate is not valid at this time")
    routes, facts = Routes(settings), Facts(peer, now)
    if settings.listeners[listener].protocol == "tcp":
        route = routes.find_tunnel(listener, arguments.sni)
    else:
        require_normal(arguments.path)
        answer.routes = list(routes.trace(listener, arguments.method, arguments.path))
        route = routes.find(listener, arguments.method, arguments.path)
        facts.method, facts.path = arguments.method, split(arguments.path)
    answer.route = route.name
    grants, said = Grants(route, settings.sensitivity), Said.of(arguments)
    stops = None if route.match.path is None else Stops(settings, route, said)
    answer.entries = list(grants.trace(facts if stops is None else stops.facts(facts)))
    if arguments.address is None and not parse_bind(settings.listeners[listener].bind).is_unix:
        answer.entries = [_from_somewhere(each) for each in answer.entries]
    if route.trust is not None:
        answer.depends_on.append("trust of the route")
    metered = [key for key in ("rate", "volume") if getattr(route.limits, key) is not None]
    answer.depends_on += [f"limits.{key}" for key in metered]
    try:
        granted = grants.judge(facts)
        if stops is None:
            require_way(settings, route)
        else:
            stops.require(granted, arguments.method)
            answer.demands = tuple(stops.left())
        answer.until = _end(grants, granted)
        return granted
    finally:
        answer.would = sorted(facts.would)


def _end(grants: Grants, granted: Granted) -> datetime | None:
    """When, by its clock, it is no longer granted by this entry; None where no end is in sight.

    What changes at a bound of some hours or at midnight may well be followed by the same.
    """
    rule = granted.rule
    for _ in range(_CHANGES):
        until = granted.until
        if until == FOREVER:
            return None
        try:
            granted = grants.judge(replace(granted.facts, now=until, would=set()))
        except Refusal:
            return until
        if granted.rule != rule:
            return until
    return None


def _from_somewhere(looked: Looked) -> Looked:
    """Whoever connects has an address; where it was not said, nobody knows whether it is among
    `networks`."""
    keys = tuple((key, None if key == "networks" else held) for key, held in looked.keys)
    held = [held for _, held in keys]
    return looked._replace(
        holds=False if False in held else None if None in held else True, keys=keys
    )


def _lacks_address(entries: list[Looked]) -> bool:
    """With one it might be allowed: nothing denies it, and an entry of `allow` hangs on that."""
    denies = [each for each in entries if each.rule.startswith("deny") and not each.shadow]
    hangs = any(_hangs_on_address(each, "allow") for each in entries)
    return hangs and not any(each.holds for each in denies)


def _hangs_on_address(looked: Looked, kind: str) -> bool:
    """An address might make this entry, of `allow` or `deny`, decide."""
    mine = looked.rule.startswith(kind) and not looked.shadow
    return mine and looked.holds is None and ("networks", None) in looked.keys


def _open(granted: Granted, entries: list[Looked]) -> list[str]:
    """Keys that may still refuse it: those that are not known, of entries that may decide."""
    mine = {entry.name for entry in (*granted.allow[:1], *granted.deny)}
    keys = [key for each in entries if each.rule in mine for key, held in each.keys if held is None]
    return list(dict.fromkeys(keys))


# --- who and where -------------------------------------------------------------------------------


def _listener(settings: Settings, arguments: argparse.Namespace) -> str:
    """Raises ValueError where it is not said, or what is said does not go with it."""
    names = list(settings.listeners)
    name = arguments.listener or (names[0] if len(names) == 1 else None)
    if name not in names:
        raise ValueError(f"--listener: one of {', '.join(names)}")
    tunnel = settings.listeners[name].protocol == "tcp"
    if not tunnel and arguments.sni is not None:
        raise ValueError(f"listener {name} speaks HTTP: no --sni")
    given = [arguments.method is not None, arguments.path is not None]
    if tunnel and any(given):
        raise ValueError(f"listener {name} carries tunnels: no --method, no --path")
    if not tunnel and not all(given):
        raise ValueError(f"listener {name} speaks HTTP: give --method and --path")
    if arguments.path is not None and not arguments.path.startswith("/"):
        raise ValueError("--path: begins with /")
    return name


def _peer(arguments: argparse.Namespace, now: datetime) -> Peer:
    """Raises OSError, CredentialError, TlsFailure, and ValueError where too much is said."""
    names = [getattr(arguments, key) for key in ("spiffe", "uri", "dns", "ip", "cn", "ou", "pin")]
    certificate = None
    if arguments.cert is not None:
        if any(name is not None for name in names):
            raise ValueError("give --cert, or what stands in it, not both")
        certificate = identify(parse_chain(arguments.cert.read_bytes())[0])
    elif any(name is not None for name in names):
        certificate = _described(arguments, now)
    return Peer(arguments.address, arguments.uid, certificate)


def _described(arguments: argparse.Namespace, now: datetime) -> Certificate:
    def one(name: str | None) -> tuple[str, ...]:
        return () if name is None else (name,)

    return Certificate(
        der=b"", chain=(), sha256=b"", spki_sha256=arguments.pin or b"", subject="", issuer="",
        serial=0, not_before=now, not_after=now, spiffe=arguments.spiffe,
        uris=one(arguments.spiffe) + one(arguments.uri), dns=one(arguments.dns),
        ips=one(arguments.ip), common_names=one(arguments.cn), units=one(arguments.ou),
    )  # fmt: skip


def _moment(text: str) -> datetime:
    try:
        return parse_moment(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _pin(text: str) -> bytes:
    if re.fullmatch(PIN, text) is None:
        raise argparse.ArgumentTypeError("expected sha256:<base64 of 32 octets>")
    return base64.b64decode(text.partition(":")[2])
