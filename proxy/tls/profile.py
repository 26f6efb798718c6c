"""What a certificate has to be by itself, whoever signed it (RFC 5280, section 4).

OpenSSL and cryptography read generously and show meaning; a certificate that two readers can take
for two things is refused here instead. `examine` raises for the first rule that is broken and
returns what the rules about whole paths need (`proxy.tls.path`).

    form        version 3; a positive serial of at most 20 octets; one signature algorithm, stated
                twice; an issuer; no unique identifiers; times as section 4.1.2.5 has them, in order
    key         `proxy.tls.algorithms`
    extensions  each once, all of them readable; critical only where it is understood and may be,
                and where it has to be
    authority   a subject, subjectKeyIdentifier, keyUsage with keyCertSign, basicConstraints that
                say so; where it has extendedKeyUsage, the one that is asked for
    leaf        none of what only authorities have; an alternative name, critical, or a subject
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.errors import TlsFailure
from proxy.tls.algorithms import require_key, require_signature
from proxy.tls.constraints import Bearer, read_constraints
from proxy.tls.der import GENERALIZED_TIME, UTC_TIME, Extension, Parts, Value, parts
from proxy.tls.identity import UNREADABLE
from proxy.tls.names import DIRECTORY, Name, emails, read_directory, read_names
from proxy.tls.policies import Policies, Step, read_mappings, read_policies

_NOBODY: tuple[Name, ...] = ()
SERIAL = 20
"""Octets of a serial number, at most (RFC 5280, 4.1.2.2), without the zero that tells its sign."""

_E = TypeVar("_E", bound=x509.ExtensionType)
_T = TypeVar("_T")


def _arc(number: int) -> bytes:
    """The OID 2.5.29.number, as encoded."""
    return bytes((0x55, 0x1D, number))


_KEY_USAGE, _ALTERNATIVE, _BASIC, _CONSTRAINTS = _arc(15), _arc(17), _arc(19), _arc(30)
_POLICIES, _MAPPINGS, _POLICY_CONSTRAINTS, _INHIBIT_ANY = _arc(32), _arc(33), _arc(36), _arc(54)
_EXTENDED = _arc(37)
_MAY_BE_CRITICAL = {
    _KEY_USAGE, _ALTERNATIVE, _BASIC, _CONSTRAINTS, _POLICIES, _MAPPINGS, _POLICY_CONSTRAINTS,
    _INHIBIT_ANY, _EXTENDED,
}  # fmt: skip
"""What is processed here. The others may not be critical, or would be ignored though they are."""
_MUST_BE_CRITICAL = {_CONSTRAINTS, _POLICY_CONSTRAINTS, _INHIBIT_ANY}
_OF_AUTHORITIES = _MUST_BE_CRITICAL | {_MAPPINGS}


@dataclass(frozen=True, slots=True)
class Member:
    """One certificate of a path that has passed `examine`."""

    certificate: x509.Certificate
    der: bytes
    signature_algorithm: bytes
    """As encoded."""
    self_issued: bool
    path_length: int | None
    key_identifier: bytes | None
    authority_identifier: bytes | None
    bearer: Bearer
    step: Step


def examine(
    certificate: x509.Certificate, usage: x509.ObjectIdentifier, *, authority: bool = False
) -> Member:
    """Hold one certificate against the profile; `authority` says in which place it stands.

    Raises `TlsFailure`: `untrusted`, `weak_key`, and `usage` for an authority that may not issue
    for `usage` (clientAuth or serverAuth). Fails closed: what does not parse is untrusted.
    """
    try:
        return _examine(certificate, usage, authority)
    except UNREADABLE:
        raise TlsFailure("untrusted", "a part of the certificate does not parse") from None


def _examine(
    certificate: x509.Certificate, usage: x509.ObjectIdentifier, authority: bool
) -> Member:
    der = certificate.public_bytes(Encoding.DER)
    fields = parts(der)
    _require_form(fields)
    require_key(certificate, fields.public_key)
    held = _require_extensions(fields, authority)
    subject, issuer = read_directory(fields.subject), read_directory(fields.issuer)
    _require(bool(issuer), "there is no issuer")
    constraints = _extension(certificate, x509.BasicConstraints)
    key_usage = _extension(certificate, x509.KeyUsage)
    if authority:
        _require(bool(subject), "an authority has no subject")
        _require_authority(certificate, constraints, key_usage, usage)
    else:
        named = subject or (_ALTERNATIVE in held and held[_ALTERNATIVE].critical)
        _require(bool(named), "neither a subject nor a critical subjectAltName")
        issues = constraints is not None and constraints.ca
        granted = key_usage is not None and key_usage.key_cert_sign
        _require(issues or not granted, "keyCertSign in a certificate that is no authority's")
    own = _extension(certificate, x509.SubjectKeyIdentifier)
    above = _extension(certificate, x509.AuthorityKeyIdentifier)
    _require(above is None or above.key_identifier is not None, "an authority without its key")
    self_issued = subject == issuer
    names = _read(held, _ALTERNATIVE, read_names, _NOBODY) + emails(fields.subject)
    if subject:
        names = (Name(DIRECTORY, subject), *names)
    limits = _read(held, _CONSTRAINTS, read_constraints, None)
    return Member(
        certificate=certificate,
        der=der,
        signature_algorithm=fields.outer_algorithm,
        self_issued=self_issued,
        path_length=constraints.path_length if constraints else None,
        key_identifier=own.digest if own else None,
        authority_identifier=above.key_identifier if above else None,
        bearer=Bearer(names, limits, exempt=self_issued and authority),
        step=Step(_policies(certificate, held), self_issued),
    )


def _require_form(fields: Parts) -> None:
    _require(fields.version == 3, "not a certificate of version 3")
    _require(fields.serial[:1] < b"\x80", "a serial that is negative")
    _require(len(fields.serial.lstrip(b"\0")) <= SERIAL, "a serial of more than 20 octets")
    _require(fields.inner_algorithm == fields.outer_algorithm, "two signature algorithms")
    _require(not fields.unique_ids, "unique identifiers")
    begin, end = _moment(fields.not_before), _moment(fields.not_after)
    _require(begin <= end, "the validity ends before it begins")


def require_issued(member: Member) -> None:
    """What is asked of all but the trust anchor, on whose own signature nobody relies. `TlsFailure`

    Roots with the serial zero are common, and nobody can revoke them by it anyway.
    """
    require_signature(member.signature_algorithm)
    _require(member.certificate.serial_number > 0, "a serial that is zero")
    _require(member.authority_identifier is not None, "there is no authorityKeyIdentifier")


_UTC, _GENERALIZED = re.compile(rb"\d{12}Z"), re.compile(rb"\d{14}Z")


def _moment(value: Value) -> str:
    """Section 4.1.2.5: UTCTime until 2049, GeneralizedTime from then on, with seconds, in Z."""
    if value.tag == UTC_TIME and _UTC.fullmatch(value.content):
        text = value.content.decode()
        return ("20" if text < "5" else "19") + text
    if value.tag == GENERALIZED_TIME and _GENERALIZED.fullmatch(value.content):
        _require(value.content >= b"2050", "a time before 2050 in GeneralizedTime")
        return value.content.decode()
    raise TlsFailure("untrusted", "a time that is not written as RFC 5280 has it")


def _require_extensions(fields: Parts, authority: bool) -> Mapping[bytes, Extension]:
    held = {each.oid: each for each in fields.extensions}
    _require(len(held) == len(fields.extensions), "the same extension twice")
    critical = {oid for oid, each in held.items() if each.critical}
    _require(critical <= _MAY_BE_CRITICAL, "a critical extension that is unknown, or may not be")
    must = _MUST_BE_CRITICAL | ({_BASIC} if authority else set())
    _require(must & set(held) <= critical, "an extension that has to be critical and is not")
    if not authority:
        _require(_OF_AUTHORITIES.isdisjoint(held), "an extension that only authorities have")
    return held


def _require_authority(
    certificate: x509.Certificate,
    constraints: x509.BasicConstraints | None,
    key_usage: x509.KeyUsage | None,
    usage: x509.ObjectIdentifier,
) -> None:
    _require(constraints is not None and constraints.ca, "an issuer that is no authority")
    _require(key_usage is not None and key_usage.key_cert_sign, "an issuer without keyCertSign")
    _require(
        _extension(certificate, x509.SubjectKeyIdentifier) is not None,
        "an authority without subjectKeyIdentifier",
    )
    extended = _extension(certificate, x509.ExtendedKeyUsage)
    if extended is not None and usage not in extended:
        raise TlsFailure("usage", "an authority that may not issue for this usage")


def _policies(certificate: x509.Certificate, held: Mapping[bytes, Extension]) -> Policies:
    constraints = _extension(certificate, x509.PolicyConstraints)
    inhibit = _extension(certificate, x509.InhibitAnyPolicy)
    return Policies(
        asserted=_read(held, _POLICIES, read_policies, None),
        mappings=_read(held, _MAPPINGS, read_mappings, {}),
        require_explicit=constraints.require_explicit_policy if constraints else None,
        inhibit_mapping=constraints.inhibit_policy_mapping if constraints else None,
        inhibit_any=inhibit.skip_certs if inhibit else None,
    )


def _read(
    held: Mapping[bytes, Extension], oid: bytes, read: Callable[[bytes], _T], absent: _T
) -> _T:
    return read(held[oid].content) if oid in held else absent


def _extension(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise TlsFailure("untrusted", otherwise)
