"""What the configuration that judged a transfer tells of entries that another one has as well.

The first entry of `allow` that stood to the end admitted it: that one held, and those before it did
not. No entry of `deny` held, or it would have been refused. One in shadow is in the receipt where
it would have refused it. Of what was refused in the end by these very entries, as more came to be
known, none of this is so: the receipt names the one that stood until then.
"""

from collections.abc import Mapping

from proxy.cli.past import Past
from proxy.settings.schema import Route, Settings


def proven(past: Past, was: Settings | None, route: Route) -> Mapping[str, bool]:
    """Entries of `route`, by their names -> whether they held. `was` judged it; None: unknown."""
    named = (each for each in was.routes if each.name == past.route) if was else iter(())
    then = next(named, None)
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
