"""What another configuration would change of a transfer's end, and what cannot be told of it.

    refused   it went on then, and would be refused
    passes    it was refused then, and would get past that stop; what lies behind it is not known
    answer    it would be delivered as it was, and its answer withheld
    unsure    that depends on what is not known

What was refused for what no policy says (malformed, damaged, a repetition) would be refused again.
"""

from dataclasses import dataclass
from typing import Final

from proxy.cli.past import Past
from proxy.cli.past_judge import PASSES, REFUSED, UNSURE, Judged
from proxy.model import Verdict

ANSWER: Final = "answer"
DECIDED: Final = frozenset(
    {
        "not-allowed",
        "no-route",
        "above-clearance",
        "content-too-large",
        "content-not-allowed",
        "content-unexpected",
        "finding-rejected",
        "transfer-id-required",
        "digest-required",
        "signature-required",
        "signature-malformed",
        "signature-refused",
        "signature-expired",
    }
)
"""Codes of refusals that a policy decides, and a receipt can be asked about again."""
_NEEDS: Final = {
    "above-clearance": "label",
    "content-too-large": "size",
    "content-not-allowed": "format",
    "finding-rejected": "findings",
}
"""What is known only as far as the content was read."""


@dataclass(frozen=True, slots=True)
class Change:
    """`kind` is `refused`, `passes`, `answer` or `unsure`."""

    kind: str
    past: Past
    judged: Judged
    keys: tuple[str, ...] = ()

    @property
    def then(self) -> str:
        return f"{self.past.verdict.value}{f' {self.past.problem}' if self.past.problem else ''}"

    @property
    def now(self) -> str:
        if self.kind == REFUSED:
            return f"rejected {self.judged.code}"
        if self.kind == PASSES:
            return f"gets past {self.past.problem}"
        return "answer withheld" if self.kind == ANSWER else "not known"

    @property
    def why(self) -> str:
        judged = self.judged
        if self.kind == REFUSED:
            return judged.reason
        if self.kind == PASSES:
            return f"{judged.rules[0]} of route {judged.route}" if judged.rules else ""
        return (judged.answer or "") if self.kind == ANSWER else ", ".join(self.keys)


def change(past: Past, judged: Judged) -> Change | None:
    """What would be otherwise; None where nothing would."""
    if past.verdict is not Verdict.REJECTED:
        if judged.verdict == PASSES:
            withheld = judged.answer is not None and past.problem is None
            return Change(ANSWER, past, judged) if withheld else None
        return Change(judged.verdict, past, judged, judged.keys)
    if past.problem not in DECIDED or judged.verdict == REFUSED:
        return None
    keys = tuple(dict.fromkeys((*judged.keys, *_lacking(past, judged))))
    return Change(UNSURE if keys else PASSES, past, judged, keys)


def _lacking(past: Past, judged: Judged) -> tuple[str, ...]:
    """What the stop that refused it then would have to know."""
    need, body = _NEEDS.get(past.problem or ""), past.request
    if need is None or (need == "findings" and body.findings):
        return ()
    return () if need == "label" and judged.label is not None else (need,)
