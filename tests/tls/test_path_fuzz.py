"""Damaged certificates: whatever is in them, they are refused or let in, and nothing is raised."""

import functools

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import TlsFailure
from proxy.tls.credentials import parse_chain
from proxy.tls.der import parts, values
from proxy.tls.offline import CLIENT
from proxy.tls.profile import examine
from tests.tls.paths import authority, der, edited, extension, leaf, root, rsa_key


@functools.cache
def samples() -> tuple[bytes, ...]:
    """A leaf, and an authority with everything that an authority may have."""
    policy = x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.1"), None)
    rich = authority(
        "Rich",
        root(),
        key=rsa_key(),
        extensions=[
            x509.NameConstraints([x509.DNSName("a.example")], [x509.DirectoryName(x509.Name([]))]),
            x509.CertificatePolicies([policy]),
            x509.PolicyConstraints(0, 0),
            x509.InhibitAnyPolicy(1),
        ],
    )
    named = leaf(root(), names=["localhost", "jo@a.example", "spiffe://a/b", "192.0.2.1"])
    made = (parse_chain(named.certificate)[0], rich.certificate)
    return tuple(each.public_bytes(Encoding.DER) for each in made)


@given(st.data())
def test_a_damaged_certificate_is_refused_or_let_in_and_nothing_else(data: st.DataObject) -> None:
    original = data.draw(st.sampled_from(samples()))
    octets = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(octets) - 1))
        octets[place] = data.draw(st.integers(0, 255))
    try:
        certificate = x509.load_der_x509_certificate(bytes(octets))
        if certificate.serial_number <= 0:
            return
    except (ValueError, x509.InvalidVersion, Warning):
        return
    for is_authority in (True, False):
        try:
            examine(certificate, CLIENT, authority=is_authority)
        except TlsFailure:
            continue


@given(st.binary(max_size=80))
def test_octets_are_der_and_come_back_whole_or_are_refused(octets: bytes) -> None:
    try:
        found = values(octets)
    except ValueError:
        return
    assert b"".join(each.whole for each in found) == octets
    assert b"".join(der(each.tag, each.content) for each in found) == octets


@given(st.lists(st.tuples(st.integers(0, 30), st.binary(max_size=300)), max_size=5))
def test_what_is_written_is_read_back(fields: list[tuple[int, bytes]]) -> None:
    octets = b"".join(der(tag, content) for tag, content in fields)
    assert [(each.tag, each.content) for each in values(octets)] == fields


def test_every_cut_of_a_certificate_is_refused() -> None:
    whole = samples()[0]
    assert parts(whole).version == 3
    for length in range(len(whole)):
        try:
            parts(whole[:length])
        except ValueError:
            continue
        raise AssertionError(length)


@pytest.mark.parametrize(
    "octets",
    ["04", "0480", "048101aa", "04820080" + "aa" * 128, "1f0100", "0485000000000100", "0402aa"],
)
def test_what_is_not_der_is_refused(octets: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        values(bytes.fromhex(octets))
    assert values(bytes.fromhex("048180" + "aa" * 128))


@pytest.mark.parametrize(
    ("flag", "reads"), [("0101ff", True), ("010101", False), ("010100", False)]
)
def test_criticality_is_read_only_as_der_has_it(flag: str, reads: bool) -> None:
    added = extension(b"\x2a\x03", b"", critical=bytes.fromhex(flag))
    made = edited(x509.load_der_x509_certificate(samples()[0]), root().signer, added)
    if reads:
        assert parts(made).extensions[-1].critical
    else:
        with pytest.raises(ValueError, match="criticality"):
            parts(made)
