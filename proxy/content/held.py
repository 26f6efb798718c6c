"""A body that is held whole until it has ended, within `limits.document`."""

from proxy.content.tally import refuse_more
from proxy.errors import Refusal


class Held:
    """What has come of one document."""

    def __init__(self, limit: int, name: str) -> None:
        """`limit` in octets; `name` is what a refusal calls it: `a form`."""
        self._limit = limit
        self._name = name
        self._octets = bytearray()
        self._ended = False

    def __len__(self) -> int:
        return len(self._octets)

    def feed(self, data: bytes) -> bytes:
        """Take the next octets; gives none. Raises Refusal: they are too many, or too late."""
        if self._ended:
            refuse_more()
        if len(self._octets) + len(data) > self._limit:
            self._ended = True
            self._octets.clear()
            raise Refusal("content-too-large", f"{self._name} over limits.document")
        self._octets += data
        return b""

    def end(self, behind: bytes = b"") -> bytes:
        """All that came, with `behind` behind it; nothing is held any more. Raises Refusal."""
        if self._ended:
            refuse_more()
        self._ended = True
        self._octets += behind
        octets = bytes(self._octets)
        self._octets.clear()
        return octets
