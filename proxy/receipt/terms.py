"""How a statement writes content, parties, counts and times; nothing longer than it may be."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from proxy.model import Certificate, Content, Digest, Peer

NAME: Final = 1024
"""Octets of the longest name of a peer, path or SAN that is written out."""


def content(content: Content | None, entries: int) -> dict[str, Any] | None:
    if content is None:
        return None
    delivered, report = content.delivered, content.report
    known = delivered.sha256 if delivered is not None else None
    result: dict[str, Any] = {
        "received": _digest(content.received, plain=content.received.sha256 == known),
        "delivered": None if delivered is None else _digest(delivered, plain=True),
        "format": None,
        "opaque": False,
        "changed": False,
        "records": None,
        "masked": {},
        "findings": {},
        "label": content.label,
    }
    if report is not None:
        result |= {
            "format": report.format,
            "opaque": report.format == "opaque",
            "changed": report.changed,
            "records": count(report.records),
            "masked": _counts(report.masked, entries),
            "findings": _counts(report.findings, entries),
        }
    return result


def _digest(digest: Digest, *, plain: bool) -> dict[str, str]:
    result = {}
    if plain and digest.sha256 is not None:
        result["sha256"] = digest.sha256.hex()
    elif digest.hmac_sha256 is not None:
        result["hmacSha256"] = digest.hmac_sha256.hex()
    return result | {"bytes": str(digest.size)}


def _counts(counts: Mapping[str, int], entries: int) -> dict[str, str]:
    """At most `entries` of them, most frequent first, and `others` for what the rest add up to."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = [item for item in ranked if len(item[0].encode()) <= NAME and item[0] != "others"]
    result = {name: str(count) for name, count in kept[:entries]}
    rest = sum(counts.values()) - sum(count for _, count in kept[:entries])
    return result | ({"others": str(rest)} if rest else {})


def peer(peer: Peer, entries: int) -> dict[str, Any]:
    name = {"name": cut(peer.name)}
    return name if peer.certificate is None else name | certificate(peer.certificate, entries)


def certificate(certificate: Certificate, entries: int) -> dict[str, Any]:
    short = [san for san in certificate.sans if len(san.encode()) <= NAME][:entries]
    result: dict[str, Any] = {
        "spkiSha256": certificate.spki_sha256.hex(),
        "certSha256": certificate.sha256.hex(),
        "sans": short,
    }
    rest = len(certificate.sans) - len(short)
    return result | ({"otherSans": str(rest)} if rest else {})


def channel(peer: Peer) -> dict[str, str] | None:
    if peer.channel is None:
        return None
    return {
        "tls": peer.channel.version,
        "cipher": peer.channel.cipher,
        "group": peer.channel.group,
        "exporterSha256": peer.channel.exporter_sha256.hex(),
    }


def count(value: int | None) -> str | None:
    return None if value is None else str(value)


def hexadecimal(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def cut(name: str) -> str:
    return name if len(name.encode()) <= NAME else name.encode()[:NAME].decode(errors="ignore")


def timestamp(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds, `2026-01-31T12:00:00.000000Z`."""
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    return time.isoformat(timespec="microseconds")[:26] + "Z"
