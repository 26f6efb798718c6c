"""How the certificates of a path stand to each other (RFC 5280, section 6), and bounded work."""

import dataclasses

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.errors import TlsFailure
from proxy.tls.context import read_trust
from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.offline import CERTIFICATES, CLIENT, SERVER, verify_path
from proxy.tls.path import DEPTH, LONGEST
from proxy.tls.pki import Authority
from proxy.tls.revocation import read_crls
from tests.pki import make_crl
from tests.tls.paths import (
    authority,
    below,
    extension,
    judged,
    leaf,
    offline,
    root,
    why,
)
from tests.tls.pump import client_side, reasons, server_side, shake

_TRUE = bytes.fromhex("0101ff")


def limited(name: str, issuer: Authority | None, length: int | None) -> Authority:
    return authority(name, issuer, extensions=[x509.BasicConstraints(ca=True, path_length=length)])


def tower(*lengths: int | None) -> Authority:
    """Authorities, one below the other under the root, with these pathLenConstraints."""
    top = root()
    for index, length in enumerate(lengths):
        top = limited(f"Level {index}", top, length)
    return top


# --- length --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lengths", "holds"),
    [
        ((0,), True),
        ((1, 0), True),
        ((0, None), False),
        ((1, 5), True),
        ((2, 0, 0), False),
        ((1, None, None), False),
        ((None, 1, None), True),
    ],
)
def test_path_length_counts_the_authorities_below(
    lengths: tuple[int | None, ...], holds: bool
) -> None:
    assert judged(leaf(tower(*lengths))) == (None if holds else "untrusted")


def test_path_length_of_the_anchor_counts_too() -> None:
    anchor = limited("Anchor", None, 0)
    assert judged(leaf(anchor), trust=anchor) is None
    assert judged(leaf(authority("Below", anchor)), trust=anchor) == "untrusted"


def test_self_issued_authorities_do_not_count() -> None:
    upper = limited("Upper", root(), 1)
    rolled = limited("Upper", upper, 1)
    assert judged(leaf(limited("Lower", rolled, 0))) is None
    assert judged(leaf(tower(1, None, None))) == "untrusted"


def test_a_path_has_a_bounded_number_of_authorities() -> None:
    deepest = tower(*[None] * DEPTH)
    assert judged(leaf(deepest)) is None
    assert judged(leaf(authority("One more", deepest))) == "untrusted"


def test_a_path_has_a_bounded_number_of_certificates_self_issued_or_not() -> None:
    top = authority("Same", root())
    for _ in range(LONGEST - 3):
        top = authority("Same", top)
    assert judged(leaf(top)) is None
    assert judged(leaf(authority("Same", top))) == "untrusted"


def test_a_depth_can_be_asked_for_offline() -> None:
    peer = leaf(tower(None, None))
    first, *others = parse_chain(peer.certificate)
    anchors = read_trust(root().pem)
    assert len(verify_path(first, others, anchors, usage=SERVER, depth=2)) == 4
    with pytest.raises(TlsFailure, match="more than 1"):
        verify_path(first, others, anchors, usage=SERVER, depth=1)


# --- who may stand where -------------------------------------------------------------------------


def test_a_leaf_that_stands_for_itself_is_refused() -> None:
    neither = x509.BasicConstraints(ca=False, path_length=None)
    lone = authority("Lone", None)
    alone = Credentials(lone.pem, lone.key)
    assert offline(alone) == "untrusted"
    assert offline(alone, trust=lone) == "usage"
    assert judged(leaf(root(), extensions=[neither])) is None


def test_a_leaf_issues_nothing() -> None:
    peer = leaf(root(), subject="Not an authority")
    certificate = parse_chain(peer.certificate)[0]
    posing = authority("Not an authority", root())
    below_a_leaf = dataclasses.replace(posing, certificate=certificate, chain=(certificate,))
    assert judged(leaf(below_a_leaf)) == "untrusted"


def test_a_signature_of_somebody_else_is_refused() -> None:
    forged = dataclasses.replace(root(), signer=authority("Other", None).signer)
    assert judged(leaf(forged)) == "untrusted"


