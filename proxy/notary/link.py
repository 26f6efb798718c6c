"""What a worker asks of the log: of the notary itself in one process, over a channel in many."""

from collections.abc import Mapping
from typing import Protocol

from proxy.model import Claim, Earlier, Receipt, Submission


class Link(Protocol):
    """`proxy.notary.Notary` or `proxy.notary.remote.RemoteLink`."""

    @property
    def ready(self) -> bool:
        """True while intents may be taken."""

    async def reserve(
        self, claim: Claim, attempt_id: bytes, *, holder: str = ""
    ) -> Earlier | None:
        """None: the id is held until this attempt is concluded. Else who delivered it before.

        `holder` names the worker. Raises `Refusal` (in-flight, undecided, overloaded) and
        `LogFailure`. Asked again for the same attempt it answers the same.
        """

    async def matches(self, claim: Claim, content_sha256: bytes) -> bool:
        """Whether this content is what was delivered under the id; False where nobody knows."""

    async def conclude(self, submission: Submission, *, resent: bool = False) -> Receipt:
        """Return when the attempt's statement is durable. Raises `LogFailure`.

        An attempt has one statement: whoever comes again gets the receipt of the first. With
        `resent` that is looked up in the whole log, and a failing disk is waited for. After a
        `LogFailure` the statement may be written all the same, later, and then says that the
        sender had no answer (status null): the sender must not be told otherwise, and the intent
        must not be cleared before a `resent` one has got its receipt.
        """

    async def entry(self, index: int) -> bytes | None:
        """The exact octets of a durable leaf; None where there is none. Raises `LogFailure`."""

    async def latest(self, sender: str, route: str, transfer_id: str) -> bytes | None:
        """The latest leaf about a transfer; None where none is remembered. Raises `LogFailure`."""

    def shed(self, counts: Mapping[str, int]) -> None:
        """Add refused handshakes and shed requests, by `<listener>:<reason>`."""
