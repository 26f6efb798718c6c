"""Message signatures against what others published: RFC 9421 and httpsig-pq of C2SP."""

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from proxy.wire.jwk import VerifyingKey, verifying_key
from proxy.wire.sfv import InnerList, parse_dictionary
from proxy.wire.signature import Demands, Message, SignatureFailure, sign_as, verify
from proxy.wire.signature_base import signature_base
from proxy.wire.signing_key import signing_key
from tests.wire.vectors import (
    ED25519_SECRET_OF_THE_RFC,
    PUBLISHED,
    SHARED_SECRET_OF_THE_RFC,
    added,
    message,
    post_quantum,
    published,
)

NOW = datetime.fromtimestamp(1618884500, UTC)
IN_2026 = datetime.fromtimestamp(1783368000, UTC)
ANY = Demands(parameters=frozenset())
NAMES = ["test-key-rsa-pss", "test-key-ecc-p256", "test-key-ed25519", "test-shared-secret"]
ALL = [published(name) for name in NAMES]

SEEDS = {
    "ml-dsa-44": "c80d699b2daa47d54b8697f5a917c696400d7063b30a234d18ad672250ae42d9",
    "ml-dsa-65": "40342eccce31032955f04c14256fa8cb6b6269bdc22d6ee62fd00d9338759773",
    "ml-dsa-87": "0cd2f7cc3f9772ad23031ef37aea63b3825fb46bdb5d5cc4fb620ecccc5e630b",
}
"""Published beside the vectors: what the keys of httpsig-pq are made of."""


@pytest.mark.parametrize(
    ("section", "of", "algorithm", "components"),
    [
        ("B.2.1", "B.2 test-request", "rsa-pss-sha512", 0),
        ("B.2.2", "B.2 test-request", "rsa-pss-sha512", 3),
        ("B.2.3", "B.2 test-request", "rsa-pss-sha512", 8),
        ("B.2.4", "B.2 test-response", "ecdsa-p256-sha256", 4),
        ("B.2.5", "B.2 test-request", "hmac-sha256", 3),
        ("B.2.6", "B.2 test-request", "ed25519", 6),
    ],
)
def test_the_signatures_of_appendix_b2_hold_and_of_another_message_do_not(
    section: str, of: str, algorithm: str, components: int
) -> None:
    bare = message(of)
    signed = replace(bare, fields=bare.fields + added(section))
    held = verify(signed, ALL, ANY, NOW)
    assert (held.algorithm, len(held.components)) == (algorithm, components)
    assert held.created == 1618884473
    for name, value in bare.fields:
        if f'"{name.decode()}"' in held.components:
            others = tuple(field for field in signed.fields if field[0] != name)
            with pytest.raises(SignatureFailure, match=r"^invalid"):
                verify(replace(signed, fields=(*others, (name, value + b"x"))), ALL, ANY, NOW)


def test_a_signature_of_no_component_still_says_its_nonce() -> None:
    bare = message("B.2 test-request")
    held = verify(replace(bare, fields=bare.fields + added("B.2.1")), ALL, ANY, NOW)
    assert held.nonce == "b3k2pp5k7z-50gnwp.yemd"


@pytest.mark.parametrize(
    ("section", "jwk"),
    [
        (
            "B.2.5",
            {"kty": "oct", "k": SHARED_SECRET_OF_THE_RFC, "kid": "test-shared-secret"},
        ),
        (
            "B.2.6",
            {
                **PUBLISHED["test-key-ed25519"],
                "d": ED25519_SECRET_OF_THE_RFC,
                "kid": "test-key-ed25519",
            },
        ),
    ],
)
def test_the_signatures_that_are_the_same_every_time_are_made_octet_for_octet(
    section: str, jwk: dict[str, str]
) -> None:
    ((label, covered),) = parse_dictionary([added(section)[0][1]]).items()
    assert isinstance(covered, InnerList)
    names = [str(item.value) for item in covered.items]
    made = sign_as(message("B.2 test-request"), signing_key(jwk), names, covered.parameters, label)
    assert made == added(section)


@pytest.mark.parametrize("name", ["2.4 a signed answer", "2.4 a signed answer to a signed request"])
def test_an_answer_is_signed_together_with_its_request(name: str) -> None:
    of = "2.4 the request of an answer" if name.endswith("answer") else "2.4 a signed request"
    answer = message(name, request=message(of))
    assert verify(answer, ALL, ANY, NOW).label == "reqres"
    assert answer.request is not None
    for other in (replace(answer.request, method="PUT"), None):
        with pytest.raises(SignatureFailure):
            verify(replace(answer, request=other), ALL, ANY, NOW)


@pytest.mark.parametrize("name", ["2.4 a signed request", "3.2 a signed request"])
def test_the_signed_requests_of_the_text_hold(name: str) -> None:
    assert verify(message(name), ALL, ANY, NOW).keyid == "test-key-rsa-pss"


