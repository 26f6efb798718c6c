"""Our judge by itself: it refuses, without OpenSSL, what OpenSSL refuses too, and more."""

import warnings
from datetime import UTC, datetime

import pytest
from cryptography import x509

from proxy.errors import TlsFailure
from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.offline import CLIENT
from proxy.tls.path import examine_in_place, require_path
from proxy.tls.pki import Authority
from tests.tls.paths import (
    HOUR,
    Edit,
    authority,
    der,
    extension,
    field,
    judged,
    leaf,
    root,
    subject,
)

NOW = datetime.now(UTC)
_TRUE = bytes.fromhex("0101ff")
_NETSCAPE = bytes.fromhex("6086480186f8420101")


def alone(peer: Credentials, trust: Authority | None = None) -> str | None:
    """The reason, or None; no signature is checked, and no path searched for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chain = [*parse_chain(peer.certificate), (trust or root()).certificate]
        try:
            members = [
                examine_in_place(each, depth, datetime.now(UTC), CLIENT)
                for depth, each in enumerate(chain)
            ]
            require_path(members)
        except TlsFailure as failure:
            return failure.reason
    return None


def serial(text: str) -> Edit:
    return field(1, der(0x02, bytes.fromhex(text)))


def times(begin: datetime, end: datetime) -> Edit:
    written = [each.strftime("%y%m%d%H%M%SZ").encode() for each in (begin, end)]
    return field(4, der(0x30, b"".join(der(0x17, each) for each in written)))


def test_what_is_plain_is_let_in() -> None:
    assert alone(leaf(root())) is None
    assert alone(leaf(authority("Intermediate", root()))) is None


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (serial("80"), "untrusted"),
        (serial("00"), "untrusted"),
        (serial("01" + "00" * 20), "untrusted"),
        (field(2, bytes.fromhex("300a06082a8648ce3d040303")), "untrusted"),
        (field(3, subject("").public_bytes()), "untrusted"),
        (times(NOW + HOUR, NOW - HOUR), "untrusted"),
        (times(NOW + HOUR, NOW + 2 * HOUR), "not_yet_valid"),
        (times(NOW - 2 * HOUR, NOW - HOUR), "expired"),
        (extension(b"\x2a\x03", b"", critical=_TRUE), "untrusted"),
    ],
)
def test_a_broken_leaf_or_intermediate_is_refused(edit: Edit, reason: str) -> None:
    assert alone(leaf(root(), edit=edit)) == reason
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert alone(leaf(authority("Intermediate", root(), edit=edit))) == reason


@pytest.mark.parametrize(
    "special",
    [
        {"without": [x509.BasicConstraints]},
        {"critical": {x509.BasicConstraints: False}},
        {"without": [x509.KeyUsage]},
        {"without": [x509.SubjectKeyIdentifier]},
        {"without": [x509.AuthorityKeyIdentifier]},
        {"critical": {x509.SubjectKeyIdentifier: True}},
        {"extensions": [x509.BasicConstraints(ca=True, path_length=0)]},
        {"extensions": [x509.AuthorityKeyIdentifier(b"other", None, None)]},
        {"extensions": [x509.NameConstraints(None, [x509.DNSName("localhost")])]},
    ],
    ids=str,
)
def test_a_broken_authority_above_another_is_refused(special: dict[str, object]) -> None:
    broken = authority("Broken", root(), **special)
    assert alone(leaf(authority("Below", broken))) == "untrusted"


def test_a_leaf_that_may_sign_certificates_is_refused_whether_or_not_it_says_what_it_is() -> None:
    signs = x509.KeyUsage(True, False, False, False, False, True, False, False, False)
    neither = x509.BasicConstraints(ca=False, path_length=None)
    assert alone(leaf(root(), extensions=[neither])) is None
    assert alone(leaf(root(), extensions=[neither, signs])) == "untrusted"
    assert alone(leaf(root(), extensions=[signs])) == "untrusted"


def test_a_trust_anchor_may_have_the_serial_zero_and_no_negative_one() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zero = authority("Zero", None, edit=serial("00"))
        negative = authority("Negative", None, edit=serial("80"))
        assert alone(leaf(zero), zero) is None
        assert alone(leaf(negative), negative) == "untrusted"


def test_an_authority_has_a_subject() -> None:
    assert alone(leaf(authority("", root()))) == "untrusted"


def test_a_self_issued_leaf_is_held_against_constraints_and_a_self_issued_authority_is_not() -> (
    None
):
    narrow = x509.NameConstraints([x509.DNSName("a.example")], None)
    named = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    upper = authority("Same", root(), extensions=[narrow])
    rolled = authority("Same", upper, extensions=[named])
    assert alone(leaf(rolled, names=["a.example"], subject="Same")) is None
    assert alone(leaf(rolled, names=["localhost"], subject="Same")) == "untrusted"


def test_a_path_is_no_longer_than_its_authorities_admit() -> None:
    short = x509.BasicConstraints(ca=True, path_length=0)
    upper = authority("Upper", root(), extensions=[short])
    assert alone(leaf(upper)) is None
    assert alone(leaf(authority("Lower", upper))) == "untrusted"
    assert alone(leaf(authority("Upper", upper))) is None


def test_a_certificate_stands_once_in_a_path() -> None:
    middle = authority("Same", root())
    peer = leaf(middle)
    assert alone(peer) is None
    assert alone(Credentials(peer.certificate + middle.pem, peer.key)) == "untrusted"
    assert alone(Credentials(peer.certificate + root().pem, peer.key)) == "untrusted"


def test_an_address_in_the_subject_is_held_against_mailboxes() -> None:
    narrow = x509.NameConstraints([x509.RFC822Name("a.example")], None)
    middle = authority("Mail", root(), extensions=[narrow])
    for address, reason in (("jo@a.example", None), ("jo@b.example", "untrusted")):
        who = x509.Name([x509.NameAttribute(x509.NameOID.EMAIL_ADDRESS, address)])
        assert alone(leaf(middle, subject=who)) == reason


def test_a_path_has_an_anchor_beside_its_leaf() -> None:
    with pytest.raises(TlsFailure, match="stands for itself"):
        require_path(
            [
                examine_in_place(
                    parse_chain(leaf(root()).certificate)[0], 0, datetime.now(UTC), CLIENT
                )
            ]
        )


@pytest.mark.parametrize(
    "points",
    [
        extension(
            bytes.fromhex("551d1f"), bytes.fromhex("300a3008a006a0048602783a"), critical=_TRUE
        ),
        extension(_NETSCAPE, bytes.fromhex("030200ff"), critical=_TRUE),
    ],
    ids=["cRLDistributionPoints", "netscape-cert-type"],
)
def test_what_openssl_knows_and_nobody_here_obeys_may_not_be_critical(points: Edit) -> None:
    """OpenSSL takes note of them, and what they demand would not be done."""
    assert judged(leaf(root(), edit=points)) == "untrusted"
    assert judged(leaf(authority("Intermediate", root(), edit=points))) == "untrusted"


def test_an_anchor_without_a_key_in_its_own_authority_identifier_is_refused() -> None:
    """RFC 5280, 4.2.1.1: a self-signed authority may leave it out, but not leave it empty."""
    empty = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(subject("Odd"))], 5)
    odd = authority("Odd", None, extensions=[empty])
    bare = authority("Bare", None, without=[x509.AuthorityKeyIdentifier])
    assert alone(leaf(odd), odd) == "untrusted"
    assert judged(leaf(bare), trust=bare) is None
