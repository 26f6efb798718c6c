"""Which zones may send to which.

1. A route leads from the zone of its listener to the zone of its upstream. Within one zone it
   leaves none, and needs nobody's leave.
2. As soon as one zone has `may_send_to`, none may send but where its own key says: a zone without
   the key may send to no other. So a zone that is added later reaches nothing until it is said.
3. Where no zone has it, clearances alone bound what goes where.
4. Answers go back on the route of their request, under the label that `response` gives them and the
   clearance of where they go; they are no way of their own.
"""

from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import Route, Settings


def require_ways(settings: Settings, mistakes: Mistakes) -> None:
    """Note every route that leads where its zone may not send."""
    if not _is_bounded(settings):
        return
    for index, route in enumerate(settings.routes):
        here, there = way_of(settings, route)
        if here == there or there in (settings.zones[here].may_send_to or ()):
            continue
        said = settings.zones[here].may_send_to is not None
        why = "does not name it" if said else "is not given, and another zone has one"
        text = f"zone {here} may not send to zone {there}: zones.{here}.may_send_to {why}"
        mistakes.add(("routes", index, "upstream"), text, code="way-not-covered")


def way_of(settings: Settings, route: Route) -> tuple[str, str]:
    """The zones that a route leads from and to."""
    return settings.listeners[route.listener].zone, settings.upstreams[route.upstream].zone


def _is_bounded(settings: Settings) -> bool:
    return any(zone.may_send_to is not None for zone in settings.zones.values())
