"""Name constraints (RFC 5280, 4.2.1.10): what an authority may give names to, case by case."""

import ipaddress

import pytest
from cryptography import x509

from proxy.tls.constraints import (
    read_constraints,
)
from proxy.tls.credentials import Credentials
from tests.tls.paths import (
    authority,
    der,
    extension,
    general,
    judged,
    leaf,
    offline,
    root,
    subject,
)

_CONSTRAINTS = bytes.fromhex("551d1e")
_TRUE = bytes.fromhex("0101ff")
Texts = list[str]


def constrained(
    permitted: Texts | None, excluded: Texts | None, names: Texts, **special: object
) -> Credentials:
    """A leaf with `names`, below an intermediate with these constraints."""
    return leaf(
        authority("Narrow", root(), edit=limits(permitted, excluded)), names=names, **special
    )


def limits(permitted: Texts | None, excluded: Texts | None) -> object:
    """NameConstraints as an edit, so that nothing is validated by who writes it."""
    content = b""
    for tag, texts in ((0xA0, permitted), (0xA1, excluded)):
        if texts is not None:
            content += der(tag, b"".join(der(0x30, encoded(text)) for text in texts))
    return extension(_CONSTRAINTS, der(0x30, content), critical=_TRUE)


def encoded(text: str | bytes) -> bytes:
    """A GeneralName of a constraint: `dns:`, `email:`, `uri:`, `ip:` network/mask, `dn:` name."""
    kind, _, value = str(text).partition(":")
    if kind == "ip":
        network, mask = value.split("/")
        octets = [ipaddress.ip_address(each).packed for each in (network, mask)]
        return der(0x87, b"".join(octets))
    if kind == "dn":
        return der(0xA4, subject(value).public_bytes())
    if kind == "other":
        return der(0xA0, bytes.fromhex("06032a0304") + der(0xA0, der(0x0C, value.encode())))
    return der({"dns": 0x82, "email": 0x81, "uri": 0x86}[kind], value.encode())


PERMITTED = [
    (["dns:localhost"], ["localhost"], True),
    (["dns:example"], ["localhost", "a.example"], False),
    (["dns:a.example"], ["a.example"], True),
    (["dns:A.Example"], ["b.a.example"], True),
    (["dns:a.example"], ["ba.example"], False),
    (["dns:a.example"], ["example"], False),
    (["dns:a.example", "dns:b.example"], ["x.b.example"], True),
    (["dns:"], ["a.example"], True),
    (["dns:example"], ["*.example"], True),
    (["dns:a.example"], ["*.example"], False),
    (["dns:a.example"], ["*.a.example"], True),
    (["dns:a.example"], ["a.example.b"], False),
    (["email:jo@a.example"], ["jo@a.example"], True),
    (["email:jo@a.example"], ["Jo@a.example"], False),
    (["email:jo@a.example"], ["jo@A.example"], True),
    (["email:a.example"], ["jo@a.example"], True),
    (["email:a.example"], ["jo@b.a.example"], False),
    (["email:.a.example"], ["jo@b.a.example"], True),
    (["email:.a.example"], ["jo@a.example"], False),
    (["email:*@a.example"], ["jo@a.example"], False),
    (["uri:a.example"], ["spiffe://a.example/x"], True),
    (["uri:a.example"], ["spiffe://b.a.example/x"], False),
    (["uri:.a.example"], ["spiffe://b.a.example/x"], True),
    (["uri:.a.example"], ["spiffe://a.example/x"], False),
    (["uri:a.example"], ["https://jo@a.example:8443/b.example?q#f"], True),
    (["uri:a.example"], ["https://a.example@b.example/"], False),
    (["uri:a.example"], ["https://b.example/a.example"], False),
    (["uri:a.example"], ["https://b.example#@a.example"], False),
    (["uri:a.example"], ["urn:a.example"], False),
    (["uri:a.example"], ["https://192.0.2.1/"], False),
    (["ip:192.0.2.0/255.255.255.0"], ["192.0.2.9"], True),
    (["ip:192.0.2.0/255.255.255.0"], ["192.0.3.9"], False),
    (["ip:192.0.2.0/255.255.255.0"], ["2001:db8::1"], False),
    (["ip:2001:db8::/ffff:ffff::"], ["2001:db8::1"], True),
    (["ip:0.0.0.0/0.0.0.0"], ["203.0.113.1"], True),
    (["ip:192.0.2.0/255.255.255.0"], ["localhost"], True),
    (["dns:localhost"], ["localhost", "127.0.0.1", "spiffe://a/b"], True),
    (["other:x"], ["localhost"], True),
]


