"""A loaded configuration -> a Gate: rules compiled, credentials opened, no socket touched.

`lockgate check` ends here; `run` and a reload begin here. All mistakes are told at once.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from proxy.app import credentials
from proxy.app.contents import attempt_contents
from proxy.app.evidence import ReceiptKeys, receipt_keys
from proxy.app.preparation import Preparation, Secrets
from proxy.app.room import attempt_room
from proxy.app.signers import signers, signing_of
from proxy.content.rules import Rules, compile_rules
from proxy.edge.gate import Gate, Lane
from proxy.edge.outbound import Pool
from proxy.edge.signing import Signers
from proxy.errors import ConfigError, Refusal, TlsFailure
from proxy.model import FOREVER, Certificate, Peer
from proxy.observe.metrics import Metrics
from proxy.policy.authorize import Granted, Grants
from proxy.policy.clearance import Scale
from proxy.policy.entries import Facts
from proxy.policy.principals import matches
from proxy.policy.routes import Routes
from proxy.settings.address import parse_endpoint
from proxy.settings.load import Loaded
from proxy.settings.schema import ContentPolicy, Principal, Route
from proxy.tls.context import HTTP, TlsContext, client_context, server_context
from proxy.tls.credentials import Credentials
from proxy.tls.judge import Judge
from proxy.tls.revocation import read_lists
from proxy.tls.standing import Standing


def prepare(loaded: Loaded, metrics: Metrics, secrets: Secrets | None = None) -> Gate:
    """Compile a configuration for those who carry transfers, who need no receipt keys.

    With `secrets` nothing else is read. Raises ConfigError with every mistake.
    """
    preparation = Preparation(loaded, secrets)
    gate = _gate(preparation, metrics)
    if gate is None:
        raise ConfigError(preparation.problems)
    return gate


def prepare_rules(loaded: Loaded, position: int) -> tuple[Rules, Rules]:
    """What the route at `position` does to requests and to answers; opens masking keys, no more.

    Raises ConfigError with every mistake.
    """
    preparation = Preparation(loaded)
    keys = credentials.masking_keys(preparation)
    attempt_contents(preparation)
    rules = None if preparation.problems else _rules(preparation, position, keys)
    if rules is None:
        raise ConfigError(preparation.problems)
    return rules


def prepare_workers(loaded: Loaded, metrics: Metrics) -> tuple[Gate, Secrets]:
    """As `prepare`, with all that was read on the way. Raises ConfigError with every mistake."""
    preparation = Preparation(loaded)
    gate = _gate(preparation, metrics)
    if gate is None:
        raise ConfigError(preparation.problems)
    return gate, preparation.read_so_far


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """A configuration that was tried as a whole, with all that it refers to."""

    loaded: Loaded
    gate: Gate
    keys: ReceiptKeys
    for_workers: Secrets
    for_notary: Secrets


def prepare_all(loaded: Loaded, metrics: Metrics) -> Prepared:
    """As `prepare`, and the notary's keys, in one; what is read is kept apart by who needs it.

    Raises ConfigError with every mistake.
    """
    notary, workers = Preparation(loaded), Preparation(loaded)
    keys = receipt_keys(notary)
    gate = _gate(workers, metrics)
    if gate is None or keys is None:
        raise ConfigError([*notary.problems, *workers.problems])
    return Prepared(loaded, gate, keys, workers.read_so_far, notary.read_so_far)


def _gate(preparation: Preparation, metrics: Metrics) -> Gate | None:
    """None when a problem has been noted, here or before."""
    loaded = preparation.loaded
    settings = loaded.settings
    read_lists.cache_clear()  # those of before are kept by who uses them, and may be large
    own = credentials.own_credentials(preparation)
    credentials.own_trust(preparation)
    keys = credentials.masking_keys(preparation)
    attempt_contents(preparation)
    trusted = hashlib.sha256()
    listeners = {
        name: _listener_tls(preparation, name, own, trusted) for name in settings.listeners
    }
    receivers = {name: _receiver(preparation, name, own) for name in settings.upstreams}
    keys_of_signers = signers(preparation)
    judges = [credentials.route_judge(preparation, at) for at in range(len(settings.routes))]
    rules = []
    if not preparation.problems:
        rules = [_rules(preparation, position, keys) for position in range(len(settings.routes))]
    attempt_room(preparation)
    careless = () if preparation.problems else credentials.own_hygiene(preparation, own)
    if preparation.problems:
        return None
    pools = {name: _pool(loaded, name, each, metrics) for name, each in receivers.items()}
    lanes = {
        route.name: _lane(loaded, route, pools, judge, keys_of_signers, *compiled)
        for route, judge, compiled in zip(settings.routes, judges, rules, strict=True)
        if compiled is not None
    }
    certificates = credentials.certificates(preparation)
    return Gate(
        loaded=loaded,
        routes=Routes(settings),
        lanes=lanes,
        scale=Scale(settings),
        pools=pools,
        tls=listeners,
        trusted=trusted.digest(),
        own_uri=next((each.spiffe for role, each in certificates if role == "identity"), None),
        certificates=certificates,
        receivers={
            name: each.require for name, each in receivers.items() if each.context is not None
        },
        lists=credentials.lists(preparation),
        careless=careless,
    )


def _listener_tls(
    preparation: Preparation, name: str, own: Credentials | None, trusted: "hashlib._Hash"
) -> TlsContext | None:
    """The context of a listener; what it trusts, and how, goes into `trusted`."""
    tls = preparation.loaded.settings.listeners[name].tls
    if tls.mode == "none":
        return None
    trust = credentials.trust_of(preparation, ("listeners", name), tls)
    if trust is None or own is None:
        return None  # a problem has been noted, or the cross-checks refused it
    trusted.update(repr((name, trust, tls)).encode())
    settings = preparation.loaded.settings
    speaks = HTTP if settings.listeners[name].protocol == "http" else ()
    build = partial(server_context, own, *trust, tls, settings.revocation, speaks)
    return preparation.attempt(("listeners", name, "tls"), build)


@dataclass(frozen=True, slots=True)
class _Receiver:
    """Whom an upstream has to be."""

    context: TlsContext | None
    """None without TLS."""
    expected: Principal | None
    server_name: str | None
    """None where it is the host of whichever endpoint was reached."""

    def is_expected(self, peer: Peer) -> bool:
        return self.expected is None or matches(peer, self.expected)

    def require(self, certificate: Certificate, now: datetime) -> Standing:
        """Raises `TlsFailure`."""
        if self.context is None:
            raise TlsFailure("identity", "without TLS nobody is who they should be")
        standing = self.context.judge.require(certificate, now, self.server_name)
        if not self.is_expected(Peer(certificate=certificate)):
            raise TlsFailure("identity", "the certificate is not the one of the expected peer")
        return standing


def _receiver(preparation: Preparation, name: str, own: Credentials | None) -> _Receiver:
    settings = preparation.loaded.settings
    upstream = settings.upstreams[name]
    secure = any(parse_endpoint(url).secure for url in upstream.endpoints)
    context = None
    trust = credentials.trust_of(preparation, ("upstreams", name), upstream.tls) if secure else None
    if trust is not None:
        rule, pins = settings.revocation, upstream.pins
        build = partial(client_context, own, *trust, upstream.tls, pins, rule)
        context = preparation.attempt(("upstreams", name), build)
    return _Receiver(context, upstream.peer, upstream.server_name)


def _pool(loaded: Loaded, name: str, receiver: _Receiver, metrics: Metrics) -> Pool:
    upstream = loaded.settings.upstreams[name]
    return Pool(name, upstream, loaded.directory, receiver.context, receiver.is_expected, metrics)


def _rules(
    preparation: Preparation, position: int, keys: dict[str, list[tuple[str, bytes]]]
) -> tuple[Rules, Rules] | None:
    """What is done to requests and to answers of a route."""
    settings = preparation.loaded.settings
    route, scale = settings.routes[position], settings.sensitivity

    def made(way: str, policy: ContentPolicy) -> Rules | None:
        build = partial(
            compile_rules, policy, route.limits, keys, scale[-1], scale, own=settings.detectors
        )
        return preparation.attempt(("routes", position, way), build)

    request, response = made("request", route.request), made("response", route.response)
    return None if request is None or response is None else (request, response)


def _lane(
    loaded: Loaded,
    route: Route,
    pools: dict[str, Pool],
    judge: Judge | None,
    known: dict[str, Signers],
    request: Rules,
    answer: Rules,
) -> Lane:
    settings = loaded.settings
    return Lane(
        route=route,
        judge=partial(_judged, route, Grants(route, settings.sensitivity), judge),
        request=request,
        answer=answer,
        pool=pools[route.upstream],
        signing=signing_of(settings, route, known),
        sender_zone=settings.listeners[route.listener].zone,
        receiver_zone=settings.upstreams[route.upstream].zone,
        answers_unseen=route.response.content == ["opaque"],
        answers_hide=route.response.hides,
    )


def _judged(
    route: Route, grants: Grants, judge: Judge | None, facts: Facts, now: datetime
) -> Granted:
    """What is granted to a peer whose chain ends where the route says, and until when it does.

    Raises Refusal.
    """
    granted = grants.judge(facts)
    if route.on_expiry == "finish":
        granted.until = FOREVER
    if judge is None:
        return granted
    if facts.peer.certificate is None:
        raise Refusal("not-allowed", f"trust of route {route.name} asks for a certificate")
    try:
        until = judge.require(facts.peer.certificate, now).until
    except TlsFailure as failure:
        reason = f"trust of route {route.name} refuses the peer: {failure}"
        raise Refusal("not-allowed", reason) from None
    granted.until = min(granted.until, until)
    return granted
