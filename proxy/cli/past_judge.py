"""Would what has crossed, or was refused, be judged alike by another configuration?

The stops whose questions a receipt answers are asked again, by the code that decides: listener and
its pins, route, entries, method, size, format, label and clearance, findings, and the answer's
format and label. A route is found by its path where that is known; else it is the one of that name,
as long as it still takes the method, and what was in force then does not say otherwise.

    passes    by all of them
    refused   with the code and the reason
    unsure    it depends on what is not known: `keys`
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from proxy.cli.past import Body, Past
from proxy.cli.past_proven import SIGNED, demanded, proven, same_way
from proxy.content.kinds import Kind
from proxy.content.registry import KINDS
from proxy.content.watch import Watch, watches
from proxy.errors import Refusal
from proxy.policy.authorize import Grants
from proxy.policy.carriage import require_admitted, require_carried, require_size
from proxy.policy.clearance import Scale
from proxy.policy.entries import NOTHING, Facts
from proxy.policy.paths import require_normal, split
from proxy.policy.routes import Routes
from proxy.policy.weigh import Weighed, weigh
from proxy.settings.load import Loaded
from proxy.settings.schema import ContentPolicy, Route, Settings

_UNSIGNED: Final = frozenset(["signature-required", "signature-malformed"])
PASSES, REFUSED, UNSURE = "passes", "refused", "unsure"


@dataclass(frozen=True, slots=True)
class Judged:
    """What the configuration would say. `answer` is why it would withhold the answer, if so."""

    verdict: str
    route: str | None = None
    code: str | None = None
    reason: str = ""
    rules: tuple[str, ...] = ()
    """The entry that admits it; several where it depends on what is not known which does."""
    keys: tuple[str, ...] = ()
    label: str | None = None
    """Of the request's content, in effect."""
    answer: str | None = None
    assumed: tuple[str, ...] = ()
    """What no receipt tells, and was taken as it was then: `path`, that the route is the one of the
    name of then; or what is demanded of a head."""


class Unsure(Exception):
    """That depends on what no receipt tells."""

    def __init__(self, *keys: str) -> None:
        super().__init__(", ".join(keys))
        self.keys = keys


