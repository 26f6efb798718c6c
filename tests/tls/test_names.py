"""Names in certificates: their syntax, how they are compared, and how many times."""

import ipaddress

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import TlsFailure
from proxy.tls import constraints
from proxy.tls.constraints import (
    Bearer,
    Constraints,
    Subtree,
    comparisons,
    is_touched,
    is_within,
    read_constraints,
    require_names,
)
from proxy.tls.names import DIRECTORY, DNS, EMAIL, IP, URI, Name, labels, read_directory, read_names
from tests.tls.paths import (
    authority,
    der,
    general,
    judged,
    leaf,
    offline,
    root,
)

_HOSTS_REFUSED = [
    *("a_b.example", "a..example", ".example", "example.", "*", "a*.example", "a.*.example"),
    *("*.*.b", "-a.example", "a-.example", "192.0.2.1"),
]
_URIS_REFUSED = ["//a/b", "1:2", "spiffe:", "https://a.example\\@b.example/", "urn:a b", "urn:\x7f"]
_MAILBOXES_REFUSED = ["jo@", "@a.example", "jo@x@a.example", "jo@a_b.example"]


@pytest.mark.parametrize("name", [*_HOSTS_REFUSED, *_MAILBOXES_REFUSED, "", "a b", "a" * 64 + ".b"])
def test_a_name_that_its_kind_does_not_admit_is_refused(name: str) -> None:
    special = x509.DNSName._init_without_validation(name)
    unchecked = x509.RFC822Name._init_without_validation(name) if "@" in name else special
    names = x509.SubjectAlternativeName([general("localhost"), unchecked])
    assert judged(leaf(root(), extensions=[names])) in ("untrusted", "identity")


@pytest.mark.parametrize("uri", _URIS_REFUSED)
def test_a_uri_is_absolute_and_has_no_character_that_none_may_have(uri: str) -> None:
    unchecked = x509.UniformResourceIdentifier._init_without_validation(uri)
    names = x509.SubjectAlternativeName([general("localhost"), unchecked])
    assert judged(leaf(root(), extensions=[names])) == "untrusted"


def test_an_ipv4_address_in_the_guise_of_an_ipv6_one_is_refused_whatever_is_constrained() -> None:
    """No constraint on 10.0.0.0/8 held for it, and grants by `ip` took it for an address of it."""
    assert (
        judged(leaf(root(), names=["localhost", "10.0.0.1", "::10.0.0.1", "64:ff9b::a00:1"]))
        is None
    )
    assert judged(leaf(root(), names=["localhost", "::ffff:10.0.0.1"])) == "untrusted"


@pytest.mark.parametrize("uri", ["spiffe://a/b", "urn:uuid:1", "https://jo@a.example:1/b?c#d"])
def test_other_uris_are_admitted(uri: str) -> None:
    assert judged(leaf(root(), names=["localhost", uri])) is None


@pytest.mark.parametrize(
    "name",
    ["a-b.example", "*.a.example", "xn--bcher-kva.example", "1.example", "a" * 63, "A.EXAMPLE"],
)
def test_a_name_in_preferred_syntax_is_admitted(name: str) -> None:
    assert judged(leaf(root(), names=["localhost", name])) is None


@pytest.mark.parametrize("content", [b"", der(0x82, b"\xe9"), der(0x87, b"\0" * 3), der(0x89, b"")])
def test_alternative_names_that_do_not_parse_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_names(der(0x30, content))


def test_distinguished_names_compare_as_people_read_them() -> None:
    def written(text: str, tag: x509.name._ASN1Type) -> object:
        attribute = x509.NameAttribute(x509.NameOID.COMMON_NAME, text, _type=tag)
        return read_directory(x509.Name([attribute]).public_bytes())

    utf8, printable = x509.name._ASN1Type.UTF8String, x509.name._ASN1Type.PrintableString
    assert written("Some  CA ", utf8) == written("some ca", printable)
    assert written("Some CA", utf8) != written("Some  C A", utf8)
    assert written("ＣＡ", utf8) == written("ca", printable)