def test_an_authority_that_signed_itself_in_the_chain_is_no_anchor() -> None:
    stranger = authority("Stranger", None)
    sent = dataclasses.replace(stranger, chain=(stranger.certificate,))
    assert judged(leaf(sent)) == "untrusted"


def test_an_anchor_is_self_signed() -> None:
    middle = authority("Middle", root())
    assert offline(leaf(below(middle)), trust=middle) == "untrusted"
    assert offline(leaf(middle)) is None


def test_certificates_that_do_not_belong_to_the_path_do_not_matter() -> None:
    peer = leaf(authority("Middle", root()))
    stray = authority(
        "Stray", authority("Elsewhere", None), edit=extension(b"\x2a\x03", b"", critical=_TRUE)
    )
    more = peer.certificate + stray.certificate.public_bytes(Encoding.PEM) + root().pem
    assert judged(Credentials(more, peer.key)) is None


def test_the_path_that_was_judged_is_what_comes_back() -> None:
    path = why(leaf(tower(None, None)))
    names = [each.subject.rfc4514_string() for each in path]
    assert names == ["CN=leaf", "CN=Level 1", "CN=Level 0", "CN=Path Root"]


# --- bombs ---------------------------------------------------------------------------------------


def bomb(count: int, *, same_name: bool, same_key: bool) -> Credentials:
    """Authorities that all could have issued each other, none of them trusted."""
    key = authority("Key", None).signer
    top = authority("Bomb", None, key=key)
    top = dataclasses.replace(top, chain=(top.certificate,))
    for index in range(count - 1):
        name = "Bomb" if same_name else f"Bomb {index}"
        top = authority(name, top, **({"key": key} if same_key else {}))
    return leaf(top)


@pytest.mark.parametrize("same_name", [True, False])
@pytest.mark.parametrize("same_key", [True, False])
def test_authorities_that_issued_each_other_end_in_a_refusal(
    same_name: bool, same_key: bool
) -> None:
    assert judged(bomb(40, same_name=same_name, same_key=same_key)) == "untrusted"


def test_openssl_builds_no_further_than_the_longest_path() -> None:
    top = root()
    for index in range(LONGEST + 4):
        top = authority(f"Level {index}", top)
    client = client_side(leaf(top), trust=root().pem)
    end = shake(server_side(leaf(root()), trust=root().pem), client)[0]
    assert end.failure is not None
    assert "cert chain too long" in end.failure.detail


def test_offline_only_so_many_certificates_are_considered() -> None:
    peer = leaf(root())
    first, extra = parse_chain(peer.certificate)[0], root().certificate
    anchors = read_trust(root().pem)
    verify_path(first, [extra] * CERTIFICATES, anchors, usage=CLIENT)
    with pytest.raises(TlsFailure, match="more than 64"):
        verify_path(first, [extra] * (CERTIFICATES + 1), anchors, usage=CLIENT)


# --- revocation, offline as in the handshake -----------------------------------------------------


def test_revocation_offline_is_that_of_the_handshake() -> None:
    middle = authority("Middle", root())
    peer = leaf(middle)
    lists = {
        "covered": make_crl(middle),
        "revoked": make_crl(middle, [peer]),
        "authority revoked": make_crl(middle) + make_crl(root(), [middle]),
        "uncovered": make_crl(root()),
    }
    said = {}
    for what, crl in lists.items():
        server = server_side(leaf(root()), trust=root().pem, crl=crl)
        handshake = reasons(server, client_side(peer, trust=root().pem))[0]
        first, *others = parse_chain(peer.certificate)
        said[what] = (handshake, _with(first, others, crl))
    assert said == {
        "covered": (None, None),
        "revoked": ("revoked", "revoked"),
        "authority revoked": ("revoked", "revoked"),
        "uncovered": ("revocation_unknown", "revocation_unknown"),
    }


def _with(first: x509.Certificate, others: list[x509.Certificate], crl: bytes) -> str | None:
    try:
        verify_path(first, others, read_trust(root().pem), usage=CLIENT, crls=read_crls(crl))
    except TlsFailure as failure:
        return failure.reason
    return None
