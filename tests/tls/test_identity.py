"""What a certificate says of its holder: SPIFFE IDs by the letter, names safe to pass on."""

import base64
import contextlib
import hashlib
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import CredentialError, TlsFailure
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import (
    UNREADABLE,
    format_pin,
    identify,
    parse_pins,
    read_pins,
    require_one_spiffe_id,
)
from proxy.tls.keys import make_key, public_pem
from proxy.tls.pki import Names, issue
from tests.pki import pki
from tests.tls.makers import HOUR

GOOD = [
    "spiffe://lockgate.example/client",
    "spiffe://lockgate.example/etl/orders",
    "spiffe://a/b",
    "spiffe://1.2.3.4/x",
    "spiffe://under_score/A.b-c_9",
    "spiffe://lockgate.example/...",
]
BAD = [
    "spiffe://",
    "spiffe:///path",
    "spiffe://lockgate.example",
    "spiffe://lockgate.example/",
    "spiffe://Lockgate.example/x",
    "SPIFFE://lockgate.example/x",
    "spiffe:lockgate.example/x",
    "spiffe://user@lockgate.example/x",
    "spiffe://lockgate.example:8443/x",
    "spiffe://lockgate.example//x",
    "spiffe://lockgate.example/x/",
    "spiffe://lockgate.example/./x",
    "spiffe://lockgate.example/x/..",
    "spiffe://lockgate.example/x?query",
    "spiffe://lockgate.example/x#fragment",
    "spiffe://lockgate.example/%78",
    "spiffe://lockgate.example/x\n",
    "spiffe://lockgate.example/ü",
    "spiffe://" + "a" * 256 + "/x",
    "spiffe://lockgate.example/" + "a" * 2048,
]


def test_cn_and_ou_of_the_subject_are_read_each_as_often_as_it_stands_there() -> None:
    kinds = [NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME] * 2
    values = ["etl", "data", "\u00fc", "night"]
    subject = x509.Name(map(x509.NameAttribute, kinds, values))
    certificate = identify(with_subject(subject))
    assert certificate.common_names == ("etl", "\u00fc")
    assert certificate.units == ("data", "night")
    bare = identify(with_subject(x509.Name([])))
    assert (bare.common_names, bare.units) == ((), ())


def with_subject(subject: x509.Name) -> x509.Certificate:
    key, now = make_key(), datetime.now(UTC)
    builder = x509.CertificateBuilder(pki().authority.certificate.subject, subject)
    builder = builder.public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(now).not_valid_after(now + HOUR)
    return builder.sign(pki().authority.signer, hashes.SHA256())


@pytest.mark.parametrize("uri", GOOD)
def test_a_valid_spiffe_id_is_taken(uri: str) -> None:
    assert require_one_spiffe_id((uri,)) == uri


@pytest.mark.parametrize("uri", BAD)
def test_an_invalid_spiffe_id_refuses_the_certificate(uri: str) -> None:
    with pytest.raises(TlsFailure) as caught:
        require_one_spiffe_id((uri,))
    assert caught.value.reason == "identity"


@pytest.mark.parametrize("other", ["spiffe://lockgate.example/b", "https://lockgate.example/"])
def test_a_spiffe_id_is_the_only_uri_of_its_certificate(other: str) -> None:
    with pytest.raises(TlsFailure, match="only URI"):
        require_one_spiffe_id(("spiffe://lockgate.example/a", other))


def test_other_uris_are_no_spiffe_id() -> None:
    assert require_one_spiffe_id(("https://a.example/x", "urn:uuid:1")) is None
    assert require_one_spiffe_id(()) is None


@given(st.text(max_size=60))
def test_a_spiffe_id_is_valid_or_refused(text: str) -> None:
    with contextlib.suppress(TlsFailure):
        found = require_one_spiffe_id((f"spiffe://{text}",))
        assert found == f"spiffe://{text}"
        assert found.isascii()
        assert not set(found[9:]) & set("@:?#% ")


def test_a_certificate_is_read_as_it_stands() -> None:
    leaf = parse_chain(pki().client.certificate)[0]
    der = leaf.public_bytes(Encoding.DER)
    read = identify(leaf, (b"issuer",))
    spki = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert read.der == der
    assert read.chain == (b"issuer",)
    assert read.sha256 == hashlib.sha256(der).digest()
    assert read.spki_sha256 == hashlib.sha256(spki).digest()
    assert read.serial == leaf.serial_number
    assert read.subject == "CN=client,O=Lockgate throwaway PKI"
    assert read.sans == (
        "spiffe://lockgate.example/client",
        "client.lockgate.example",
        "localhost",
        "127.0.0.1",
        "::1",
    )
    assert (read.not_after - read.not_before).days == 398
    assert read.not_before.tzinfo is not None


@pytest.mark.parametrize("name", ["a b", "a\tb", "a\r\nX-Injected: 1", "a\0b"])
def test_a_name_that_could_break_a_header_refuses_the_certificate(name: str) -> None:
    for names in (Names(dns=(name,)), Names(uris=(f"https://{name}",))):
        leaf = parse_chain(issue(pki().authority, "x", names=names).certificate)[0]
        with pytest.raises(TlsFailure) as caught:
            identify(leaf)
        assert caught.value.reason == "identity"


@given(st.binary(max_size=200), st.integers(0, 600))
def test_a_damaged_certificate_is_read_or_an_identity_failure(noise: bytes, position: int) -> None:
    der = parse_chain(pki().client.certificate)[0].public_bytes(Encoding.DER)
    for content in (noise, der[:position], der[:position] + noise + der[position + len(noise) :]):
        with contextlib.suppress(TlsFailure), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd serial number is worth a warning, no more
            try:
                leaf = x509.load_der_x509_certificate(content)
            except UNREADABLE:
                continue
            assert identify(leaf).der == content


# --- pins ----------------------------------------------------------------------------------------


def test_the_pin_of_a_certificate_is_that_of_its_public_key() -> None:
    leaf = parse_chain(pki().client.certificate)[0]
    spki = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = "sha256:" + base64.b64encode(hashlib.sha256(spki).digest()).decode()
    pem = leaf.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = leaf.public_bytes(Encoding.DER)
    assert read_pins(pki().client.certificate) == read_pins(pem) == read_pins(der) == [pin]
    assert parse_pins([pin]) == {identify(leaf).spki_sha256}
    assert format_pin(identify(leaf).spki_sha256) == pin


def test_a_pin_survives_a_renewal_with_the_same_key() -> None:
    key = pki().authority.signer
    assert read_pins(public_pem(key)) == read_pins(pki().authority.pem)


@pytest.mark.parametrize(
    "pin",
    [
        "",
        "sha256:",
        "sha1:" + "A" * 43 + "=",
        "sha256:" + "A" * 43,
        "sha256:" + "A" * 42 + "B=",
        "sha256:" + "A" * 43 + "=\n",
        "sha256:" + "-" * 43 + "=",
        "A" * 43 + "=",
    ],
)
def test_one_bad_pin_refuses_the_whole_set(pin: str) -> None:
    good = format_pin(bytes(32))
    assert parse_pins([good]) == {bytes(32)}
    with pytest.raises(CredentialError):
        parse_pins([good, pin])


def test_no_pins_at_all_are_not_a_set_that_admits_nobody_by_accident() -> None:
    with pytest.raises(CredentialError):
        parse_pins([])


def test_a_file_without_a_key_has_no_pin(tmp_path: Path) -> None:
    for content in (b"", b"nothing", pki().client.key):
        with pytest.raises(CredentialError):
            read_pins(content)
