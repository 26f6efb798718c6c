"""Leave to send that nothing uses."""

from collections.abc import Iterator

from proxy.settings.check_zones import way_of
from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import Settings
from proxy.settings.yaml12 import Path


def lint_ways(settings: Settings, warnings: Mistakes) -> None:
    """Note every zone that is named in `may_send_to` and to which no route leads from there."""
    taken = {way_of(settings, route) for route in settings.routes}
    for here, place, there in _named(settings):
        path: Path = ("zones", here, "may_send_to", place)
        if here == there:
            text = "means nothing: a route within one zone needs nobody's leave"
            warnings.add(path, text, code="means-nothing")
        elif (here, there) not in taken:
            text = f"no route leads from zone {here} to zone {there}"
            warnings.add(path, text, code="unused-way")


def _named(settings: Settings) -> Iterator[tuple[str, int, str]]:
    for name, zone in settings.zones.items():
        for place, there in enumerate(zone.may_send_to or ()):
            yield name, place, there
