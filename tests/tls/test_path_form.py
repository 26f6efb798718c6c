"""What one certificate has to be by itself (RFC 5280, section 4), with the near miss beside it."""

import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from proxy.errors import CredentialError
from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.der import Value
from proxy.tls.pki import BOTH, CLIENT, SERVER
from tests.tls.paths import (
    HOUR,
    SPEAKS,
    Edit,
    authority,
    der,
    extension,
    field,
    judged,
    leaf,
    offline,
    presented,
    root,
    subject,
)

_UNKNOWN = bytes.fromhex("2b06010401bb0d01")
_TRUE = bytes.fromhex("0101ff")
_AIA = bytes.fromhex("2b06010505070101")
_AIA_CONTENT = bytes.fromhex("300f300d06082b060105050730028601") + b"a"
SECOND = timedelta(seconds=1)


def a_leaf(**special: object) -> Credentials:
    return leaf(root(), **special)  # type: ignore[arg-type]


def a_leaf_of(**special: object) -> Credentials:
    """A leaf of an intermediate with something special about it."""
    return leaf(authority("Intermediate", root(), **special))


def utc(text: str) -> bytes:
    return der(0x17, text.encode())


def generalized(text: str) -> bytes:
    return der(0x18, text.encode())


def validity(begin: bytes, end: bytes) -> Edit:
    return field(4, der(0x30, begin + end))


def shown(when: datetime, form: str = "%y%m%d%H%M%SZ") -> str:
    return when.strftime(form)


NOW = datetime.now(UTC)
BEGIN, END = utc(shown(NOW - HOUR)), utc(shown(NOW + HOUR))


def test_a_plain_leaf_of_a_plain_authority_is_let_in() -> None:
    assert judged(a_leaf()) is None
    assert judged(a_leaf_of()) is None


@pytest.mark.parametrize("serial", ["01", "7f" + "ff" * 19, "00ff" + "ff" * 19])
def test_a_serial_has_up_to_twenty_octets(serial: str) -> None:
    assert judged(a_leaf(edit=field(1, der(0x02, bytes.fromhex(serial))))) is None


@pytest.mark.parametrize("serial", ["00", "ff", "01" + "00" * 20])
def test_a_serial_that_is_zero_negative_or_longer_is_refused(serial: str) -> None:
    edit = field(1, der(0x02, bytes.fromhex(serial)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography reads it, and says that it will not for long
        assert judged(a_leaf(edit=edit)) == "untrusted"
        assert offline(a_leaf_of(edit=edit)) == "untrusted"


def test_a_trust_anchor_may_have_the_serial_zero() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        anchor = authority("Zero", None, edit=field(1, der(0x02, b"\0")))
        assert offline(leaf(anchor), trust=anchor) is None


def test_both_statements_of_the_signature_algorithm_are_the_same() -> None:
    other = bytes.fromhex("300a06082a8648ce3d040303")
    assert judged(a_leaf(edit=field(2, other))) == "untrusted"
    same = bytes.fromhex("300a06082a8648ce3d040302")
    assert judged(a_leaf(edit=field(2, same))) is None


def test_a_certificate_of_version_1_is_refused() -> None:
    def older(fields: list[Value]) -> list[bytes]:
        return [each.whole for each in fields[1:-1]]

    assert judged(a_leaf(edit=older)) == "untrusted"
    assert offline(leaf(authority("Old", root(), edit=older))) == "untrusted"


def test_unique_identifiers_are_refused() -> None:
    def named(fields: list[Value]) -> list[bytes]:
        return [*(each.whole for each in fields[:-1]), der(0x81, b"\0\1"), fields[-1].whole]

    assert judged(a_leaf(edit=named)) == "untrusted"


# --- names of subject and issuer -----------------------------------------------------------------


def test_an_authority_has_a_subject() -> None:
    nameless = authority("", root())
    assert judged(leaf(nameless)) == "untrusted"


def test_a_leaf_without_a_subject_has_a_critical_alternative_name() -> None:
    critical = {x509.SubjectAlternativeName: True}
    assert judged(a_leaf(subject="", critical=critical)) is None
    assert judged(a_leaf(subject="")) == "untrusted"
    assert judged(a_leaf(critical=critical)) is None


# --- validity ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (validity(BEGIN, END), None),
        (validity(BEGIN, generalized("20600101000000Z")), None),
        (validity(BEGIN, generalized("99991231235959Z")), None),
        (validity(END, BEGIN), "not_yet_valid"),
        (validity(generalized(shown(NOW - HOUR, "%Y%m%d%H%M%SZ")), END), "untrusted"),
    ],
)
def test_times_are_written_as_section_4_1_2_5_has_them(edit: Edit, reason: str | None) -> None:
    assert judged(a_leaf(edit=edit)) == reason


