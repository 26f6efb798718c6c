"""What masking rules may be together."""

from collections.abc import Iterator

from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import Action, Settings
from proxy.settings.yaml12 import Path


def require_masks(settings: Settings, mistakes: Mistakes) -> None:
    """Note every key that makes tokens of both kinds.

    The two are apart by derivation, so that this would give nothing away to a stranger. But who may
    decrypt has the key, and could then look for the value behind every pseudonym as well.
    """
    pseudonyms = {action.hmac.key for _, action in masks(settings) if action.hmac is not None}
    for path, action in masks(settings):
        if action.encrypt is not None and action.encrypt.key in pseudonyms:
            mistakes.add(
                (*path, "action", "encrypt", "key"),
                "`hmac` uses this key too: who may decrypt could then guess its pseudonyms; "
                "give each a key of its own",
            )


def masks(settings: Settings) -> Iterator[tuple[Path, Action]]:
    """(path, action) of every masking rule, in both directions."""
    for index, route in enumerate(settings.routes):
        for way, policy in (("request", route.request), ("response", route.response)):
            for number, rule in enumerate(policy.mask):
                yield ("routes", index, way, "mask", number), rule.action


def keys_in_use(settings: Settings) -> set[str]:
    """The names of all keys that an action names."""
    actions = [action for _, action in masks(settings)]
    named = [option.key for each in actions for option in (each.hmac, each.encrypt) if option]
    return set(named)


def keys_that_encrypt(settings: Settings) -> set[str]:
    """The names of those that `encrypt` names."""
    return {action.encrypt.key for _, action in masks(settings) if action.encrypt is not None}
