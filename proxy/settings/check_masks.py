"""What masking rules may be together."""

from collections.abc import Iterator

from proxy.settings.mistakes import Mistakes
from proxy.settings.schema import MaskRule, Settings
from proxy.settings.yaml12 import Path


def require_masks(settings: Settings, mistakes: Mistakes) -> None:
    """Note what no rule can do where it stands, and every key that makes tokens of both kinds.

    The two are apart by derivation, so that this would give nothing away to a stranger. But who may
    decrypt has the key, and could then look for the value behind every pseudonym as well.
    """
    rules = list(masks(settings))
    pseudonyms = {rule.action.hmac.key for _, rule in rules if rule.action.hmac is not None}
    for path, rule in rules:
        encrypt = rule.action.encrypt
        if encrypt is not None and encrypt.key in pseudonyms:
            mistakes.add(
                (*path, "action", "encrypt", "key"),
                "`hmac` uses this key too: who may decrypt could then guess its pseudonyms; "
                "give each a key of its own",
            )
        if rule.path == "$" and rule.action.drop:
            text = "a whole document cannot be dropped; redact it"
            mistakes.add((*path, "action"), text)
        if rule.query is not None and "response" in path:
            mistakes.add((*path, "query"), "only a request has a query")
        if rule.header is not None and not _fits_in_a_field(rule):
            text = "a header field holds printable characters, without space at either end"
            mistakes.add((*path, "action"), text)


def _fits_in_a_field(rule: MaskRule) -> bool:
    constant = rule.action.redact.with_ if rule.action.redact is not None else None
    return not isinstance(constant, str) or (
        constant.isprintable() and constant == constant.strip()
    )


def masks(settings: Settings) -> Iterator[tuple[Path, MaskRule]]:
    """(path, rule) of every masking rule, in both directions."""
    for index, route in enumerate(settings.routes):
        for way, policy in (("request", route.request), ("response", route.response)):
            for number, rule in enumerate(policy.mask):
                yield ("routes", index, way, "mask", number), rule


def keys_in_use(settings: Settings) -> set[str]:
    """The names of all keys that an action names."""
    actions = [rule.action for _, rule in masks(settings)]
    return {option.key for each in actions for option in (each.hmac, each.encrypt) if option}


def keys_that_encrypt(settings: Settings) -> set[str]:
    """The names of those that `encrypt` names."""
    actions = [rule.action for _, rule in masks(settings)]
    return {action.encrypt.key for action in actions if action.encrypt is not None}