@pytest.mark.parametrize(("permitted", "names", "holds"), PERMITTED)
def test_a_name_is_within_what_is_permitted_for_its_kind(
    permitted: Texts, names: Texts, holds: bool
) -> None:
    assert offline(constrained(permitted, None, names)) == (None if holds else "untrusted")


EXCLUDED = [
    (["dns:a.example"], ["a.example"], False),
    (["dns:a.example"], ["b.a.example"], False),
    (["dns:a.example"], ["ba.example"], True),
    (["dns:a.example"], ["*.example"], False),
    (["dns:b.a.example"], ["*.example"], True),
    (["dns:"], ["localhost"], False),
    (["email:"], ["jo@a.example"], False),
    (["email:.example"], ["jo@a.example"], False),
    (["uri:"], ["spiffe://a/b"], False),
    (["uri:a"], ["spiffe://a/b"], False),
    (["uri:a"], ["spiffe://b/a"], True),
    (["uri:a"], ["urn:b"], False),
    (["ip:0.0.0.0/0.0.0.0"], ["192.0.2.1"], False),
    (["ip:0.0.0.0/0.0.0.0"], ["::1"], True),
    (["ip:192.0.2.0/255.255.255.0"], ["192.0.2.1"], False),
    (["other:x"], ["localhost"], True),
]


@pytest.mark.parametrize(("excluded", "names", "holds"), EXCLUDED)
def test_a_name_touches_nothing_that_is_excluded(
    excluded: Texts, names: Texts, holds: bool
) -> None:
    assert offline(constrained(None, excluded, names)) == (None if holds else "untrusted")


MALFORMED = [
    ["dns:.a.example"],
    ["dns:*.a.example"],
    ["dns:a..example"],
    ["dns:a_b.example"],
    ["email:jo@x@a.example"],
    ["email:@a.example"],
    ["uri:https://a.example"],
    ["uri:.."],
    ["ip:192.0.2.0/255.0.255.0"],
    ["ip:192.0.2.0/0.255.255.255"],
    [],
]


