"""Content-Digest (RFC 9530): what is read, what proves, what is refused."""

import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refusal
from proxy.wire.digests import (
    ContentDigest,
    digest_of,
    format_sha256,
    parse_content_digest,
    preferred,
)

BODY = b'{"hello": "world"}'
# RFC 9530 appendix B.1, over the content above and an LF.
RFC_CONTENT = BODY + b"\n"
RFC_SHA256 = b"sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


def sha(bits: int, data: bytes) -> bytes:
    digest = hashlib.new(f"sha{bits}", data).digest()
    return b"sha-%d=:%s:" % (bits, b64encode(digest))


def verify(body: bytes, head: bytes | None, trailer: bytes | None = None) -> None:
    declared = parse_content_digest(() if head is None else (head,))
    digest = ContentDigest(declared, trailers=trailer is not None)
    for at in range(0, len(body), 5):
        digest.update(body[at : at + 5])
    if trailer is not None:
        digest.add_trailers(((b"content-digest", trailer),))
    assert digest.present
    digest.require()


def refused(code: str, *arguments: bytes | None) -> None:
    with pytest.raises(Refusal) as caught:
        verify(BODY, *arguments)
    assert caught.value.code == code


def test_the_example_of_the_rfc_verifies() -> None:
    verify(RFC_CONTENT, RFC_SHA256)
    assert format_sha256(hashlib.sha256(RFC_CONTENT).digest()) == RFC_SHA256


@pytest.mark.parametrize("bits", [256, 512])
def test_content_is_held_against_its_digest(bits: int) -> None:
    good, bad = sha(bits, BODY), sha(bits, b"other")
    verify(BODY, good)
    verify(BODY, None, good)
    verify(BODY, good, good)
    refused("digest-mismatch", bad)
    refused("digest-mismatch", None, bad)


def test_every_digest_must_match() -> None:
    verify(BODY, sha(256, BODY) + b", " + sha(512, BODY))
    refused("digest-mismatch", sha(256, BODY) + b", " + sha(512, b"other"))
    refused("digest-mismatch", sha(256, b"other") + b", " + sha(512, BODY))
    refused("digest-mismatch", sha(256, BODY), sha(512, b"other"))
    verify(BODY, sha(256, BODY), sha(512, BODY))


def test_head_and_trailers_must_agree() -> None:
    refused("digest-mismatch", sha(256, BODY), sha(256, b"other"))
    refused("digest-mismatch", sha(256, b"other"), sha(256, BODY))


def test_a_trailer_that_nobody_waited_for_does_not_count() -> None:
    digest = ContentDigest({})
    digest.update(BODY)
    with pytest.raises(Refusal, match="digest-mismatch"):
        digest.add_trailers(((b"content-digest", sha(256, BODY)),))


def test_other_algorithms_prove_nothing() -> None:
    assert parse_content_digest((b"md5=:YQ==:, unixsum=::",)) == {}
    digest = ContentDigest(parse_content_digest((b"md5=:YQ==:",)))
    assert not digest.present
    digest.require()
    verify(BODY, b"md5=:YQ==:, " + sha(256, BODY))


def test_several_fields_are_one_dictionary() -> None:
    found = parse_content_digest((sha(256, BODY), sha(512, BODY)))
    assert set(found) == {"sha-256", "sha-512"}


@pytest.mark.parametrize(
    "values",
    [
        (b"sha-256",),
        (b"sha-256=YQ==",),
        (b"sha-256=:YQ==:",),
        (sha(256, BODY).replace(b"sha-256", b"sha-512"),),
        (sha(256, BODY) + b";a",),
        (sha(256, BODY) + b",",),
        (sha(256, BODY), sha(256, BODY)),
        (sha(256, BODY) + b", " + sha(256, b"other"),),
        (b"SHA-256=" + sha(256, BODY)[8:],),
        (b"md5=1",),
    ],
)
def test_a_malformed_digest_is_refused(values: tuple[bytes, ...]) -> None:
    with pytest.raises(Refusal, match="digest-malformed"):
        parse_content_digest(values)
    late = tuple((b"content-digest", value) for value in values)
    with pytest.raises(Refusal, match="digest-malformed"):
        ContentDigest({}, trailers=True).add_trailers(late)


def test_only_a_whole_digest_is_written() -> None:
    with pytest.raises(ValueError, match="32 octets"):
        format_sha256(b"short")


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_no_other_content_passes(sent: bytes, received: bytes) -> None:
    digest = ContentDigest(parse_content_digest((sha(256, sent),)))
    digest.update(received)
    if sent == received:
        digest.require()
    else:
        with pytest.raises(Refusal, match="digest-mismatch"):
            digest.require()


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ([b"sha-256=1"], "sha-256"),
        ([b"sha-512=3, sha-256=10, unixsum=0"], "sha-256"),
        ([b"sha-512=3", b"sha-256=1"], "sha-512"),
        ([b"sha-512=5, sha-256=5"], "sha-256"),
        ([b"sha-256=0, sha-512=1;why=x"], "sha-512"),
        ([b"sha-256=0"], None),
        ([b"md5=10"], None),
        ([], None),
        ([b"sha-256=11"], None),
        ([b"sha-256=-1"], None),
        ([b"sha-256=1.0"], None),
        ([b"sha-256"], None),
        ([b"sha-256=()"], None),
        ([b"sha-256=1,"], None),
        ([b"!"], None),
    ],
)
def test_a_wish_is_for_the_algorithm_of_greatest_weight_and_refuses_nothing(
    wish: list[bytes], name: str | None
) -> None:
    assert preferred(wish) == name


def test_repr_digest_is_held_against_the_same_content() -> None:
    late = ((b"repr-digest", sha(512, BODY)),)
    digest = ContentDigest({}, parse_content_digest((sha(256, BODY),)), trailers=True)
    digest.update(BODY)
    digest.add_trailers(late)
    digest.require()
    assert (digest.present, digest.declares) == (False, True)
    digest.update(b"more")
    with pytest.raises(Refusal, match=r"digest-mismatch.*Repr-Digest"):
        digest.require()


def test_repr_digest_proves_nothing_of_a_part() -> None:
    digest = ContentDigest({}, trailers=True)
    digest.update(BODY)
    digest.add_trailers(((b"repr-digest", sha(256, b"all of it")),))
    digest.require()
    assert not digest.declares


@pytest.mark.parametrize("bits", [256, 512])
def test_what_is_in_memory_has_its_digest_at_once(bits: int) -> None:
    assert digest_of(f"sha-{bits}", BODY) == sha(bits, BODY)
