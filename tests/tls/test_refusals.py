"""Every reason for which a peer is refused, on both sides: nobody gets through on the rest.

Pairs are `(what the server says, what the client says)`.
"""

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from proxy.errors import TlsFailure
from proxy.settings.schema import ListenerTls, Tls
from proxy.tls.context import client_context
from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.engine import Engine
from proxy.tls.pki import (
    CLIENT,
    SERVER,
    Names,
    issue,
    make_authority,
)
from tests.pki import pki
from tests.tls import paths
from tests.tls.makers import (
    Maker,
    below_a_leaf,
    below_an_authority_that_does_not_say_what_its_key_may_do,
    beyond_the_names_of_its_authority,
    expired,
    not_yet_valid,
    of_a_foreign_authority,
    of_a_self_signed_leaf,
    of_an_authority,
    of_an_authority_with_every_usage,
    of_an_expired_authority,
    of_whom,
    ours,
    with_a_bad_spiffe_id,
    with_an_unknown_critical_extension,
    with_any_extended_usage,
    with_two_spiffe_ids,
    without_digital_signature,
    without_extended_usage,
)
from tests.tls.pump import client_side, reasons, server_side, shake

REFUSED: list[tuple[Maker, str]] = [
    (expired, "expired"),
    (of_an_expired_authority, "expired"),
    (not_yet_valid, "not_yet_valid"),
    (without_extended_usage, "usage"),
    (with_any_extended_usage, "usage"),
    (without_digital_signature, "usage"),
    (of_an_authority, "usage"),
    (of_an_authority_with_every_usage, "usage"),
    (below_an_authority_that_does_not_say_what_its_key_may_do, "untrusted"),
    (with_an_unknown_critical_extension, "untrusted"),
    (beyond_the_names_of_its_authority, "untrusted"),
    (with_two_spiffe_ids, "identity"),
    (with_a_bad_spiffe_id, "identity"),
    (of_a_foreign_authority, "untrusted"),
    (of_a_self_signed_leaf, "untrusted"),
    (below_a_leaf, "untrusted"),
]


@pytest.mark.parametrize(("make", "reason"), REFUSED)
def test_a_server_refuses_a_client_certificate(make: Maker, reason: str) -> None:
    assert reasons(server_side(), client_side(make())) == (reason, "refused_by_peer")


@pytest.mark.parametrize(("make", "reason"), REFUSED)
def test_a_client_refuses_a_server_certificate(make: Maker, reason: str) -> None:
    assert reasons(server_side(make()), client_side()) == ("refused_by_peer", reason)


def test_a_server_certificate_does_not_make_a_client_nor_the_other_way_round() -> None:
    assert reasons(server_side(), client_side(pki().receiver)) == ("usage", "refused_by_peer")
    assert reasons(server_side(pki().client), client_side()) == ("refused_by_peer", "usage")


def test_a_client_without_a_certificate_is_refused() -> None:
    nobody = client_context(None, pki().trust, None, Tls(), None)
    assert reasons(server_side(), nobody) == ("no_certificate", "refused_by_peer")


def test_trust_is_what_is_given_and_nothing_else() -> None:
    foreign = server_side(trust=pki().foreign.pem)
    assert reasons(foreign, client_side()) == ("untrusted", "refused_by_peer")
    assert reasons(foreign, client_side(pki().impostor)) == (None, None)


def test_an_intermediate_that_is_not_sent_along_is_not_guessed() -> None:
    below = make_authority("Below", issuer=pki().authority)
    peer = issue(below, "peer")
    leaf = peer.certificate[: peer.certificate.index(b"-----END") + 26]
    whole, alone = client_side(peer), client_side(Credentials(leaf, peer.key))
    assert reasons(server_side(), whole) == (None, None)
    assert reasons(server_side(), alone) == ("untrusted", "refused_by_peer")


# --- pins: in addition to everything else --------------------------------------------------------


def test_a_pin_admits_its_own_key_only() -> None:
    pinned = ListenerTls(pins=[of_whom(pki().client)])
    assert reasons(server_side(tls=pinned), client_side()) == (None, None)
    others = client_side(pki().stranger)
    assert reasons(server_side(tls=pinned), others) == ("pin", "refused_by_peer")


def test_a_client_pins_its_server() -> None:
    right, wrong = [of_whom(pki().gateway)], [of_whom(pki().receiver)]
    assert reasons(server_side(), client_side(pins=wrong)) == ("refused_by_peer", "pin")
    assert reasons(server_side(), client_side(pins=wrong + right)) == (None, None)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (expired, "expired"),
        (of_a_foreign_authority, "untrusted"),
        (without_extended_usage, "usage"),
    ],
)
def test_a_pin_replaces_no_other_check(make: Maker, reason: str) -> None:
    peer = make()
    server = server_side(tls=ListenerTls(pins=[of_whom(peer)]))
    assert reasons(server, client_side(peer)) == (reason, "refused_by_peer")
    client = client_side(pins=[of_whom(peer)])
    assert reasons(server_side(peer), client) == ("refused_by_peer", reason)


