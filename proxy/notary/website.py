"""Reads a log that a web server serves (c2sp.org/tlog-tiles): its checkpoint, tiles and bundles."""

from typing import Final

from proxy.errors import OutOfReachError
from proxy.notary.client import Client, Unreachable
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.tiles import MAX_ENTRY

_TIMEOUT: Final = 30.0
_MOST: Final = TILE_WIDTH * (MAX_ENTRY + 2)


class Website:
    """A log's URL. What cannot be had raises `OutOfReachError`; one file is asked for at a time."""

    def __init__(self, url: str) -> None:
        """Raises `EvidenceError` unless `url` is http:// or https:// and the prefix of a log."""
        self.url = url.rstrip("/")
        self._client = Client(url, timeout=_TIMEOUT, most=_MOST)

    def load(self, name: str) -> bytes | None:
        """One file; None where there is none."""
        try:
            status, _, body = self._client.ask("GET", f"/{name}")
        except Unreachable as error:
            raise OutOfReachError(f"{self.url}/{name}: {error}") from None
        if status in (404, 410):
            return None
        if status != 200:
            raise OutOfReachError(f"{self.url}/{name}: the server answered {status}")
        return body

    def close(self) -> None:
        """End the connection."""
        self._client.close()
