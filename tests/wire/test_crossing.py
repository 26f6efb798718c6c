"""Which fields cross the gate, in both directions, and which do not."""

import pytest

from proxy.errors import Refusal
from proxy.wire.crossing import without_conditions
from tests.wire.fields import DIGEST, answered, forwarded, received, returned, values


def words(text: str) -> list[str]:
    return text.split()


def spellings(name: str) -> list[str]:
    signs = [name.replace("-", sign) for sign in "_.!~|"]
    return [name, name.upper(), name.title(), *signs, name.replace("-", "_", 1)]


def test_ordinary_fields_cross_in_order_and_as_written() -> None:
    head = received(b"B: 1 ,2", b"A: \xff", b"Content-Type: application/json", b"B: 3")
    assert forwarded(head)[1:5] == (
        (b"b", b"1 ,2"),
        (b"a", b"\xff"),
        (b"content-type", b"application/json"),
        (b"b", b"3"),
    )
    assert returned(answered(b"B: 1", b"A: 2", b"B: 3"))[:3] == (
        (b"b", b"1"),
        (b"a", b"2"),
        (b"b", b"3"),
    )


ONE_CONNECTION = [
    b"Connection: x-a, close",
    b"X-A: 1",
    b"Keep-Alive: timeout=5",
    b"Proxy-Connection: keep-alive",
    b"Proxy-Authorization: Basic eA==",
    b"Proxy-Anything: x",
    b"TE: trailers",
    b"Trailer: Content-Digest",
    b"Content-Length: 5",
    b"Content_Length: 6",
    b"Transfer_Encoding: chunked",
]


def test_what_concerns_one_connection_stays_there() -> None:
    assert {name for name, _ in forwarded(received(*ONE_CONNECTION, b"Expect: 100-continue"))} == {
        b"host",
        b"via",
        b"forwarded",
        b"transfer-id",
    }
    lines = [*ONE_CONNECTION, b"Upgrade: h2c", b"Proxy-Authenticate: Basic"]
    assert {name for name, _ in returned(answered(*lines))} == {b"via", b"transfer-id"}
    chunked = received(b"Transfer-Encoding: chunked")
    assert not values(forwarded(chunked), b"transfer-encoding")


CLAIMS = words("""
client-cert client-cert-chain client-cert-subject client-ip x-forwarded-client-cert
x-client-cert x-client-dn x-client-verify x-client-ip ssl-client-verify ssl-client-s-dn
ssl-cipher x-ssl-client-s-dn x-ssl-cert x-tls-client-cert tls-client-cert x-amzn-mtls-clientcert
x-amzn-mtls-clientcert-subject x-arr-clientcert x-forwarded x-forwarded-for x-forwarded-host
x-forwarded-proto x-forwarded-user x-forwarded-anything forwarded-for true-client-ip
cf-connecting-ip x-real-ip x-cluster-client-ip x-remote-user x-remote-addr x-remote-group
remote-user remote-addr remote-groups x-auth-request-user x-webauth-user
x-goog-authenticated-user-email x-ms-client-principal-name x-amzn-oidc-data
x-http-method-override x-method-override x-http-method x-original-url x-original-uri
x-original-host x-original-method x-rewrite-url x-host proxy proxy-user x-envoy-original-path
data-sensitivity transfer-receipt transfer-receipt-key early-data
cf-connecting-ipv6 fastly-client-ip fly-client-ip front-end-https wl-proxy-client-ip x-scheme
x-http-host-override x-originating-ip x-url-scheme x-ms-client-principal x-amzn-tls-version
x-authenticated-user x-goog-iap-jwt-assertion
""")


@pytest.mark.parametrize("name", [*CLAIMS, "forwarded"])
def test_a_sender_cannot_say_who_it_is_or_what_it_really_asks_for(name: str) -> None:
    for spelled in spellings(name):
        line = spelled.encode() + b": claimed"
        fields = forwarded(received(line))
        assert b"claimed" not in [value for _, value in fields]
        assert len(values(fields, name.encode())) == (name == "forwarded")
        assert not values(returned(answered(line)), spelled.lower().encode())


STANDARD = words("""
content-encoding content-type content-range content-length content-disposition content-digest
content-md5 content-language content-location accept-encoding accept-ranges transfer-encoding
if-match if-none-match if-range if-modified-since set-cookie cache-control user-agent
last-modified retry-after www-authenticate max-forwards repr-digest signature-input
""")


