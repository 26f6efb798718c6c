"""The parts of a certificate as they are encoded, for what no library shows.

cryptography and OpenSSL both give meaning; some rules of RFC 5280 are about form: which of two
encodings of a time was used, whether both statements of the signature algorithm are the same
octets, what stands in a field that a library skips. This reads DER (X.690) one level at a time, so
that no depth of nesting costs anything, and refuses what is not DER: indefinite or long-winded
lengths, tags of several octets, octets left over.

    30 0d 06 09 2a864886f70d01010b 05 00     SEQUENCE { OID, NULL }
    values(...) -> [Value(0x30, content)]; values(content) -> [Value(0x06, …), Value(0x05, b"")]
"""

from dataclasses import dataclass

BOOLEAN, INTEGER, BITS, OCTETS, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
SEQUENCE, SET, UTC_TIME, GENERALIZED_TIME = 0x30, 0x31, 0x17, 0x18
_VERSION, _ISSUER_ID, _SUBJECT_ID, _EXTENSIONS = 0xA0, 0x81, 0x82, 0xA3
_TRUE = b"\xff"


@dataclass(frozen=True, slots=True)
class Value:
    """One tag-length-value: its first octet, its content, and all of it as encoded."""

    tag: int
    content: bytes
    whole: bytes


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension: the octets of its OID, whether it is critical, and the DER inside."""

    oid: bytes
    critical: bool
    content: bytes


@dataclass(frozen=True, slots=True)
class Parts:
    """The fields of a certificate (RFC 5280, 4.1), each as encoded."""

    version: int
    serial: bytes
    inner_algorithm: bytes
    outer_algorithm: bytes
    issuer: bytes
    not_before: Value
    not_after: Value
    subject: bytes
    public_key: bytes
    unique_ids: bool
    extensions: tuple[Extension, ...]


def values(data: bytes) -> list[Value]:
    """Everything in `data`, one level deep. Raises ValueError for what is not DER."""
    found: list[Value] = []
    position, end = 0, len(data)
    while position < end:
        value = _value(data, position)
        position += len(value.whole)
        found.append(value)
    return found


def only(data: bytes, tag: int) -> bytes:
    """The content of the one value that `data` is. Raises ValueError when it is something else."""
    found = values(data)
    if len(found) != 1 or found[0].tag != tag:
        raise ValueError("another value than expected")
    return found[0].content


def parts(certificate: bytes) -> Parts:
    """The fields of a DER certificate. Raises ValueError."""
    tbs, algorithm, signature = _exactly(values(only(certificate, SEQUENCE)), 3)
    _require_tags((tbs, algorithm, signature), (SEQUENCE, SEQUENCE, BITS))
    fields = values(tbs.content)
    version = 1
    if fields and fields[0].tag == _VERSION:
        version = int.from_bytes(only(fields.pop(0).content, INTEGER)) + 1
    serial, inner, issuer, validity, subject, key = _exactly(fields[:6], 6)
    _require_tags(
        (serial, inner, issuer, validity, subject, key), (INTEGER, *(SEQUENCE for _ in range(5)))
    )
    not_before, not_after = _exactly(values(validity.content), 2)
    extensions: tuple[Extension, ...] = ()
    unique_ids = False
    for rest in fields[6:]:
        if rest.tag == _EXTENSIONS:
            extensions = tuple(_extension(each) for each in values(only(rest.content, SEQUENCE)))
        elif rest.tag in (_ISSUER_ID, _SUBJECT_ID):
            unique_ids = True
        else:
            raise ValueError("a field that no certificate has")
    return Parts(
        version=version,
        serial=serial.content,
        inner_algorithm=inner.whole,
        outer_algorithm=algorithm.whole,
        issuer=issuer.whole,
        not_before=not_before,
        not_after=not_after,
        subject=subject.whole,
        public_key=key.whole,
        unique_ids=unique_ids,
        extensions=extensions,
    )


def _extension(value: Value) -> Extension:
    fields = values(value.content) if value.tag == SEQUENCE else []
    critical = len(fields) == 3
    if critical:
        flag = fields.pop(1)
        if flag.tag != BOOLEAN or flag.content != _TRUE:
            raise ValueError("criticality is written only where it is TRUE, as FF")
    oid, content = _exactly(fields, 2)
    _require_tags((oid, content), (OID, OCTETS))
    return Extension(oid.content, critical, content.content)


def _exactly(found: list[Value], count: int) -> list[Value]:
    if len(found) != count:
        raise ValueError("another number of fields than expected")
    return found


def _require_tags(found: tuple[Value, ...], tags: tuple[int, ...]) -> None:
    if tuple(each.tag for each in found) != tags:
        raise ValueError("a field of another type than expected")


def _value(data: bytes, start: int) -> Value:
    if len(data) < start + 2 or data[start] & 0x1F == 0x1F:
        raise ValueError("cut short, or a tag of several octets")
    tag, length, begin = data[start], data[start + 1], start + 2
    if length >= 0x80:
        count = length & 0x7F
        written = data[begin : begin + count]
        length, begin = int.from_bytes(written), begin + count
        if not 1 <= count <= 4 or len(written) != count or not written[0] or length < 0x80:
            raise ValueError("a length that is not DER")
    if begin + length > len(data):
        raise ValueError("cut short")
    return Value(tag, data[begin : begin + length], data[start : begin + length])