class Candidate:
    """A configuration, asked about what has been. Of `was`, those that judged it then, is taken
    which entry admitted it, and which did not refuse it."""

    def __init__(self, loaded: Loaded, was: Mapping[str, Settings] | None = None) -> None:
        self.settings = settings = loaded.settings
        self.sha256 = loaded.sha256.hex()
        self._was = {self.sha256: settings, **(was or {})}
        self._routes, self._scale = Routes(settings), Scale(settings)
        self._named = {route.name: route for route in settings.routes}
        self._grants = {
            name: Grants(route, settings.sensitivity) for name, route in self._named.items()
        }
        self._watches = {
            (name, way): _watches(policy, settings)
            for name, route in self._named.items()
            for way, policy in (("request", route.request), ("answer", route.response))
        }

    def judge(self, past: Past) -> Judged:
        """Never raises: what cannot be told is `unsure`."""
        name, was = None, self._was.get(past.policy or "")
        assumed: tuple[str, ...] = ()
        try:
            route, sure = self._route(past, was)
            name, assumed = route.name, () if sure else ("path",)
            facts = self._facts(past, route)
            weighed = self._weighed(past, route, facts, proven(past, was, route))
            if weighed.admits is False:
                return Judged(REFUSED, route.name, "not-allowed", weighed.reason, assumed=assumed)
            lacking: tuple[str, ...] = ()
            if not past.tunnel:
                lacking = demanded(past, was, self.settings, route)
                self._require_head(past, route, lacking)
                self._require_content(past, route)
        except Refusal as refusal:
            return Judged(REFUSED, name, refusal.code, refusal.reason, assumed=assumed)
        except Unsure as unsure:
            return Judged(UNSURE, name, keys=unsure.keys, assumed=assumed)
        keys = weighed.keys
        if was is None and past.problem not in SIGNED:
            assumed += lacking
        else:
            keys += lacking
        verdict = UNSURE if keys or not weighed.admits else PASSES
        answer = None if past.tunnel else self._answer(past, route)
        return Judged(
            verdict,
            route.name,
            rules=weighed.rules,
            keys=keys,
            label=self._in_effect(route, past.request, facts.label),
            answer=answer,
            assumed=assumed,
        )

    # --- where to ----------------------------------------------------------------------------

    def _route(self, past: Past, was: Settings | None) -> tuple[Route, bool]:
        """The route, and whether that is sure. Raises Refusal and Unsure."""
        listener = past.listener or self._listener_of(past.route)
        if listener not in self.settings.listeners:
            raise Refusal("no-route", f"there is no listener {listener}")
        self._require_pinned(past, listener)
        if past.path is not None and past.method is not None and not past.tunnel:
            require_normal(past.path)
            return self._routes.find(listener, past.method, past.path), True
        found = self._named.get(past.route or "")
        if found is not None and _takes(found, listener, past):
            if was is None:
                return found, False
            if same_way(past, was, self.settings, found):
                return found, True
            raise Unsure("server name" if past.tunnel else "path")
        if any(_takes(route, listener, past) for route in self.settings.routes):
            raise Unsure("server name" if past.tunnel else "path")
        raise Refusal("no-route", f"no route of listener {listener} takes {past.method}")

    def _listener_of(self, name: str | None) -> str:
        if name not in self._named:
            raise Unsure("listener")
        return self._named[name].listener

    def _require_pinned(self, past: Past, listener: str) -> None:
        pins, certificate = self.settings.listeners[listener].tls.pins, past.peer.certificate
        if pins is not None and "pins" in past.unknown:
            raise Unsure("pins")
        if pins is not None and (certificate is None or certificate.pin not in pins):
            text = f"the key of the peer is none of pins of listener {listener}"
            raise Refusal("not-allowed", text)

    # --- who ---------------------------------------------------------------------------------

    def _facts(self, past: Past, route: Route) -> Facts:
        body, tunnel = past.request, past.tunnel
        facts = Facts(
            past.peer,
            past.received,
            None if tunnel else past.method,
            None if past.path is None else split(past.path),
        )
        if not tunnel:
            facts.content = NOTHING if body.empty else body.format
            facts.size = body.size
            facts.label = NOTHING if body.empty else self._label(route, body)
        return facts

    def _weighed(
        self, past: Past, route: Route, facts: Facts, known: Mapping[str, bool]
    ) -> Weighed:
        """By the entries. One that admitted it and fell may have ended by then, or given less."""
        grants = self._grants[route.name]
        weighed = weigh(grants, facts, past.unknown, known)
        if past.problem != "not-allowed" or past.place is None or weighed.admits is False:
            return weighed
        if route.on_expiry == "cut":
            weighed = weigh(grants, replace(facts, now=past.completed), past.unknown, known)
        standing = [each for n, each in enumerate(route.allow) if f"allow[{n}]" in weighed.rules]
        if any(each.volume and each.volume.burst < (facts.size or 0) for each in standing):
            return replace(weighed, admits=None, keys=(*weighed.keys, "volume"))
        return weighed

    # --- what --------------------------------------------------------------------------------

    def _require_head(self, past: Past, route: Route, lacking: tuple[str, ...]) -> None:
        """What was missing in it then, as far as that was said. Raises Refusal."""
        if past.problem == "transfer-id-required" and route.replay.require != "off":
            raise Refusal("transfer-id-required", f"route {route.name} demands one")
        if past.problem == "digest-required" and route.demands_digest:
            raise Refusal("digest-required", f"route {route.name} demands one")
        lame = _UNSIGNED if "signature" in lacking else _UNSIGNED | SIGNED
        if past.problem is not None and past.problem in lame and route.demands_signature:
            raise Refusal(past.problem, f"route {route.name} demands a signature")
        require_carried(route, past.method or "", empty=past.request.empty)

    def _require_content(self, past: Past, route: Route) -> None:
        """Raises Refusal as the stops after the grant do, as far as is known."""
        body = past.request
        if body.empty:
            return
        if body.size is not None:
            require_size(route.limits, body.size)
        zone = self.settings.upstreams[route.upstream].zone
        self._require_body(route, "request", body, zone)

    def _answer(self, past: Past, route: Route) -> str | None:
        """Why the answer would be withheld."""
        body = past.answer
        if body is None or body.empty or body.format is None:
            return None
        try:
            zone = self.settings.listeners[route.listener].zone
            self._require_body(route, "answer", body, zone)
        except Refusal as refusal:
            return refusal.reason
        return None

    def _require_body(self, route: Route, way: str, body: Body, zone: str) -> None:
        policy = route.request if way == "request" else route.response
        if body.format is not None:
            require_admitted(route.name, policy, body.format)
        found = self._found(route, way, body)
        for watch in found:
            if watch.reject:
                raise Refusal("finding-rejected", f"{watch.name} was found in it")
        named = _named(policy, body)
        if named is not None:
            self._scale.require_cleared(policy.label, named, self._raised(policy, found), zone)

    def _label(self, route: Route, body: Body) -> str | None:
        """The effective label of a request; None where only its header could tell."""
        named = _named(route.request, body)
        if named is None:
            return None
        raised = self._raised(route.request, self._found(route, "request", body))
        return self._scale.effective(route.request.label, named, raised)

    def _in_effect(self, route: Route, body: Body, judged: str | None) -> str | None:
        """The label that it goes under. Where findings are redacted, that of then: how many of them
        raised it is not on record."""
        then = route.request.on_violation == "redact" and body.label in self._scale.labels
        return body.label if then else judged

    def _found(self, route: Route, way: str, body: Body) -> list[Watch]:
        watched = self._watches[route.name, way]
        return [watched[name] for name in body.findings if name in watched]

    def _raised(self, policy: ContentPolicy, found: Sequence[Watch]) -> str | None:
        """The label to which findings raise it; none where one that is too high is redacted, and
        so refuses nothing."""
        if policy.on_violation == "redact":
            return None
        raised = [watch.raises for watch in found if watch.raises is not None]
        return max(raised, key=self._scale.labels.index, default=None)


def _takes(route: Route, listener: str, past: Past) -> bool:
    """Whether it could be the route, as far as is known without a path."""
    match = route.match
    if route.listener != listener or (match.path is None) is not past.tunnel:
        return False
    return past.method is None or match.methods is None or past.method in match.methods


def _named(policy: ContentPolicy, body: Body) -> tuple[bytes, ...] | None:
    """What the header named then, where one is asked; None where that is not known."""
    if policy.label_from is None:
        return ()
    return None if body.label is None else (body.label.encode(),)


def _watches(policy: ContentPolicy, settings: Settings) -> dict[str, Watch]:
    table: dict[str, Sequence[Kind]] = {**KINDS, **dict.fromkeys(settings.detectors, ())}
    highest = settings.sensitivity[-1]
    rules = [rule for rule in policy.detect if not rule.shadow]
    return {watch.name: watch for watch in watches(rules, (), table, highest)}
