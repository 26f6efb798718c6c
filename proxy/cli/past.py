"""What a receipt says of a transfer that a policy can be asked about again.

    known       the peer by its SANs and its key, method, route, format, label, octets, findings
    not known   the path, which stands there under the sender's own key; CN and OU; the address of
                a peer with a certificate; on a unix socket, the user id of one

The line that the gateway, or the receiver, logged about the same transfer may add path and address:
`past_lines.py`.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson

from proxy.errors import EvidenceError
from proxy.model import Certificate, Peer, Verdict
from proxy.notary.search import Found

_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_NOT_ON_RECORD: Final = frozenset({"cn", "ou", "networks", "local"})
_OF_NAMES: Final = frozenset({"uri", "dns", "ip"})
_RULE: Final = re.compile(r"allow\[(0|[1-9][0-9]{0,8})\]")
TUNNEL: Final = "tunnel"


@dataclass(frozen=True, slots=True)
class Body:
    """A content as a receipt tells of it; None is what it does not tell."""

    empty: bool = False
    """There was none."""
    format: str | None = None
    label: str | None = None
    """The effective one."""
    size: int | None = None
    """Octets that came, or were announced."""
    findings: tuple[str, ...] = ()
    """Types."""


@dataclass(frozen=True, slots=True)
class Past:
    """One attempt, as its receipt tells of it."""

    index: int
    received: datetime
    completed: datetime
    transfer_id: str
    verdict: Verdict
    problem: str | None
    policy: str | None
    """SHA-256 of the configuration that judged it, in hexadecimal."""
    place: int | None
    """Of the entry of `allow` that admitted it; None where none did, or that is not told."""
    listener: str | None
    route: str | None
    method: str | None
    peer: Peer
    unknown: frozenset[str]
    """Keys of entries that ask for what is not known of the peer."""
    request: Body
    answer: Body | None
    shadow: frozenset[str] = frozenset()
    """Rules in shadow, of the configuration of then, that would have done something."""
    path: str | None = None

    @property
    def tunnel(self) -> bool:
        return self.method == TUNNEL


def past(found: Found, address: str | None = None, path: str | None = None) -> Past | None:
    """What an entry tells, with what a line of a log adds; None for an event. `EvidenceError`."""
    summary = found.summary
    if summary.verdict is None or summary.received is None:
        return None
    predicate = orjson.loads(found.payload)["predicate"]
    try:
        request, policy = predicate["request"], predicate["policy"]
        peer, unknown = _peer(predicate["sender"], address)
        return Past(
            index=found.index,
            received=summary.received,
            completed=summary.completed,
            transfer_id=summary.transfer_id,
            verdict=summary.verdict,
            problem=summary.problem,
            policy=policy["sha256"],
            place=_place(policy.get("rule")),
            listener=policy.get("listener"),
            route=request["route"],
            method=request["method"],
            peer=peer,
            unknown=unknown,
            request=_body(predicate["content"], request.get("contentLength")),
            answer=None if _unseen(predicate["answer"]) else _body(predicate["answer"], None),
            shadow=frozenset(_shadow(predicate["content"])).union(_shadow(predicate["answer"])),
            path=path,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise EvidenceError(
            f"entry {found.index}: this is not what a transfer receipt says"
        ) from None


def _place(rule: str | None) -> int | None:
    """3 for `allow[3]`. Raises ValueError and TypeError for what is no such rule."""
    if rule is None:
        return None
    found = _RULE.fullmatch(rule)
    if found is None:
        raise ValueError
    return int(found[1])


def _shadow(content: Mapping[str, Any] | None) -> Mapping[str, Any]:
    found = (content or {}).get("shadow", {})
    return found if isinstance(found, dict) else {}


def _unseen(answer: Mapping[str, Any] | None) -> bool:
    return answer is None or "received" not in answer


def _body(content: Mapping[str, Any] | None, announced: str | None) -> Body:
    """A message without content has the format of one that goes by unseen, and no label."""
    if content is None:
        return Body()
    size, label = int(content["received"]["bytes"]), content["label"]
    nothing = size == 0 and label is None and content["format"] == "opaque"
    return Body(
        empty=nothing or announced == "0",
        format=None if nothing else content["format"],
        label=label,
        size=max(size, int(announced or 0)),
        findings=tuple(content["findings"]),
    )


# --- the peer ------------------------------------------------------------------------------------


def _peer(sender: Mapping[str, Any], address: str | None) -> tuple[Peer, frozenset[str]]:
    name, key = sender["name"], sender.get("spkiSha256")
    if key is None:
        return _by_name(name, address)
    certificate, unknown = _certificate(
        name, tuple(sender["sans"]), bytes.fromhex(key), "otherSans" in sender
    )
    if address is not None:
        unknown -= {"networks", "local"}
    return Peer(address, None, certificate), unknown


def _by_name(name: str, address: str | None) -> tuple[Peer, frozenset[str]]:
    """A peer without certificate, or one of whom, after a crash, nothing else is on record."""
    kind, _, rest = name.partition(":")
    if kind == "uid":
        return Peer(uid=int(rest)), frozenset()
    if kind == "ip":
        return Peer(rest), frozenset()
    key = bytes.fromhex(rest) if kind == "spki" else b""
    certificate, unknown = _certificate(name, (), key, True)
    return Peer(address, None, certificate), unknown if key else unknown | {"pins"}


@lru_cache(maxsize=4096)
def _certificate(
    name: str, sans: tuple[str, ...], key: bytes, more: bool
) -> tuple[Certificate, frozenset[str]]:
    """A certificate with these names, and what is not known of it; `more`: it has others."""
    ips = tuple(san for san in sans if _is_address(san))
    uris = tuple(san for san in sans if ":" in san and san not in ips)
    known = Certificate(
        der=b"", chain=(), sha256=b"", spki_sha256=key, subject="", issuer="", serial=0,
        not_before=_NEVER, not_after=_NEVER, uris=uris, ips=ips,
        spiffe=name if name.startswith("spiffe://") else None,
        dns=tuple(san for san in sans if san not in ips and san not in uris),
    )  # fmt: skip
    return known, _NOT_ON_RECORD | (_OF_NAMES if more else frozenset())


def _is_address(san: str) -> bool:
    try:
        ipaddress.ip_address(san)
    except ValueError:
        return False
    return True