@pytest.mark.parametrize("name", STANDARD)
@pytest.mark.parametrize("sign", ["_", ".", "~"])
def test_a_name_that_means_something_crosses_in_its_proper_spelling_only(
    name: str, sign: str
) -> None:
    for spelled in (name.replace("-", sign), name.title().replace("-", sign, 1)):
        line = spelled.encode() + b": smuggled"
        for fields in (forwarded(received(line)), returned(answered(line))):
            assert b"smuggled" not in [value for _, value in fields]


@pytest.mark.parametrize("name", ["x_request_id", "x.request.id", "my_field", "remotely", "ssl"])
def test_a_name_that_means_nothing_to_us_crosses_as_written(name: str) -> None:
    line = name.encode() + b": 1"
    for fields in (forwarded(received(line)), returned(answered(line))):
        assert values(fields, name.encode()) == [b"1"]


def test_what_connection_nominates_stays_in_every_spelling() -> None:
    fields = forwarded(received(b"Connection: x-hop, content_type", b"X_Hop: 1", b"X-Hop: 2"))
    assert not {b"x-hop", b"x_hop"} & dict(fields).keys()
    kept = forwarded(received(b"Connection: content_type", b"Content-Type: a/b"))
    assert values(kept, b"content-type") == [b"a/b"]


# --- what is said of content ---

OF_CONTENT = words("""
content-digest repr-digest unencoded-digest digest content-md5 signature signature-input etag
x-etag x-linked-etag content-range accept-ranges delta-base checksum x-checksum-sha1
x-checksum-md5 x-amz-checksum-crc32 x-amz-checksum-sha256 x-amz-content-sha256
x-amz-meta-md5chksum x-goog-hash x-ms-blob-content-md5 x-ms-content-crc64 x-oss-hash-crc64ecma
x-cos-hash-crc64ecma x-content-sha256 x-content-sha512 x-bz-content-sha1 x-sha-256
docker-content-digest x-file-hash x-crc32c sha256 md5 x-md5sum x-blake3
""")


@pytest.mark.parametrize("name", OF_CONTENT)
def test_what_was_said_of_content_stays_behind_when_it_changed(name: str) -> None:
    said = DIGEST if name == "content-digest" else b"said"
    for spelled in (name, name.title()):
        line = spelled.encode() + b": " + said
        for fields in (forwarded(received(line)), returned(answered(line))):
            assert values(fields, name.encode()) == [said]
    for spelled in spellings(name):
        line = spelled.encode() + b": " + said
        assert said not in dict(forwarded(received(line), keep_digest=False)).values()
        assert said not in dict(returned(answered(line), keep_digest=False)).values()


@pytest.mark.parametrize(
    "name", ["last-modified", "want-content-digest", "want-repr-digest", "x-stage-tag", "vary"]
)
def test_what_says_nothing_of_the_octets_crosses_past_a_change(name: str) -> None:
    line = name.encode() + b": 1"
    for fields in (
        forwarded(received(line), keep_digest=False),
        returned(answered(line), keep_digest=False),
    ):
        assert values(fields, name.encode()) == [b"1"]


CONDITIONS = words("""
if-match if-none-match if-range if x-amz-copy-source-if-match x-amz-copy-source-if-none-match
""")


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("hides", [True, False])
def test_what_reads_asks_for_no_condition_on_a_tag(name: str, hides: bool) -> None:
    fields = [(b"a", b"1"), (name.encode(), b'"guess"'), (b"if-modified-since", b"now")]
    for method in ("GET", "HEAD"):
        assert without_conditions(fields, method, hides=hides) == [fields[0], fields[2]]


@pytest.mark.parametrize("name", CONDITIONS)
def test_what_writes_does_not_lose_its_condition(name: str) -> None:
    fields = [(b"a", b"1"), (name.encode(), b'"guess"')]
    for method in ("PUT", "POST", "PATCH", "DELETE", "OPTIONS"):
        with pytest.raises(Refusal) as caught:
            without_conditions(fields, method, hides=True)
        assert (caught.value.code, caught.value.status) == ("condition-refused", 412)
        assert without_conditions(fields, method, hides=False) == fields


def test_a_write_may_demand_that_there_is_something_or_nothing() -> None:
    for name in (b"if-match", b"if-none-match"):
        fields = [(name, b"*"), (b"if-unmodified-since", b"now")]
        assert without_conditions(fields, "PUT", hides=True) == fields
