"""What a configuration says of content, each piece tried where it stands; no file is opened.

Rules are compiled as a whole, and what is wrong then is told at the route. Here it is told at the
pattern or the path itself, and all of it at once.
"""

from collections.abc import Iterator
from functools import partial

from proxy.app.preparation import Path, Preparation
from proxy.content.own import require_pattern
from proxy.content.rules import require_reached
from proxy.errors import ConfigError
from proxy.settings.check_masks import masks
from proxy.settings.load import Loaded
from proxy.settings.schema import ContentPolicy, Settings
from proxy.wire.crossing import require_maskable


def attempt_contents(preparation: Preparation) -> None:
    """Note every pattern, path and header field that no rule can be made of."""
    settings = preparation.loaded.settings
    for name, own in settings.detectors.items():
        build = partial(require_pattern, own.pattern)
        preparation.attempt(("detectors", name, "pattern"), build)
    for path, rule in masks(settings):
        if rule.header is not None:
            preparation.attempt((*path, "header"), partial(require_maskable, rule.header))
    for path, text, policy in _paths(settings):
        preparation.attempt(path, partial(require_reached, text, policy))


def require_contents(loaded: Loaded) -> None:
    """Raises ConfigError with every mistake that `attempt_contents` notes."""
    preparation = Preparation(loaded, secrets={})
    attempt_contents(preparation)
    if preparation.problems:
        raise ConfigError(preparation.problems)


def _paths(settings: Settings) -> Iterator[tuple[Path, str, ContentPolicy]]:
    for index, route in enumerate(settings.routes):
        for way, policy in (("request", route.request), ("response", route.response)):
            for number, rule in enumerate(policy.mask):
                if rule.path is not None:
                    yield ("routes", index, way, "mask", number, "path"), rule.path, policy
