"""Options that make weaker what is strong by default."""

from proxy.settings.check import policies
from proxy.settings.check_trust import names_lists, verified
from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import HYBRID_GROUPS, Route, Settings
from proxy.settings.trust import MAX_LIFETIME
from proxy.settings.yaml12 import Path

_HYGIENE = ("lifetime", "two_identities", "old_key", "shared")


def lint_weak(settings: Settings, warnings: Mistakes) -> None:
    """Note each of them, where it is written."""
    _lint_certificates(settings, warnings)
    _lint_tls(settings, warnings)
    _lint_routes(settings, warnings)
    if settings.receipts.durability == "write":
        text = "a loss of power takes receipts back that senders have been given"
        warnings.add(("receipts", "durability"), text, code="durability-write")


def _lint_certificates(settings: Settings, warnings: Mistakes) -> None:
    if settings.revocation.mode == "soft" and names_lists(settings):
        text = "lets in whoever is not covered by a list, as when one is out of date"
        warnings.add(("revocation", "mode"), text, code="revocation-soft")
    for key in _HYGIENE:
        if getattr(settings.hygiene, key) == "off":
            text = "nobody will be told of such keys: `report` tells, and refuses nobody"
            warnings.add(("hygiene", key), text, code="hygiene-off")
    if settings.identity is not None and settings.identity.max_lifetime > MAX_LIFETIME:
        text = f"more than {MAX_LIFETIME / 86400:g} days, the most that public authorities issue"
        warnings.add(("identity", "max_lifetime"), text, code="long-lifetime")


def _lint_tls(settings: Settings, warnings: Mistakes) -> None:
    for path, tls in verified(settings):
        if tls.minimum == "1.2":
            text = "TLS 1.2 shows certificates in the clear, and has no post-quantum key exchange"
            warnings.add((*path, "tls", "minimum"), text, code="tls-below-1.3")
        if not any(group in HYBRID_GROUPS for group in tls.groups):
            text = (
                "none of them is hybrid: what is recorded now could be read by a quantum computer"
            )
            warnings.add((*path, "tls", "groups"), text, code="no-hybrid-group")


def _lint_routes(settings: Settings, warnings: Mistakes) -> None:
    for index, route in enumerate(settings.routes):
        path: Path = ("routes", index)
        if route.content_on_get == "pass":
            text = "its meaning is undefined (RFC 9110, 9.3.1), so that upstreams differ about it"
            warnings.add((*path, "content_on_get"), text, code="get-content-passes")
        replay = route.replay
        if replay.require != "off" and replay.after_indeterminate == "forward":
            text = "what had arrived, unknown to us, will arrive once more"
            place: Path = (*path, "replay", "after_indeterminate")
            warnings.add(place, text, code="forwards-undecided")
        if route.streaming:
            _lint_streaming((*path, "streaming"), route, warnings)
        if route.receipt == "log" and settings.listeners[route.listener].protocol == "http":
            text = "senders learn where their receipt is, and are not handed it"
            warnings.add((*path, "receipt"), text, code="receipt-in-log-only")
    for path, policy in policies(settings):
        if policy.likelihood == "very_likely" and policy.searches:
            text = "what is found without a checksum or a word that speaks for it crosses as it is"
            warnings.add((*path, "likelihood"), text, code="likelihood-raised")


def _lint_streaming(path: Path, route: Route, warnings: Mistakes) -> None:
    if route.demands_digest:
        text = "what does not hold is broken off in mid-stream, not kept from the upstream"
        warnings.add(path, text, code="streams-unproven")
    else:
        text = "means nothing while no digest is demanded: what is not held streams anyway"
        warnings.add(path, text, code="means-nothing")