STRANGE = [
    validity(BEGIN, utc(shown(NOW + HOUR, "%y%m%d%H%MZ"))),
    validity(BEGIN, utc(shown(NOW + HOUR, "%y%m%d%H%M%S+0000"))),
    validity(BEGIN, generalized("20600101000000.5Z")),
    extension(_UNKNOWN, b"\5\0", critical=bytes.fromhex("010101")),
    extension(_UNKNOWN, b"\5\0", critical=bytes.fromhex("010100")),
    lambda fields: [*(each.whole for each in fields), der(0xA4, b"")],
    field(0, bytes.fromhex("a003020101")),
]
"""What is not DER, or no certificate: our own programs could not even load it."""


@pytest.mark.parametrize("edit", STRANGE)
def test_what_is_not_encoded_as_it_has_to_be_is_refused(edit: Edit, tmp_path: Path) -> None:
    """Some of it does not get past OpenSSL, which says that the message does not decode."""
    strange = a_leaf(edit=edit)
    with pytest.raises(CredentialError):
        parse_chain(strange.certificate)
    try:
        assert presented(strange, tmp_path) in ("untrusted", "garbage")
    except ssl.SSLError:
        return  # the peer's own OpenSSL would not load it


def test_a_foreign_peer_with_a_plain_certificate_is_let_in(tmp_path: Path) -> None:
    assert presented(a_leaf(), tmp_path) is None


def test_a_period_that_ends_before_it_begins_is_refused_at_any_time() -> None:
    edit = validity(utc("300101000000Z"), utc("290101000000Z"))
    at = datetime(2029, 6, 1, tzinfo=UTC)
    long = (NOW - HOUR, datetime(2040, 1, 1, tzinfo=UTC))
    anchor = authority("Long", None, period=long)
    for when in (at, at.replace(year=2028), at.replace(year=2031)):
        assert offline(leaf(anchor, edit=edit), trust=anchor, at=when) is not None


def test_validity_is_asked_at_every_hop_and_both_ends_belong_to_it() -> None:
    begin, end = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 2, 1, tzinfo=UTC)
    long = (begin - 100 * HOUR, end + 100 * HOUR)
    for narrow in range(3):
        periods = [(begin, end) if place == narrow else long for place in range(3)]
        anchor = authority("A", None, period=periods[0])
        middle = authority("B", anchor, period=periods[1])
        peer = leaf(middle, period=periods[2])
        said = [
            offline(peer, trust=anchor, at=when)
            for when in (begin - SECOND, begin, end, end + SECOND / 2, end + SECOND)
        ]
        assert said == ["not_yet_valid", None, None, None, "expired"]


# --- extensions ----------------------------------------------------------------------------------


def test_an_unknown_critical_extension_is_refused_and_one_that_is_not_critical_ignored() -> None:
    assert judged(a_leaf(edit=extension(_UNKNOWN, b"\5\0"))) is None
    assert judged(a_leaf(edit=extension(_UNKNOWN, b"\5\0", critical=_TRUE))) == "untrusted"
    assert judged(a_leaf_of(edit=extension(_UNKNOWN, b"\5\0"))) is None
    assert judged(a_leaf_of(edit=extension(_UNKNOWN, b"\5\0", critical=_TRUE))) == "untrusted"
    anchor = authority("Odd", None, edit=extension(_UNKNOWN, b"\5\0", critical=_TRUE))
    assert judged(leaf(anchor), trust=anchor) == "untrusted"