def test_a_leading_dot_stands_for_what_is_below_and_not_for_the_host_itself() -> None:
    for kind, local in ((EMAIL, ("jo",)), (URI, ())):
        below = Subtree(kind, "below", labels("a.example"))
        assert is_within(Name(kind, (*local, *labels("b.a.example"))), below)
        assert not is_within(Name(kind, (*local, *labels("a.example"))), below)
        assert not is_touched(Name(kind, (*local, *labels("a.example"))), below)


def test_a_host_name_has_253_characters_at_most() -> None:
    longest = ".".join(["a" * 49] * 5) + ".abc"
    assert len(labels(longest)) == 6
    with pytest.raises(ValueError, match="preferred"):
        labels(longest + "d")


# --- against a naive oracle ----------------------------------------------------------------------

_HOSTS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4).map(".".join)


@given(_HOSTS, _HOSTS, st.booleans())
def test_dns_matching_agrees_with_every_expansion(host: str, base: str, wild: bool) -> None:
    """A wildcard is all the names it stands for; each of them is compared as text."""
    name = Name(DNS, (*labels(host), *(["*"] if wild else [])))
    expansions = [f"{each}.{host}" for each in "abcx"] if wild else [host]
    inside = [each == base or each.endswith(f".{base}") for each in expansions]
    subtree = Subtree(DNS, "host", labels(base))
    assert is_within(name, subtree) == all(inside)
    assert is_touched(name, subtree) == any(inside)


@given(st.ip_addresses(), st.ip_addresses(), st.integers(0, 128))
def test_address_matching_agrees_with_the_standard_library(
    address: ipaddress.IPv4Address, base: ipaddress.IPv4Address, bits: int
) -> None:
    prefix = bits % (base.max_prefixlen + 1)
    network = ipaddress.ip_network((base, prefix), strict=False)
    subtree = Subtree(IP, "host", (base.packed, network.netmask.packed))
    same = isinstance(address, type(base))
    expected = same and address in network
    assert is_within(Name(IP, (address.packed,)), subtree) == expected


@given(st.binary(max_size=60))
def test_reading_ends_in_constraints_names_or_value_error(data: bytes) -> None:
    for read in (read_constraints, read_names, read_directory):
        for content in (data, der(0x30, data)):
            try:
                read(content)
            except ValueError:
                continue


# --- bounded work --------------------------------------------------------------------------------


def many(count: int) -> tuple[Name, ...]:
    return tuple(Name(DNS, ("example", f"n{index}")) for index in range(count))


def bases(count: int) -> tuple[Subtree, ...]:
    return tuple(Subtree(DNS, "host", ("example", f"x{index}")) for index in range(count))


def test_a_bomb_of_names_and_constraints_is_refused_before_anything_is_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[Name] = []
    monkeypatch.setattr(constraints, "_require_name", lambda name, _: compared.append(name))
    anchor = Bearer((), Constraints((), bases(256)), exempt=True)
    fits = [Bearer(many(256), None, exempt=False), anchor]
    assert comparisons(fits) == constraints.COMPARISONS
    require_names(fits)
    assert len(compared) == 256
    del compared[:]
    for path in (
        [Bearer(many(257), None, exempt=False), anchor],
        [Bearer(many(1025), None, exempt=False), Bearer((), None, exempt=True)],
        [Bearer((), None, exempt=False), Bearer((), Constraints(bases(1025), ()), exempt=True)],
        [Bearer(many(64), None, exempt=False)] + [anchor] * 5,
    ):
        with pytest.raises(TlsFailure, match="more than"):
            require_names(path)
    assert not compared


def test_a_bomb_is_refused_in_a_real_path() -> None:
    excluded = [x509.DNSName(f"x{n}.test") for n in range(500)]
    narrow = authority("Bomb", root(), extensions=[x509.NameConstraints(None, excluded)])
    names = [f"t{n}.test" for n in range(200)]
    assert offline(leaf(narrow, names=names[:100])) is None
    assert offline(leaf(narrow, names=names)) == "untrusted"


def test_constraints_of_other_kinds_cost_nothing() -> None:
    path = [
        Bearer((Name(DIRECTORY, ()), *many(1000)), None, exempt=False),
        Bearer(
            (), Constraints((Subtree(IP, "host", (b"\0" * 4, b"\0" * 4)),) * 1000, ()), exempt=True
        ),
    ]
    assert comparisons(path) == 0
