"""Which header fields of a peer cross the gate, in both directions.

1. What concerns one connection stays there (RFC 9110 section 7.6.1, and what Connection nominates).
2. What says who the sender is, or what the request really asks for, is said by us or by nobody:
   upstreams trust such fields when they come from a gateway.
3. Where the content that arrives is not the content that was sent, or may not be, what was said of
   it stays behind: a digest of an unmasked body lets anyone enumerate what the mask hides. Any
   field named like a digest or a validator is one, since every vendor has its own.
4. A trailer crosses where a header field of its name would, unless it is one that a reader acts on
   before the content; the grammar has refused by then what only a head may hold at all.
5. Names are compared with every sign read as "-" (`grammar.plain`), and a name that means something
   to anybody crosses in its proper spelling only: `Content_Encoding` and `Remote.User` do not.
"""

import re

from proxy.errors import Refusal
from proxy.model import Headers
from proxy.wire.lines import Fields, remember
from proxy.wire.names import is_essential, plain

_ONE_CONNECTION = frozenset(
    b"connection content-length expect http2-settings keep-alive te trailer transfer-encoding "
    b"upgrade".split()
)
_OURS = frozenset(
    b"cf-connecting-ip cf-connecting-ipv6 client-ip data-sensitivity early-data fastly-client-ip "
    b"fly-client-ip front-end-https transfer-duplicate transfer-id transfer-receipt "
    b"transfer-receipt-key true-client-ip via wl-proxy-client-ip x-cluster-client-ip x-host "
    b"x-http-host-override x-http-method x-http-method-override x-method-override "
    b"x-ms-client-principal proxy x-originating-ip x-real-ip x-rewrite-url x-scheme "
    b"x-url-scheme".split()
)
_OURS_PREFIXES = tuple(
    b"client-cert forwarded proxy- remote- ssl- tls- x-amzn-mtls- x-amzn-oidc- x-amzn-tls- "
    b"x-arr- x-auth-request- x-authenticated- x-client- x-envoy- x-forwarded "
    b"x-goog-authenticated-user- x-goog-iap- x-ms-client-principal- x-original- x-remote- x-ssl- "
    b"x-tls- x-webauth-".split()
)
_OF_CONTENT = frozenset(
    b"accept-ranges content-range delta-base repr-digest signature signature-input".split()
)
_LIKE_A_DIGEST = re.compile(
    rb"che?cksum|digest|hash|md-?5|sha-?[0-9]|crc-?(?:32|64)|blake[23]|xxh|(?:^|-)e-?tag"
)
_WISHES = frozenset(b"want-digest want-content-digest want-repr-digest".split())
_CONDITIONS = frozenset(b"if if-match if-none-match if-range".split())
_ONLY_STANDARD = frozenset(
    b"accept accept-charset accept-encoding accept-language accept-ranges allow alt-svc etag from "
    b"last-modified link origin referer server user-agent".split()
)
_FRAMES = frozenset(
    b"accept-encoding date host max-forwards range content-digest content-encoding content-length "
    b"content-range content-type repr-digest signature signature-input".split()
)
_FRAMES_PREFIXES = (b"if-", b"transfer-")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]{1,256}")
_READS = frozenset(["GET", "HEAD"])
_BEFORE_CONTENT = _ONLY_STANDARD - {b"etag"}
_STAYS, _OF_THIS_CONTENT, _CROSSES = range(3)
_kinds: dict[bytes, int] = {}
"""A name -> what becomes of its field: it stays, crosses with the very content, or crosses."""


def crossing(headers: Headers, keep_digest: bool, *, head: Headers | None = None) -> Fields:
    """The fields that cross, in order and as written; with `keep_digest` False, none that could be
    a digest of content or a validator of it. `head` has the Connection, where `headers` has none.
    """
    least = _OF_THIS_CONTENT if keep_digest else _CROSSES
    found: Fields = []
    for pair in headers:
        kind = _kinds.get(pair[0])
        if kind is None:
            kind = _kind_of(pair[0])
        if kind >= least:
            found.append(pair)
    nominated = options(headers if head is None else head, b"connection")
    if not nominated:
        return found
    return [pair for pair in found if not {pair[0], plain(pair[0])}.intersection(nominated)]


def crossing_trailers(head: Headers, trailers: Headers, keep_digest: bool) -> Fields:
    """The trailer fields that cross, of a message with this head (RFC 9110, section 6.5)."""
    if not trailers:
        return []
    kept = crossing(trailers, keep_digest, head=head)
    return [pair for pair in kept if plain(pair[0]) not in _BEFORE_CONTENT]


def announced_trailers(head: Headers, keep_digest: bool) -> list[bytes]:
    """The names that Trailer announces (RFC 9110, section 6.6.2), of those that may cross."""
    names = [name for name in options(head, b"trailer") if _TOKEN.fullmatch(name)]
    fields = crossing_trailers(head, tuple((name, b"") for name in names), keep_digest)
    possible = [name for name, _ in fields if name == b"content-digest" or not is_essential(name)]
    return list(dict.fromkeys(possible))


def options(headers: Headers, wanted: bytes) -> list[bytes]:
    """The members of a list of names, in lower case: of Connection, TE or Trailer."""
    values = [value for name, value in headers if name == wanted]
    return values and [
        option.strip(b" \t").lower() for value in values for option in value.split(b",")
    ]


def without_conditions(fields: Fields, method: str, *, hides: bool) -> Fields:
    """The fields of a request whose answer is looked into, without its conditions on entity tags.

    Which condition holds tells what content has that tag, and thereby, guess by guess, what the
    sender may not see. What reads is answered as if it had asked for no condition. What writes must
    not lose its condition, since that would overwrite what its sender meant to keep: where the
    route `hides` a part of the content it may demand existence (`*`) and is refused anything else.
    Raises `Refusal` ("condition-refused").
    """
    kept = [pair for pair in fields if b"if" not in pair[0] or not _is_condition(*pair)]
    if method in _READS:
        return kept
    if hides and len(kept) < len(fields):
        raise Refusal("condition-refused", "a condition on the tag of content that is masked")
    return fields


def require_maskable(name: str) -> None:
    """A header field that a route may mask: whatever frames a message, concerns one connection, or
    is written by us, is not. Raises ValueError."""
    known = plain(name.lower().encode("ascii"))
    if _stays(known) or known in _FRAMES or known.startswith(_FRAMES_PREFIXES):
        raise ValueError(
            "cannot be masked: it says how the message is to be read, concerns one connection, or "
            "is written by Lockgate itself"
        )


def _is_condition(name: bytes, value: bytes) -> bool:
    known = plain(name)
    vendor = known.endswith((b"-if-match", b"-if-none-match"))
    return (known in _CONDITIONS or vendor) and value != b"*"


def _kind_of(name: bytes) -> int:
    """What becomes of a field of this name, and is remembered of it."""
    known = plain(name)
    if _stays(known) or (known != name and _means_something(known)):
        return remember(_kinds, name, _STAYS)
    return remember(_kinds, name, _OF_THIS_CONTENT if _is_of_content(known) else _CROSSES)


def _stays(known: bytes) -> bool:
    return known in _ONE_CONNECTION or known in _OURS or known.startswith(_OURS_PREFIXES)


def _means_something(known: bytes) -> bool:
    return is_essential(known) or known in _ONLY_STANDARD or known in _OF_CONTENT


def _is_of_content(known: bytes) -> bool:
    if known in _OF_CONTENT:
        return True
    return _LIKE_A_DIGEST.search(known) is not None and known not in _WISHES