@pytest.mark.parametrize(
    "kind", [x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier], ids=lambda kind: kind.__name__
)
def test_key_identifiers_are_not_critical(kind: type[x509.ExtensionType]) -> None:
    assert judged(a_leaf(critical={kind: True})) == "untrusted"
    assert judged(a_leaf_of(critical={kind: True})) == "untrusted"


def test_what_points_elsewhere_is_readable_and_not_critical() -> None:
    assert judged(a_leaf(edit=extension(_AIA, _AIA_CONTENT))) is None
    assert judged(a_leaf(edit=extension(_AIA, _AIA_CONTENT, critical=_TRUE))) == "untrusted"
    assert judged(a_leaf(edit=extension(_AIA, b"\4\1a"))) == "untrusted"
    assert judged(a_leaf(edit=extension(_AIA, _AIA_CONTENT + b"\0"))) == "untrusted"


def test_an_extension_stands_once() -> None:
    twice = extension(bytes.fromhex("551d25"), bytes.fromhex("300a06082b06010505070301"))
    assert offline(a_leaf(without=[x509.ExtendedKeyUsage], edit=twice)) is None
    assert offline(a_leaf(edit=twice)) == "untrusted"


# --- authorities ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "special",
    [
        {"without": [x509.BasicConstraints]},
        {"extensions": [x509.BasicConstraints(ca=False, path_length=None)]},
        {"critical": {x509.BasicConstraints: False}},
        {"without": [x509.KeyUsage]},
        {"extensions": [SPEAKS]},
        {"without": [x509.SubjectKeyIdentifier]},
        {"without": [x509.AuthorityKeyIdentifier]},
    ],
    ids=str,
)
def test_an_intermediate_says_all_that_an_authority_has_to_say(special: dict[str, object]) -> None:
    assert judged(a_leaf_of(**special)) == "untrusted"


def test_an_authority_says_for_what_it_issues_or_nothing_of_it() -> None:
    anything, code = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, ExtendedKeyUsageOID.CODE_SIGNING
    assert judged(a_leaf_of(extensions=[x509.ExtendedKeyUsage(BOTH)])) is None
    assert judged(a_leaf_of(extensions=[x509.ExtendedKeyUsage([anything])])) == "usage"
    assert judged(a_leaf_of(extensions=[x509.ExtendedKeyUsage([code])])) == "usage"
    clients = a_leaf_of(extensions=[x509.ExtendedKeyUsage(CLIENT)])
    assert [offline(clients, usage=each) for each in (*CLIENT, *SERVER)] == [None, "usage"]
    anchor = authority("Code", None, extensions=[x509.ExtendedKeyUsage([code])])
    assert judged(leaf(anchor), trust=anchor) == "usage"


def test_a_leaf_signs_no_certificates_and_has_nothing_of_authorities() -> None:
    neither = x509.BasicConstraints(ca=False, path_length=None)
    assert judged(a_leaf(extensions=[neither])) is None
    signs = x509.KeyUsage(True, False, False, False, False, True, False, False, False)
    assert judged(a_leaf(extensions=[neither, signs])) == "untrusted"
    assert judged(a_leaf(extensions=[signs])) is not None
    own = x509.NameConstraints([x509.DNSName("localhost")], None)
    assert judged(a_leaf(extensions=[own])) == "untrusted"
    assert judged(a_leaf(extensions=[x509.InhibitAnyPolicy(0)])) == "untrusted"


def test_a_leaf_has_the_identifier_of_its_issuers_key() -> None:
    other = x509.AuthorityKeyIdentifier(b"other", None, None)
    assert judged(a_leaf(extensions=[other])) == "untrusted"
    assert judged(a_leaf(without=[x509.AuthorityKeyIdentifier])) == "untrusted"
    named = x509.AuthorityKeyIdentifier(None, [x509.DirectoryName(subject("Path Root"))], 5)
    assert judged(a_leaf(extensions=[named])) == "untrusted"
