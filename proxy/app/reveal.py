"""What opens the tokens of one route: the keys that it encrypts with, and no other file is read."""

from proxy.app.credentials import masking_keys
from proxy.app.preparation import Preparation
from proxy.content.reveal import Safe, compile_reveal, locks
from proxy.content.rules import Rules
from proxy.errors import ConfigError
from proxy.settings.check_masks import masks
from proxy.settings.load import Loaded


def prepare_reveal(loaded: Loaded, position: int, *, response: bool) -> tuple[Safe, Rules]:
    """The tokens of the route at `position`, one way, and what opens them in a body.

    The first rules of the `Safe` are those of that way. Raises ConfigError with every mistake.
    """
    route = loaded.settings.routes[position]
    policy = route.response if response else route.request
    names = {rule.action.encrypt.key for rule in policy.mask if rule.action.encrypt is not None}
    preparation = Preparation(loaded)
    keys = masking_keys(preparation, names)

    def build() -> tuple[Safe, Rules]:
        others = [rule for _, rule in masks(loaded.settings) if rule not in policy.mask]
        safe = Safe(tuple(locks([*policy.mask, *others], keys)))
        return safe, compile_reveal(policy, route.limits, keys, safe)

    made = preparation.attempt(("routes", position), build) if not preparation.problems else None
    if made is None:
        raise ConfigError(preparation.problems)
    return made