# --- the name of the server ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST", "127.0.0.1", "::1", "gateway.lockgate.example"]
)
def test_a_client_accepts_a_name_that_the_server_has(name: str) -> None:
    assert reasons(server_side(), client_side(), name) == (None, None)


@pytest.mark.parametrize(
    "name", ["other.example", "127.0.0.2", "::2", "xn--lockgate.example", "gateway"]
)
def test_a_client_refuses_a_server_of_another_name(name: str) -> None:
    assert reasons(server_side(), client_side(), name) == ("refused_by_peer", "name")


def test_a_common_name_is_no_name() -> None:
    server = server_side(ours("gateway.test", names=Names()))
    assert reasons(server, client_side(), "gateway.test") == ("refused_by_peer", "name")


def test_a_wildcard_stands_for_one_label() -> None:
    server = server_side(ours(names=Names(dns=("*.lockgate.example",))))
    assert reasons(server, client_side(), "a.lockgate.example") == (None, None)
    assert reasons(server, client_side(), "a.b.lockgate.example") == ("refused_by_peer", "name")


@pytest.mark.parametrize("name", [None, "", ".", "a..b", "a b", "bücher.example", "*.example"])
def test_a_client_without_a_name_to_verify_sends_nothing(name: str | None) -> None:
    with pytest.raises(TlsFailure) as caught:
        Engine(client_side(), server_name=name)
    assert caught.value.reason == "name"


def test_the_log_learns_who_failed_and_no_control_character_with_it() -> None:
    intruder = issue(pki().foreign, "evil\nname\x1b[31m", names=Names(), usages=CLIENT)
    end = shake(server_side(), client_side(intruder))[0]
    assert end.failure is not None
    assert "evil" in end.failure.detail
    assert end.failure.detail.isprintable()


@pytest.mark.parametrize(
    "make", [expired, of_an_expired_authority, of_a_foreign_authority, with_two_spiffe_ids]
)
def test_a_failure_says_whose_certificate_it_was_also_where_one_above_it_is_refused(
    make: Maker,
) -> None:
    peer = make()
    (leaf, *_) = parse_chain(peer.certificate)
    for end in (
        shake(server_side(), client_side(peer))[0],
        shake(server_side(peer), client_side())[1],
    ):
        assert end.failure is not None
        assert end.failure.presented == {
            "subject": leaf.subject.rfc4514_string(),
            "serial": f"{leaf.serial_number:x}",
            "pin": of_whom(peer),
        }


def test_no_key_is_used_that_is_not_admitted_only_to_learn_whose_the_leaf_is() -> None:
    root = paths.authority("Foreign CA", None)
    said = []
    for key in (paths.rsa_key(2048), paths.rsa_key(2048, 3)):
        between = paths.authority("Below", root, key=key)
        failure = shake(server_side(), client_side(paths.leaf(between)))[0].failure
        assert failure is not None
        said.append((failure.reason, sorted(failure.presented)))
    assert said == [("untrusted", ["pin", "serial", "subject"]), ("untrusted", [])]


def test_what_a_certificate_says_of_itself_is_bounded_and_printable_in_the_log() -> None:
    names = [f"name {number}\n\x1b[31m" for number in range(60)]
    long = x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, each) for each in names])
    peer = paths.leaf(paths.authority("Foreign CA", None), subject=long)
    failure = shake(server_side(), client_side(peer))[0].failure
    assert failure is not None
    assert len(failure.presented["subject"]) == 200
    assert all(each.isprintable() and each.isascii() for each in failure.presented.values())


def test_usages_are_those_of_the_side_on_which_the_peer_stands() -> None:
    only_client, only_server = ours(usages=CLIENT), ours(usages=SERVER)
    assert reasons(server_side(only_server), client_side(only_client)) == (None, None)


def test_names_of_other_kinds_do_not_hinder_a_name_that_fits() -> None:
    """A URI with two colons, or a wildcard that matches nothing, once hid the others."""
    for other in (Names(uris=("urn:uuid:1",)), Names(dns=("*.example",))):
        names = Names(uris=other.uris, dns=("localhost", *other.dns), ips=("127.0.0.1",))
        server = server_side(ours(names=names))
        assert reasons(server, client_side()) == (None, None)
        assert reasons(server, client_side(), "127.0.0.1") == (None, None)
        assert reasons(server, client_side(), "a.example") == ("refused_by_peer", "name")
