"""The keys of those who sign requests: each file proven to hold keys, each name to be one key's."""

import math
from collections.abc import Iterator, Mapping

from proxy.app.preparation import Preparation, Secrets
from proxy.edge.signing import Signers, Signing
from proxy.errors import Problem
from proxy.settings.load import Loaded
from proxy.settings.schema import Principal, Route, Settings
from proxy.settings.signatures import CERTIFICATE
from proxy.wire.jwk import VerifyingKey, parse_jwks
from proxy.wire.signature import Demands

_NAMES = ("spiffe", "uri", "dns")
_SECRET = "hmac-sha256"  # noqa: S105


def signers(preparation: Preparation) -> dict[str, Signers]:
    """Name -> keys and peers, of those that hold; problems are noted.

    A name that two keys bear would leave it to chance by which of them a signature is verified.
    """
    found: dict[str, Signers] = {}
    named: dict[str, VerifyingKey] = {}
    for name, each in preparation.loaded.settings.signers.items():
        path = ("signers", name, "jwks")
        octets = preparation.read(path, each.jwks, parse_jwks)
        if octets is None:
            continue
        keys = parse_jwks(octets)
        for key in keys:
            for known in {key.keyid, key.name}:
                other = named.setdefault(known, key)
                if (other.thumbprint, other.public) != (key.thumbprint, key.public):
                    text = "a `kid` of these keys is that of another key, of other signers"
                    preparation.problems.append(preparation.loaded.problem(path, text))
        found[name] = Signers(keys, tuple(each.peers))
    return found


def signing_of(settings: Settings, route: Route, known: Mapping[str, Signers]) -> Signing | None:
    """What a route demands of signatures; None where it demands none."""
    if not route.demands_signature:
        return None
    rule, replay = route.signature, route.replay.require
    components = ["@method", "@target-uri", *(["transfer-id"] if replay != "off" else [])]
    said = {"created", "expires", "keyid"} | ({"nonce"} if replay == "signature" else set())
    of_content = ["content-digest"]
    for name in rule.components:
        (of_content if name.startswith("content-") else components).append(name)
    demands = Demands(
        components=tuple(dict.fromkeys(components)),
        algorithms=frozenset(rule.algorithms),
        tag=rule.tag,
        parameters=frozenset(said),
        skew=math.ceil(rule.skew),
        window=math.ceil(route.replay.window),
    )
    listener, label = settings.listeners[route.listener], route.request.label_from
    if_present = (*rule.if_present, *([label.lower()] if label else []))
    called = rule.authorities
    return Signing(
        signers=tuple(known[name] for name in rule.keys if name != CERTIFICATE),
        certificate=CERTIFICATE in rule.keys,
        demands=demands,
        of_content=tuple(dict.fromkeys(of_content)),
        if_present=tuple(dict.fromkeys(if_present)),
        authorities=None if called is None else frozenset(each.lower().encode() for each in called),
        scheme="http" if listener.tls.mode == "none" else "https",
    )


def shared_secrets(loaded: Loaded, secrets: Secrets) -> Iterator[Problem]:
    """Warnings of secrets that more than one peer may sign with: any of them could be the other."""
    for name, each in loaded.settings.signers.items():
        octets = secrets.get(each.jwks)
        if octets is None or all(key.algorithm != _SECRET for key in parse_jwks(octets)):
            continue
        if len(each.peers) > 1 or any(map(_is_several, each.peers)):
            text = "a secret (oct) of more than one peer: each of them can sign as any other"
            yield loaded.problem(("signers", name, "jwks"), text, "shared-secret")


def _is_several(peer: Principal) -> bool:
    """Whether an entry may name more than one peer, as far as it tells."""
    if peer.pins is not None:
        return len(peer.pins) > 1
    if peer.local is not None:
        return len(peer.local.uid) > 1
    given = [getattr(peer, key) for key in _NAMES if getattr(peer, key) is not None]
    return all(len(texts) > 1 or "*" in texts[0] for texts in given)
