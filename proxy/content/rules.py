"""A content policy, compiled once for a route and a direction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from proxy.content.actions import Keys, compile_action
from proxy.content.codings import CodedInspector
from proxy.content.detect import Detector
from proxy.content.fields import Fields
from proxy.content.form import FormInspector
from proxy.content.head import NO_HEAD_MASKS, HeadMasks, compile_head
from proxy.content.inspector import (
    Inspector,
    JsonInspector,
    NdjsonInspector,
    OpaqueInspector,
)
from proxy.content.kinds import Likelihood
from proxy.content.masker import Engine, Makers
from proxy.content.names import folded
from proxy.content.native import NATIVE, Native
from proxy.content.only import OnlyInspector
from proxy.content.own import own_kinds
from proxy.content.paths import Automaton, State
from proxy.content.registry import KINDS
from proxy.content.segments import normal, parse
from proxy.content.shadow import (
    Shadow,
    ShadowInspector,
    as_if,
    found_by,
    has_shadow,
    in_force,
    masked_by,
)
from proxy.content.table import Shape, TableInspector, shapes
from proxy.content.text import TextInspector
from proxy.content.values import Replace
from proxy.content.watch import resolved, watches
from proxy.settings.schema import Action, ContentPolicy, Limits, OwnType

Act = Callable[[Action, Keys, str], Replace | None]
"""As `compile_action`."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What `compile_rules` makes. Holds no state of a body: open an inspector for each."""

    engine: Engine
    shapes: Mapping[str, Shape]
    """Of tables, by format."""
    head: HeadMasks = NO_HEAD_MASKS
    """Beside the content: header fields and query parameters."""
    form: Fields | None = None
    """Of forms; None where they may not cross."""
    only: State | None = None
    """Of JSON, where `allow_only` says what may cross."""
    raises: frozenset[str] = frozenset()
    """The labels that findings may raise content to."""
    shadow: Shadow | None = None
    """What is counted beside it; None where no rule is in shadow."""

    def open(
        self,
        format: str,  # noqa: A002 (the word of the policy)
        codings: Sequence[str] = (),
        above: frozenset[str] = frozenset(),
    ) -> Inspector:
        """An inspector for one body in a format of the policy, and these content codings.

        What would raise its label to one of `above` is redacted instead.
        """
        inner = self._open(format, replace(self.engine, above=above) if above else self.engine)
        if self.only is not None and format in ("json", "ndjson"):
            inner = OnlyInspector(inner, self.only, self.engine.limits)
        if self.shadow is not None and format != "opaque":
            second = self.shadow.open(format, (), above)
            inner = ShadowInspector(inner, second, self.shadow)
        if not codings:
            return inner
        return CodedInspector(inner, codings, self.engine.limits)

    def _open(self, format: str, engine: Engine) -> Inspector:  # noqa: A002
        match format:
            case "json":
                return JsonInspector(engine)
            case "ndjson":
                return NdjsonInspector(engine)
            case "text":
                return TextInspector(engine)
            case "opaque":
                return OpaqueInspector()
        if format == "form" and self.form is not None:
            return FormInspector(engine, self.form)
        if format in self.shapes:
            return TableInspector(engine, self.shapes[format])
        raise ValueError("a format that is not of the policy")


def compile_rules(
    policy: ContentPolicy,
    limits: Limits,
    keys: Mapping[str, Sequence[tuple[str, bytes]]],
    highest_label: str,
    scale: Sequence[str],
    act: Act = compile_action,
    native: Native = NATIVE,
    own: Mapping[str, OwnType] | None = None,
) -> Rules:
    """Compile one direction's policy, and beside it one with the rules in shadow in force.

    `keys` is key name -> (key id, secret octets), newest first; `scale` is every label, lowest
    first; `act` makes of an action what replaces a value; `own` are the configuration's own types.
    Raises ValueError for a path, key, label or pattern that cannot be used, and CredentialError for
    a secret that cannot.
    """
    compiled = partial(
        _compiled, limits=limits, keys=keys, highest_label=highest_label, scale=scale, act=act,
        native=native, own=own or {},
    )  # fmt: skip
    if not has_shadow(policy):
        return compiled(policy)
    second = compiled(as_if(policy, scale[0]))
    table = {**KINDS, **own_kinds(own or {})}
    shadow = Shadow(
        second.open,
        second.head,
        masked_by(policy, fold=folded if policy.fold_names else str),
        found_by(policy, lambda pairs: resolved(pairs, table)),
    )
    return replace(compiled(in_force(policy)), shadow=shadow)


def _compiled(
    policy: ContentPolicy,
    *,
    limits: Limits,
    keys: Mapping[str, Sequence[tuple[str, bytes]]],
    highest_label: str,
    scale: Sequence[str],
    act: Act,
    native: Native,
    own: Mapping[str, OwnType],
) -> Rules:
    """All rules of a policy."""
    by_path = [(rule.path, rule.action) for rule in policy.mask if rule.path is not None]
    _require_paths(by_path, policy.allow_only)
    for detect in policy.detect:
        if detect.raises is not None and detect.raises not in scale:
            raise ValueError(f"{detect.type}: label {detect.raises} is not on the scale")
    paths = [path for path, _ in by_path]
    automaton = Automaton(paths, fold=policy.fold_names)
    actions = tuple(act(action, keys, normal(path)) for path, action in by_path)
    detector = _detector(policy, keys, highest_label, own)
    return Rules(
        Engine(
            limits=limits,
            automaton=automaton,
            open=native.opener(automaton, limits.depth, limits.record),
            makers=Makers(actions, native),
            paths=tuple(paths),
            actions=actions,
            detector=detector,
            scale=tuple(scale),
        ),
        shapes(policy, paths),
        compile_head(policy.mask, keys, fold=policy.fold_names),
        _pairs(policy, paths),
        _only(policy),
        detector.raises if detector is not None else frozenset(),
    )


def require_reached(path: str, policy: ContentPolicy) -> None:
    """Raises ValueError for a path of `mask` that matches nothing in any format of the policy."""
    alone = policy.model_copy(update={"allow_only": []})
    shapes(alone, [path])
    _pairs(alone, [path])


def _only(policy: ContentPolicy) -> State | None:
    """Where the walk over what may cross begins; None: all may."""
    if not policy.allow_only:
        return None
    return Automaton(policy.allow_only, fold=policy.fold_names).root


def _pairs(policy: ContentPolicy, paths: Sequence[str]) -> Fields | None:
    """The fields of a form, where the policy admits one."""
    if "form" not in policy.content:
        return None
    return Fields(paths, policy.allow_only, named=True, fold=policy.fold_names)


def _detector(
    policy: ContentPolicy,
    keys: Mapping[str, Sequence[tuple[str, bytes]]],
    highest_label: str,
    own: Mapping[str, OwnType],
) -> Detector | None:
    masks = [
        (rule.type, compile_action(rule.action, keys, f"type {rule.type}"))
        for rule in policy.mask
        if rule.type is not None
    ]
    watched = watches(policy.detect, masks, {**KINDS, **own_kinds(own)}, highest_label)
    threshold = Likelihood[policy.likelihood.upper()]
    return Detector(watched, threshold, policy.decode) if watched else None


def _require_paths(rules: Sequence[tuple[str, Action]], allow_only: Sequence[str]) -> None:
    """Raises ValueError that names the path."""
    drops = [(path, action.drop) for path, action in rules]
    for path, drop in [*drops, *((path, False) for path in allow_only)]:
        try:
            segments = parse(path)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        if drop and not segments:
            raise ValueError(f"{path}: a whole document cannot be dropped; redact it")