@pytest.mark.parametrize("subtrees", MALFORMED)
def test_a_constraint_that_is_not_understood_refuses_whatever_the_names_are(
    subtrees: Texts,
) -> None:
    for name in ("localhost", "jo@b.example", "spiffe://b/x", "192.0.2.1"):
        assert offline(constrained(subtrees, None, [name])) == "untrusted"
        assert offline(constrained(None, subtrees, [name])) == "untrusted"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        der(0xA1, der(0x30, der(0x82, b"a"))) + der(0xA0, der(0x30, der(0x82, b"a"))),
        der(0xA0, der(0x30, der(0x82, b"a"))) * 2,
        der(0xA0, der(0x30, der(0x82, b"a") + der(0x80, b"\0"))),
        der(0xA0, der(0x30, der(0x82, b"a") + der(0x81, b"\1"))),
        der(0xA0, der(0x30, der(0x87, b"\0" * 5))),
        der(0xA0, der(0x30, der(0x87, bytes.fromhex("c0000200ff00ff00")))),
        der(0xA0, b""),
        der(0xA2, der(0x30, der(0x82, b"a"))),
    ],
)
def test_constraints_have_subtrees_and_subtrees_only_a_base(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_constraints(der(0x30, content))


def test_constraints_hold_in_the_handshake() -> None:
    assert judged(constrained(["dns:localhost"], None, ["localhost"])) is None
    assert judged(constrained(["dns:a.example"], None, ["localhost"])) == "untrusted"
    assert judged(constrained(None, ["uri:"], ["localhost", "spiffe://a/b"])) == "untrusted"
    assert judged(constrained(["dns:localhost"], ["dns:b.example"], ["localhost"])) is None
    wild = constrained(
        ["dns:localhost", "dns:example"], ["dns:a.example"], ["localhost", "*.example"]
    )
    assert judged(wild) == "untrusted"


def test_constraints_are_critical() -> None:
    content = der(0x30, der(0xA0, der(0x30, der(0x82, b"localhost"))))
    for flag, reason in ((_TRUE, None), (b"", "untrusted")):
        narrow = authority("Narrow", root(), edit=extension(_CONSTRAINTS, content, critical=flag))
        assert judged(leaf(narrow)) == reason


def test_other_kinds_of_names_are_refused_only_where_they_are_constrained_and_present() -> None:
    other = x509.OtherName(x509.ObjectIdentifier("1.2.3.4"), b"\x0c\x01x")
    names = x509.SubjectAlternativeName([general("localhost"), other])
    free = authority("Narrow", root(), edit=limits(["dns:localhost"], None))
    assert offline(leaf(free, extensions=[names])) is None
    for limited in (limits(["other:x"], None), limits(None, ["other:y"])):
        narrow = authority("Narrow", root(), edit=limited)
        assert offline(leaf(narrow, extensions=[names])) == "untrusted"
        assert offline(leaf(narrow)) is None


def test_the_subject_is_held_against_directory_names() -> None:
    assert offline(constrained(["dn:leaf"], None, ["localhost"])) is None
    assert offline(constrained(["dn:LEAF "], None, ["localhost"])) is None
    assert offline(constrained(["dn:other"], None, ["localhost"])) == "untrusted"
    assert offline(constrained(None, ["dn:Leaf"], ["localhost"])) == "untrusted"
    assert offline(constrained(None, ["dn:"], ["localhost"])) == "untrusted"
    nameless = {x509.SubjectAlternativeName: True}
    bare = constrained(["dn:other"], None, ["localhost"], subject="", critical=nameless)
    assert offline(bare) is None


def test_an_address_in_the_subject_is_held_against_mailboxes() -> None:
    def named(address: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.EMAIL_ADDRESS, address)])

    for address, reason in (
        ("jo@a.example", None),
        ("jo@b.example", "untrusted"),
        ("jo", "untrusted"),
    ):
        made = constrained(["email:a.example"], None, ["localhost"], subject=named(address))
        assert offline(made) == reason
        assert offline(leaf(root(), subject=named(address))) is None


def test_constraints_of_every_authority_hold_for_everything_below_it() -> None:
    narrow = authority("Narrow", root(), edit=limits(["dns:example"], None))
    wider = authority("Wider", narrow, edit=limits(["dns:example", "dns:localhost"], None))
    assert offline(leaf(wider, names=["a.example"])) is None
    assert offline(leaf(wider, names=["localhost"])) == "untrusted"
    named = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    astray = authority("Astray", narrow, extensions=[named])
    assert offline(leaf(astray, names=["a.example"])) == "untrusted"
    anchor = authority("Anchor", None, edit=limits(["dns:example"], None))
    assert judged(leaf(anchor, names=["localhost"]), trust=anchor) == "untrusted"
    assert offline(leaf(anchor, names=["a.example"]), trust=anchor) is None


def test_self_issued_authorities_are_exempt_and_a_self_issued_leaf_is_not() -> None:
    named = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    narrow = authority("Same", root(), edit=limits(["dns:example"], None))
    rolled = authority("Same", narrow, extensions=[named])
    assert offline(leaf(rolled, names=["a.example"])) is None
    assert offline(leaf(rolled, names=["localhost"], subject="Same")) == "untrusted"
