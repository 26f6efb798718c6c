"""What the configuration that judged a transfer tells of entries that another one has as well.

The first entry of `allow` that stood to the end admitted it: that one held, and those before it did
not. No entry of `deny` held, or it would have been refused. One in shadow is in the receipt where
it would have refused it. Of what was refused in the end by these very entries, as more came to be
known, none of this is so: the receipt names the one that stood until then.

It also tells which way a transfer goes now, though its path is not on record: it took the route of
then, and none before it. And what its head had, since that was demanded then.
"""

from collections.abc import Mapping
from itertools import takewhile
from typing import Final

from proxy.cli.past import Past
from proxy.settings.lint_shadows import covers
from proxy.settings.route import Match
from proxy.settings.schema import Route, Settings

SIGNED: Final = frozenset({"signature-refused", "signature-expired"})
"""Refusals of a signature that was there: by other terms it might hold."""
_BEFORE: Final = frozenset({"not-allowed", "no-route"})
"""Refusals before anything is demanded of a head."""


def proven(past: Past, was: Settings | None, route: Route) -> Mapping[str, bool]:
    """Entries of `route`, by their names -> whether they held. `was` judged it; None: unknown."""
    then = _named(was, past.route)
    if then is None or past.place is None or past.place >= len(then.allow):
        return {}
    if past.problem == "not-allowed":
        return {}
    known = {f"deny[{n}]": False for n, each in enumerate(route.deny) if each in then.deny}
    known |= _out_of_shadow(past, then, route)
    held = past.place or 0
    for n, each in enumerate(route.allow):
        if each in then.allow[: held + 1]:
            known[f"allow[{n}]"] = each == then.allow[held]
    return known


def _out_of_shadow(past: Past, then: Route, now: Route) -> dict[str, bool]:
    """Entries of `deny` that were in shadow then: the receipt says what they would have done."""
    shaded = {f"deny[{n}]": each for n, each in enumerate(then.deny) if each.shadow}
    return {
        f"deny[{n}]": name in past.shadow
        for n, each in enumerate(now.deny)
        for name, old in shaded.items()
        if not each.shadow and old == each.model_copy(update={"shadow": True})
    }


def same_way(past: Past, was: Settings, now: Settings, route: Route) -> bool:
    """Whether what took the route of this name then takes it now, whatever its path was."""
    then = _named(was, past.route)
    if then is None or then.listener != route.listener or not _within(then.match, route.match):
        return False
    before = [each.match for each in _before(was, then)]
    return all(
        any(_within(each.match, earlier) for earlier in before)
        for each in _before(now, route)
        if past.method is None or each.match.methods is None or past.method in each.match.methods
    )


def demanded(past: Past, was: Settings | None, now: Settings, route: Route) -> tuple[str, ...]:
    """What `route` demands of a head, and nobody had demanded then: not known to have been there,
    or to have been good enough."""
    then = _named(was, past.route)
    if past.problem in _BEFORE:
        return ()
    keys = []
    if route.replay.require != "off" and (then is None or then.replay.require == "off"):
        keys.append("transfer-id")
    digested = then is not None and then.demands_digest
    if route.demands_digest and not digested and not past.request.empty:
        keys.append("content-digest")
    if route.demands_signature and not _same_terms(was, then, now, route):
        keys.append("signature")
    return tuple(keys)


def _same_terms(was: Settings | None, then: Route | None, now: Settings, route: Route) -> bool:
    """A signature that held then holds now; that the files of keys hold the same is taken so."""
    if was is None or then is None or not then.demands_signature:
        return False
    terms = (then.signature, then.replay, then.integrity)
    return terms == (route.signature, route.replay, route.integrity) and all(
        was.signers.get(name) == now.signers.get(name) for name in route.signature.keys
    )


def _named(settings: Settings | None, name: str | None) -> Route | None:
    routes = settings.routes if settings is not None else []
    return next((each for each in routes if each.name == name), None)


def _before(settings: Settings, route: Route) -> list[Route]:
    ahead = takewhile(lambda each: each.name != route.name, settings.routes)
    return [each for each in ahead if each.listener == route.listener]


def _within(narrow: Match, wide: Match) -> bool:
    """All that `narrow` takes is taken by `wide`."""
    if narrow == wide:
        return True
    if narrow.path is None or wide.path is None:
        return False
    if wide.methods is not None and not set(narrow.methods or ("*",)) <= set(wide.methods):
        return False
    return covers(*(tuple(path[1:].split("/")) for path in (wide.path, narrow.path)))
