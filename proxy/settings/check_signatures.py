"""Which keys a route may take signatures from, and whether anybody asks for signatures."""

from proxy.settings.mistakes import Mistakes, show
from proxy.settings.schema import Route, Settings
from proxy.settings.signatures import CERTIFICATE, MOST_SKEW
from proxy.settings.yaml12 import Path


def require_signers(settings: Settings, mistakes: Mistakes) -> None:
    """Note every name of keys that nothing bears, and keys that no peer could have."""
    if CERTIFICATE in settings.signers:
        text = "this name is taken: in `keys` it means the key of the client certificate"
        mistakes.add(("signers", CERTIFICATE), text, at_key=True)
    for index, route in enumerate(settings.routes):
        if "signature" in route.model_fields_set or route.demands_signature:
            _require_keys(("routes", index), route, settings, mistakes)
        if route.signature.skew > MOST_SKEW:
            text = f"at most {MOST_SKEW}s: nonces of signatures are not remembered for longer"
            mistakes.add(("routes", index, "signature", "skew"), text)


def _require_keys(path: Path, route: Route, settings: Settings, mistakes: Mistakes) -> None:
    given = "signature" in route.model_fields_set
    place: Path = (*path, "signature", "keys") if given else path
    plain = settings.listeners[route.listener].tls.mode == "none"
    for number, name in enumerate(route.signature.keys):
        at: Path = (*place, number) if "keys" in route.signature.model_fields_set else path
        if name == CERTIFICATE and plain:
            text = (
                "signatures would be by the keys of client certificates, and without TLS there are "
                "none: name `signers` in signature.keys"
            )
            mistakes.add(at, text)
        elif name != CERTIFICATE and name not in settings.signers:
            known = ", ".join(show((each,)) for each in (*settings.signers, CERTIFICATE))
            mistakes.add(at, f"there are no such signers; there are: {known}")
        if name in route.signature.keys[:number]:
            mistakes.add(at, "these keys stand twice")


def signers_in_use(settings: Settings) -> set[str]:
    """The names of `signers` that a route takes signatures from."""
    return {
        name
        for route in settings.routes
        if route.demands_signature
        for name in route.signature.keys
    }
