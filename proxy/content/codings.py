"""Content codings (RFC 9110, 8.4): coded content is looked into decoded, and goes on coded again.

    octets ─ gzip or zstd decoded ─ inspector ─ gzip or zstd encoded ─ octets

Both decoders give at most `_PIECE` octets at a time, and each piece goes through the inspector and
the encoder before the next is made, so that memory does not grow with what a body decodes to. The
bounds, all counted against the octets that were received:

    limits.body      what comes, and what it decodes to
    limits.ratio     octets decoded for one received, above the first MiB
    limits.members   gzip members (RFC 1952, 2.2) and zstd frames (RFC 8878, 3.1)

A member must be whole and its checksum right; what stands behind the last one must be another. Two
codings at most, and none twice. Windows of zstd are at most 8 MiB (RFC 9659).
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Final, Protocol, cast

from isal import igzip_lib, isal_zlib

from proxy.content.inspector import Inspector
from proxy.errors import Refusal
from proxy.model import Report
from proxy.settings.schema import Limits

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_NAMES: Final = {"gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}  # RFC 9110, 8.4.1.3
_MOST: Final = 2
_PIECE: Final = 64 * 1024
_FREE: Final = 2**20
"""Octets that may be decoded whatever the ratio: small bodies repeat themselves."""
_GZIP: Final = 31
"""wbits: a window of 32 KiB and a gzip wrapper."""
_LEVEL: Final = 1
_IsalError = cast("type[Exception]", igzip_lib.IsalError)  # its stub calls it an instance
_WINDOW: Final[dict[int, int]] = {zstd.DecompressionParameter.window_log_max: 23}
_FRAME: Final[dict[int, int]] = {
    zstd.CompressionParameter.compression_level: _LEVEL,
    zstd.CompressionParameter.checksum_flag: 1,
}


def require_codings(values: Sequence[bytes], admitted: Sequence[str]) -> tuple[str, ...]:
    """The codings that a body is in, in the order in which they were applied.

    `values` are those of Content-Encoding. Raises Refusal("content-not-allowed") for one that is
    unknown or not in `admitted`, for one that comes twice, and for more than two.
    """
    if not values:
        return ()
    words = [word.strip(b" \t").lower() for word in b",".join(values).split(b",")]
    named = [word.decode("latin-1") for word in words if word not in (b"", b"identity")]
    codings = tuple(_NAMES.get(word, "") for word in named)
    if not set(codings) <= set(admitted):
        raise Refusal("content-not-allowed", "a content coding that this route does not admit")
    if len(codings) > _MOST or len(set(codings)) < len(codings):
        raise Refusal("content-not-allowed", "content codings upon each other")
    return codings


def accepted_codings(values: Sequence[bytes], admitted: Sequence[str]) -> bytes:
    """Accept-Encoding for the upstream: what the sender accepts and the route admits.

    Weights stay as sent (RFC 9110, 12.5.3); `identity` when nothing is left.
    """
    if not values:
        return b"identity"
    members = [member.strip(b" \t") for member in b",".join(values).split(b",")]
    kept = [
        member
        for member in members
        if _NAMES.get(member.split(b";")[0].rstrip(b" \t").lower().decode("latin-1")) in admitted
    ]
    return b", ".join(kept) or b"identity"


class _Decompressor(Protocol):
    """What `igzip_lib.IgzipDecompressor` and `zstd.ZstdDecompressor` have in common."""

    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...


class _Meter:
    """What was received of one body, and the bounds on what it may become."""

    def __init__(self, limits: Limits) -> None:
        self.received = 0
        self._limits = limits

    def require(self, decoded: int, members: int) -> None:
        limits = self._limits
        if decoded > limits.body:
            raise Refusal("content-too-large", f"decodes to more than {limits.body} octets")
        if decoded > _FREE and decoded > limits.ratio * self.received:
            raise Refusal("content-too-large", "decodes to more than limits.ratio allows")
        if members > limits.members:
            raise Refusal("content-too-large", f"more than {limits.members} members")


class _Decoder:
    """One coding of one body."""

    def __init__(self, coding: str, meter: _Meter) -> None:
        self._coding = coding
        self._meter = meter
        self._member: _Decompressor | None = None
        self._decoded = self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decoded pieces. Raises Refusal: unparseable, content-too-large."""
        while data or self._member is not None:
            if self._member is None:
                self._begin()
            member = self._member
            if member is None:
                return
            try:
                piece = member.decompress(data, _PIECE)
            except (_IsalError, zstd.ZstdError):
                raise Refusal("unparseable", f"the content is not {self._coding}") from None
            data = b""
            if piece:
                self._decoded += len(piece)
                self._meter.require(self._decoded, self._members)
                yield piece
            if member.eof:
                data, self._member = member.unused_data, None
            elif member.needs_input:
                return

    def finish(self) -> None:
        """Raises Refusal("unparseable") when a member is not whole."""
        if self._member is not None or not self._members:
            raise Refusal("unparseable", f"the {self._coding} content is cut short")

    def _begin(self) -> None:
        self._members += 1
        self._meter.require(self._decoded, self._members)
        if self._coding == "gzip":
            self._member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        else:
            self._member = zstd.ZstdDecompressor(options=_WINDOW)


class _Encoder:
    """One coding again. What a feed() makes can be decoded at once: streams keep flowing."""

    def __init__(self, coding: str) -> None:
        self._gzip = isal_zlib.compressobj(_LEVEL, wbits=_GZIP) if coding == "gzip" else None
        self._zstd = zstd.ZstdCompressor(options=_FRAME)

    def feed(self, data: bytes) -> bytes:
        if not data:
            return b""
        if self._gzip is not None:
            return self._gzip.compress(data) + self._gzip.flush(isal_zlib.Z_SYNC_FLUSH)
        return self._zstd.compress(data, self._zstd.FLUSH_BLOCK)

    def finish(self, data: bytes) -> bytes:
        if self._gzip is not None:
            return self._gzip.compress(data) + self._gzip.flush(isal_zlib.Z_FINISH)
        return self._zstd.compress(data, self._zstd.FLUSH_FRAME)


class CodedInspector:
    """An inspector between decoders and encoders. Satisfies `Inspector`."""

    def __init__(self, inner: Inspector, codings: Sequence[str], limits: Limits) -> None:
        self._inner = inner
        self._codings = tuple(codings)
        self._meter = _Meter(limits)
        self._decoders = [_Decoder(coding, self._meter) for coding in reversed(codings)]
        self._encoders = [_Encoder(coding) for coding in codings]

    def feed(self, data: bytes) -> bytes:
        self._meter.received += len(data)
        out: list[bytes] = []
        for piece in self._decoded(data):
            checked = self._inner.feed(piece)
            for encoder in self._encoders:
                checked = encoder.feed(checked)
            out.append(checked)
        return b"".join(out)

    def finish(self) -> bytes:
        for decoder in self._decoders:
            decoder.finish()
        checked = self._inner.finish()
        for encoder in self._encoders:
            checked = encoder.finish(checked)
        return checked

    @property
    def held(self) -> int:
        return self._inner.held

    def report(self) -> Report:
        return self._inner.report().coded(self._codings)

    def abandon(self) -> None:
        self._inner.abandon()

    def _decoded(self, data: bytes) -> Iterator[bytes]:
        pieces: Iterator[bytes] = iter((data,))
        for decoder in self._decoders:
            pieces = _through(decoder, pieces)
        return pieces


def _through(decoder: _Decoder, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from decoder.feed(piece)