def test_a_signature_does_not_survive_a_proxy_that_changes_what_it_covers() -> None:
    assert verify(message("4.3 as the client signed it"), ALL, ANY, NOW).label == "sig1"
    for name in ("4.3 as a proxy changed it", "4.3 as a proxy signed it"):
        with pytest.raises(SignatureFailure, match=r"^invalid"):
            verify(message(name), ALL, ANY, NOW)
        there = replace(message(name), authority="example.com")
        assert verify(there, ALL, ANY, NOW).label == "sig1"


def test_pkcs1_is_not_how_an_rsa_key_signs_here() -> None:
    only = replace(published("test-key-rsa-pss"), keyid="test-key-rsa")
    with pytest.raises(SignatureFailure, match=r"^key-kind"):
        verify(message("4.3 as a proxy signed it"), [only], ANY, NOW)


def test_the_field_that_a_proxy_signed_holds() -> None:
    held = verify(message("B.3 behind a proxy"), ALL, ANY, NOW)
    assert held.label == "ttrp"
    assert held.covers("client-cert")


@pytest.mark.parametrize(
    "name",
    [
        "B.4 as it was signed",
        "B.4 a field and a parameter more",
        "B.4 joined and left out",
        "B.4 in another order",
    ],
)
def test_a_signature_survives_what_it_does_not_cover(name: str) -> None:
    assert verify(message(name), ALL, ANY, NOW).label == "transform"


@pytest.mark.parametrize(
    "name", ["B.4 another method and authority", "B.4 values in another order"]
)
def test_a_signature_does_not_survive_another_meaning(name: str) -> None:
    with pytest.raises(SignatureFailure, match=r"^invalid"):
        verify(message(name), ALL, ANY, NOW)


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


@pytest.mark.parametrize("vector", post_quantum(), ids=lambda vector: vector["algorithm"])
class TestPostQuantum:
    """httpsig-pq, version 1.0.0."""

    def key(self, vector: dict[str, str]) -> VerifyingKey:
        name = vector["algorithm"]
        kid = "test-key-" + name.replace("ml-dsa-", "mldsa")
        pub = base64url(base64.b64decode(vector["public_key_base64"]))
        return verifying_key({"kty": "AKP", "alg": name.upper(), "kid": kid, "pub": pub})

    def message(self, vector: dict[str, str], signature: bytes | None = None) -> Message:
        signed = signature or base64.b64decode(vector["deterministic_signature_base64"])
        fields = (
            (b"host", b"example.com"),
            (b"date", b"Mon, 06 Jul 2026 20:00:00 GMT"),
            (b"signature-input", vector["serialized_signature_input"].partition(": ")[2].encode()),
            (b"signature", b"sig1=:" + base64.b64encode(signed) + b":"),
        )
        return Message(fields, "GET", "/foo?param=Value&Pet=dog", "https", "example.com")

    def test_its_base_is_that_of_the_vector(self, vector: dict[str, str]) -> None:
        said = self.message(vector)
        (covered,) = parse_dictionary([dict(said.fields)[b"signature-input"]]).values()
        assert isinstance(covered, InnerList)
        base = signature_base(said, covered)
        assert hashlib.sha256(base).hexdigest() == vector["signature_base_sha256"]

    def test_its_signature_holds(self, vector: dict[str, str]) -> None:
        held = verify(self.message(vector), [self.key(vector)], ANY, IN_2026)
        assert held.algorithm == vector["algorithm"]

    def test_its_public_key_is_that_of_its_seed(self, vector: dict[str, str]) -> None:
        name = vector["algorithm"].upper()
        public = base64url(base64.b64decode(vector["public_key_base64"]))
        seed = base64url(bytes.fromhex(SEEDS[vector["algorithm"]]))
        made = signing_key({"kty": "AKP", "alg": name, "pub": public, "priv": seed})
        assert made.verifying.thumbprint == self.key(vector).thumbprint

    @pytest.mark.parametrize("change", ["flipped", "shorter", "longer"])
    def test_a_changed_signature_does_not_hold(self, vector: dict[str, str], change: str) -> None:
        signature = base64.b64decode(vector["deterministic_signature_base64"])
        changed = {
            "flipped": bytes([signature[0] ^ 1]) + signature[1:],
            "shorter": signature[:-1],
            "longer": signature + b"\0",
        }[change]
        with pytest.raises(SignatureFailure, match=r"^invalid"):
            verify(self.message(vector, changed), [self.key(vector)], ANY, IN_2026)

    def test_a_changed_message_does_not_hold(self, vector: dict[str, str]) -> None:
        said = replace(self.message(vector), method="POST")
        with pytest.raises(SignatureFailure, match=r"^invalid"):
            verify(said, [self.key(vector)], ANY, IN_2026)

    def test_another_algorithm_than_the_keys_is_refused(self, vector: dict[str, str]) -> None:
        said = self.message(vector)
        other = next(name for name in SEEDS if name != vector["algorithm"])
        fields = tuple(
            (name, value.replace(vector["algorithm"].encode(), other.encode()))
            for name, value in said.fields
        )
        with pytest.raises(SignatureFailure, match=r"^key-kind"):
            verify(replace(said, fields=fields), [self.key(vector)], ANY, IN_2026)
