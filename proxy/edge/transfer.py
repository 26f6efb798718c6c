"""What is known so far of one attempt of one transfer, and how it is judged at its end."""

import hashlib
import hmac
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import trio

from proxy.edge.attempt import Attempt
from proxy.edge.budget import Share
from proxy.edge.flow import Flow
from proxy.edge.gate import Gate, Keeper, Lane
from proxy.edge.signing import nonce_of
from proxy.errors import WITHDRAWN, LockgateError, Refusal, UpstreamFailure
from proxy.model import (
    AnswerHead,
    Claim,
    Content,
    Digest,
    Earlier,
    Head,
    Headers,
    Outcome,
    Peer,
    Verdict,
)
from proxy.model.signed import Verified
from proxy.policy.entries import Facts
from proxy.policy.paths import split
from proxy.settings.schema import Route
from proxy.wire.evidence import NOTHING, Evidence, upstream_evidence
from proxy.wire.headers import is_repeated

_INCOMPLETE = {"request-incomplete", "request-timeout", "cut-off", "overloaded"}
"""Refusals that are nobody's decision: the transfer did not fit through, and may be tried again."""

_AFTER_ALL = {"answer-refused", *WITHDRAWN}
"""Refusals of an answer: what it answers has been delivered, or has failed, all the same."""


