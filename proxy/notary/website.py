"""Reads a log that a web server serves (c2sp.org/tlog-tiles): its checkpoint, tiles and bundles."""

from collections.abc import Iterator
from typing import Final

from proxy.errors import EvidenceError
from proxy.notary.client import Client, Unreachable
from proxy.receipt import note
from proxy.receipt.merkle import TILE_WIDTH
from proxy.receipt.quorum import CHECKPOINT
from proxy.receipt.tiles import ENTRIES, MAX_ENTRY, load_tile

_TIMEOUT: Final = 30.0
_MOST: Final = TILE_WIDTH * (MAX_ENTRY + 2)


class Website:
    """A log's URL. What cannot be read raises `EvidenceError`; one file is asked for at a time."""

    def __init__(self, url: str) -> None:
        """Raises `EvidenceError` unless `url` is http:// or https:// and the prefix of a log."""
        self._url = url.rstrip("/")
        self._client = Client(url, timeout=_TIMEOUT, most=_MOST)

    def load(self, name: str) -> bytes | None:
        """One file; None where there is none."""
        try:
            status, _, body = self._client.ask("GET", f"/{name}")
        except Unreachable as error:
            raise EvidenceError(f"{self._url}/{name}: {error}") from None
        if status in (404, 410):
            return None
        if status != 200:
            raise EvidenceError(f"{self._url}/{name}: the server answered {status}")
        return body

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """(index, envelope) of all under the checkpoint. Nothing is verified."""
        data = self.load(CHECKPOINT)
        size = 0 if data is None else note.parse_checkpoint(note.parse(data).text).size
        for first in range(0, size, TILE_WIDTH):
            width = min(TILE_WIDTH, size - first)
            _, bundle = load_tile(self.load, ENTRIES, first // TILE_WIDTH, width)
            yield from enumerate(bundle, first)

    def close(self) -> None:
        """End the connection."""
        self._client.close()
