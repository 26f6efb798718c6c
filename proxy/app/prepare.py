"""A loaded configuration -> a Gate: rules compiled, credentials opened, no socket touched.

`lockgate check` ends here; `run` and a reload begin here. All mistakes are told at once.
"""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from proxy.content.rules import Rules, compile_rules
from proxy.edge.gate import Gate, Lane
from proxy.edge.outbound import Pool
from proxy.errors import ConfigError, CredentialError, Problem
from proxy.model import Certificate
from proxy.notary import keys as notary_keys
from proxy.observe.metrics import Metrics
from proxy.policy.authorize import matches, require_allowed
from proxy.policy.clearance import Scale
from proxy.policy.routes import Routes
from proxy.settings.address import parse_endpoint
from proxy.settings.load import Loaded
from proxy.settings.schema import Route, Tls
from proxy.settings.secrets import read_secret
from proxy.tls.context import TlsContext, client_context, server_context
from proxy.tls.credentials import Credentials, load_credentials, parse_chain
from proxy.tls.identity import identify

T = TypeVar("T")
Path = tuple[str | int, ...]


class _Preparation:
    """Collects what is wrong while it builds what is right."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.problems: list[Problem] = []
        self.trusted = hashlib.sha256()

    def attempt(self, path: Path, build: Callable[[], T]) -> T | None:
        """`build()`, or None and a problem at `path`."""
        try:
            return build()
        except (CredentialError, ValueError) as error:
            self.problems.append(self.loaded.problem(path, str(error)))
            return None

    def secret(self, path: Path, reference: str | None) -> bytes | None:
        if reference is None:
            return None
        return self.attempt(path, partial(read_secret, reference, self.loaded.directory))


def prepare(loaded: Loaded, metrics: Metrics) -> Gate:
    """Compile a configuration. Raises ConfigError with every mistake."""
    preparation = _Preparation(loaded)
    settings = loaded.settings
    credentials = _credentials(preparation)
    listeners = {name: _listener_tls(preparation, name, credentials) for name in settings.listeners}
    pools = {name: _pool(preparation, name, credentials, metrics) for name in settings.upstreams}
    keys = _masking_keys(preparation)
    rules = []
    if not preparation.problems:
        rules = [_rules(preparation, position, keys) for position in range(len(settings.routes))]
    if preparation.problems:
        raise ConfigError(preparation.problems)
    lanes = {
        route.name: _lane(loaded, route, pools, *compiled)
        for route, compiled in zip(settings.routes, rules, strict=True)
        if compiled is not None
    }
    certificates = tuple(_certificates(loaded, credentials))
    return Gate(
        loaded=loaded,
        routes=Routes(settings),
        lanes=lanes,
        scale=Scale(settings),
        pools=pools,
        tls=listeners,
        trusted=preparation.trusted.digest(),
        own_uri=next((each.spiffe for role, each in certificates if role == "identity"), None),
        certificates=certificates,
    )


def receipt_keys(loaded: Loaded) -> tuple[bytes, bytes, bytes | None]:
    """PEM of the receipt key, the log key and the post-quantum log key, each proven to be one.

    Raises ConfigError with every mistake.
    """
    preparation = _Preparation(loaded)
    receipts = loaded.settings.receipts
    receipt_key = preparation.secret(("receipts", "key"), receipts.key)
    log_key = preparation.secret(("receipts", "log_key"), receipts.log_key)
    log_pq_key = preparation.secret(("receipts", "log_pq_key"), receipts.log_pq_key)
    if receipt_key is not None and log_key is not None and not preparation.problems:
        load = partial(notary_keys.load, receipts.origin, receipt_key, log_key, log_pq_key)
        if preparation.attempt(("receipts", "key"), load) is not None:
            return receipt_key, log_key, log_pq_key
    raise ConfigError(preparation.problems)


def _credentials(preparation: _Preparation) -> Credentials | None:
    identity = preparation.loaded.settings.identity
    if identity is None:
        return None
    certificate = preparation.secret(("identity", "certificate"), identity.certificate)
    key = preparation.secret(("identity", "key"), identity.key)
    if certificate is None or key is None:
        return None
    return preparation.attempt(("identity", "key"), partial(load_credentials, certificate, key))


def _trust(preparation: _Preparation, path: Path, tls: Tls) -> tuple[bytes, bytes | None] | None:
    """Trust bundle and CRL: the nearer ones, or those of `identity`, whose CRL speaks of its own
    authorities only and says nothing where another trust is named."""
    identity = preparation.loaded.settings.identity
    trust_at: Path = (*path, "tls", "trust") if tls.trust else ("identity", "trust")
    crl_at: Path = (*path, "tls", "crl") if tls.crl else ("identity", "crl")
    trust = preparation.secret(trust_at, tls.trust or (identity.trust if identity else None))
    inherited = identity.crl if identity and not tls.trust else None
    crl = preparation.secret(crl_at, tls.crl or inherited)
    return None if trust is None else (trust, crl)


def _listener_tls(
    preparation: _Preparation, name: str, credentials: Credentials | None
) -> TlsContext | None:
    tls = preparation.loaded.settings.listeners[name].tls
    if tls.mode == "none":
        return None
    trust = _trust(preparation, ("listeners", name), tls)
    if trust is None or credentials is None:
        return None  # a problem has been noted, or the cross-checks refused it
    preparation.trusted.update(repr((name, trust, tls)).encode())
    build = partial(server_context, credentials, *trust, tls)
    return preparation.attempt(("listeners", name, "tls"), build)


def _pool(
    preparation: _Preparation, name: str, credentials: Credentials | None, metrics: Metrics
) -> Pool:
    loaded = preparation.loaded
    upstream = loaded.settings.upstreams[name]
    secure = any(parse_endpoint(url).secure for url in upstream.endpoints)
    context = None
    trust = _trust(preparation, ("upstreams", name), upstream.tls) if secure else None
    if trust is not None:
        build = partial(client_context, credentials, *trust, upstream.tls, upstream.pins)
        context = preparation.attempt(("upstreams", name), build)
    expected = upstream.peer
    is_expected = (lambda peer: matches(peer, expected)) if expected else (lambda peer: True)
    return Pool(name, upstream, loaded.directory, context, is_expected, metrics)


def _masking_keys(preparation: _Preparation) -> dict[str, list[tuple[str, bytes]]]:
    keys: dict[str, list[tuple[str, bytes]]] = {}
    for name, versions in preparation.loaded.settings.keys.items():
        keys[name] = []
        for position, version in enumerate(versions):
            secret = preparation.secret(("keys", name, position, "secret"), version.secret)
            if secret is not None:
                keys[name].append((version.id, secret.strip()))
    return keys


def _rules(
    preparation: _Preparation, position: int, keys: dict[str, list[tuple[str, bytes]]]
) -> tuple[Rules, Rules] | None:
    """What is done to requests and to answers of a route."""
    settings = preparation.loaded.settings
    route, scale = settings.routes[position], settings.sensitivity

    def build() -> tuple[Rules, Rules]:
        request, response = (
            compile_rules(policy, route.limits, keys, scale[-1], scale)
            for policy in (route.request, route.response)
        )
        return request, response

    return preparation.attempt(("routes", position), build)


def _lane(
    loaded: Loaded, route: Route, pools: dict[str, Pool], request: Rules, answer: Rules
) -> Lane:
    settings = loaded.settings
    return Lane(
        route=route,
        require_allowed=lambda peer: require_allowed(peer, route),
        request=request,
        answer=answer,
        pool=pools[route.upstream],
        sender_zone=settings.listeners[route.listener].zone,
        receiver_zone=settings.upstreams[route.upstream].zone,
    )


def _certificates(loaded: Loaded, credentials: Credentials | None) -> list[tuple[str, Certificate]]:
    identity = loaded.settings.identity
    if identity is None or credentials is None:
        return []
    trust = read_secret(identity.trust, loaded.directory)
    return [
        *(("identity", identify(each)) for each in parse_chain(credentials.certificate)[:1]),
        *(("trust", identify(each)) for each in parse_chain(trust)),
    ]