@dataclass(slots=True, eq=False, kw_only=True)
class Transfer(Attempt):
    """An HTTP message; `outcome` freezes it into what the receipt says."""

    share: Share
    """Of what the process may keep back at once."""
    key: bytes = field(default_factory=partial(os.urandom, 32))
    """Only the sender gets it: keys the digests of what it sent."""

    known_head: Head = field(init=False)
    """The head, for stops that come after it was read."""
    masked_head: Head | None = None
    """The head as it goes on, where the route masks header fields or the query."""
    masked_request: dict[str, int] = field(default_factory=dict)
    """What was masked in it, and in the trailers: `header NAME` or `query NAME` -> how many."""
    masked_answer: dict[str, int] = field(default_factory=dict)
    """And in the answer's."""
    shadow_request: dict[str, int] = field(default_factory=dict)
    """What rules in shadow would have masked beside the request's content: rule -> how many."""
    shadow_answer: dict[str, int] = field(default_factory=dict)
    """And beside the answer's."""
    request: Flow | None = None
    forwarded: int = 0
    """Content octets sent towards the upstream: never fewer than have gone, when a send fails."""
    signature: Verified | None = None
    """The signature of the request, where the route demands one and it holds."""
    require_in_force: Callable[[], None] = lambda: None
    """Asks again whether that holds, when time has passed. Raises Refusal `signature-expired`."""
    claim: Claim | None = None
    """What was asked of the table of ids; None on a route that does not ask."""
    earlier: Earlier | None = None
    """The attempt that has delivered this id; None when it is ours to use."""
    sent_whole: bool = False
    """The end of the request went to the upstream."""

    known_answer_head: AnswerHead = field(init=False)
    """The head of the answer, for stops that come after it was read."""
    answer_has_body: bool = True
    """False for what never has content (RFC 9110, 6.4.1), and for an empty one: `relay.look`."""
    answer: Flow | None = None
    answered: int = 0
    """Content octets of the answer that went to the sender."""
    behind: Evidence = NOTHING
    """Receipts of the gateways behind us, and their keys, as far as the answer has brought them."""
    answer_whole: bool = False
    """The upstream's answer came to its end."""

    def release(self) -> None:
        """It is over. Its flows ask it, so it lets go of them: a circle would wait for the garbage
        collector, with all that they have read."""
        self.share.release()
        self.request = self.answer = None

    def route_in(self, gate: Gate) -> Route:
        head = self.known_head
        return gate.routes.find(self.listener, head.method, head.path)

    def ask(self, lane: Lane, now: datetime) -> None:
        """As any attempt; and the key that signed the request is still one that may.

        Raises Refusal, signature-refused as well.
        """
        Attempt.ask(self, lane, now)
        if self.signature is not None and lane.signing is not None:
            lane.signing.require_key(self.signature, self.peer)

    def facts(self, now: datetime) -> Facts:
        head = self.known_head
        return Facts(self.peer, now, head.method, split(head.path))

    @property
    def over(self) -> bool:
        return self.concluded

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def head(self) -> Head | None:
        """The head, where it was read."""
        return getattr(self, "known_head", None)

    @property
    def answer_head(self) -> AnswerHead | None:
        """The head of the answer, where one was read."""
        return getattr(self, "known_answer_head", None)

    @property
    def known_request(self) -> Flow:
        """The flow of the request's body, for stops that come after it was opened."""
        if self.request is None:
            raise LockgateError("a stop ran before the request was admitted")
        return self.request

    @property
    def known_answer(self) -> Flow:
        """The flow of the answer's body, for stops that come after it was opened."""
        if self.answer is None:
            raise LockgateError("a stop ran before the answer was admitted")
        return self.answer

    def take_evidence(self, trailers: Headers = ()) -> None:
        """Read the receipts that came with the answer, in its head or behind it."""
        self.behind = upstream_evidence((*self.known_answer_head.headers, *trailers))

    @property
    def held(self) -> Claim | None:
        """A repeat holds no id, but its nonce."""
        free = self.earlier is None or (self.claim is not None and self.claim.nonce is not None)
        return self.claim if free else None

    def wish(self) -> Claim:
        """What is asked of the table of ids."""
        route = self.known_lane.route
        return Claim(
            sender=self.peer.name,
            route=route.name,
            transfer_id=self.id,
            window=route.remembers,
            forward_undecided=route.replay.after_indeterminate == "forward",
            nonce=None if self.signature is None else nonce_of(self.signature),
        )

    def asked(self) -> bytes:
        """What the sender asks for, in 32 octets: the same for the same method, target and content.

        The content has been received whole by now, on a route that asks the table of ids.
        """
        head, content = self.known_head, self.known_request.received_sha256
        return hashlib.sha256(f"{head.method} {head.target} ".encode() + content).digest()

    def verdict(self, refusal: Refusal | None) -> Verdict:
        """How this attempt ended (docs/receipts.md)."""
        answer = self.answer_head
        status = answer.status if answer else None
        settled = self.answer_whole or refusal is None or refusal.code in _AFTER_ALL
        if status is not None and settled:
            return Verdict.DELIVERED if self.sent_whole and status < 400 else Verdict.FAILED
        if self.sent_whole:
            return Verdict.INDETERMINATE
        if refusal is None or isinstance(refusal, UpstreamFailure) or refusal.code in _INCOMPLETE:
            return Verdict.FAILED
        return Verdict.REJECTED

    def outcome(self, status: int | None, refusal: Refusal | None) -> Outcome:
        """Freeze what is known; `status` is what the sender is about to be answered with."""
        head, answer, held = self.head, self.answer_head, self.held
        route = self.lane.route if self.lane else None
        return Outcome(
            attempt_id=self.attempt_id,
            transfer_id=self.id,
            verdict=self.verdict(refusal),
            status=status,
            problem=refusal.code if refusal else None,
            listener=self.listener,
            route=route.name if route else None,
            upstream=route.upstream if route else None,
            method=head.method if head else None,
            target_hmac=self._keyed(head.target.encode()) if head else None,
            content_length=head.framing.length if head else None,
            request=self._request_content(),
            answer_status=answer.status if answer else None,
            answer=self._answer_content(),
            sender=self.peer,
            receiver=self.receiver,
            policy_sha256=self.gate.loaded.sha256,
            rule=self.rule,
            received_at=self.received_at,
            claim=held,
            content_sha256=self.asked() if held and self.sent_whole else None,
            duplicate_of=self.earlier.index if self.earlier else None,
            signature=self.signature,
            answer_repeated=answer is not None and is_repeated(answer),
            further=tuple(hashlib.sha256(each).digest() for each in self.behind.envelopes),
        )

    def _request_content(self) -> Content:
        content = Content(Digest(0), None, None, None)
        if self.request is not None:
            content = self.request.content(crossed=self.sent_whole, sent=self.forwarded)
        told = content.told("request", self.masked_request, self.shadow_request)
        return told.noting(self.would) if self.would else told

    def _answer_content(self) -> Content | None:
        if self.answer is None:
            return None
        content = self.answer.content(crossed=self.answer_whole, sent=self.answered)
        return content.told("response", self.masked_answer, self.shadow_answer)

    def _keyed(self, data: bytes) -> bytes:
        return hmac.digest(self.key, data, "sha256")


def begun(keeper: Keeper, listener: str, peer: Peer, scope: trio.CancelScope) -> Transfer:
    """One more, of which nothing is known but who sends it. Whoever begins it keeps it no longer
    than it goes on: most connections wait, and what is over costs each of them tens of KiB."""
    share = Share(peer.name, keeper.budget, keeper.room)
    attempt_id = keeper.notary.attempt_id()
    return Transfer(listener, peer, keeper.gate, attempt_id, scope=scope, share=share)
