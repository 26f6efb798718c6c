"""Heads made of lines, and the fields that they have on the other side of the gate."""

from proxy.model import AnswerHead, Head, Headers, Peer
from proxy.wire import headers as wire
from proxy.wire.grammar import answer_head, request_head

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
DIGEST = b"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"


def received(*lines: bytes, host: bytes = b"gate.example:8443", version: bytes = b"1.1") -> Head:
    return request_head(
        b"\r\n".join([b"POST /a HTTP/" + version, b"Host: " + host, *lines, b"", b""])
    )


def answered(*lines: bytes) -> AnswerHead:
    return answer_head(b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b""]), "GET")


def forwarded(
    head: Head,
    *,
    peer: Peer = Peer(address="192.0.2.7"),  # noqa: B008
    label: str | None = None,
    content_digest: bytes | None = None,
    keep_digest: bool = True,
) -> Headers:
    return tuple(
        wire.forward_request(
            head,
            gateway="gate-a",
            upstream_host="up.example:9443",
            peer=peer,
            transfer_id=ID,
            label=label,
            content_digest=content_digest,
            keep_digest=keep_digest,
        )
    )


def returned(head: AnswerHead, *, keep_digest: bool = True) -> Headers:
    return tuple(
        wire.forward_answer(head, gateway="gate-a", transfer_id=ID, keep_digest=keep_digest)
    )


def values(fields: Headers, name: bytes) -> list[bytes]:
    return [value for key, value in fields if key == name]
