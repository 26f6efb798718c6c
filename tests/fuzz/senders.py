"""What fuzzed senders send: requests from the grammar, and damage to them, by seed and number.

    Conversation(7, 12)     the 12th conversation of seed 7, always the same octets

A conversation is a few good requests, pipelined, and one damaged behind them. The good ones have to
be answered as their targets say; the damaged one may be answered, refused, or neither. Two requests
in five go to the route that masks, with secrets in their content and in the answers to them. Each
answer tells what its request was: one that is another's, or was changed, or is about a content that
was changed on the way, is not what was expected.
"""

import hashlib
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.wire.ambiguous import BEHIND, CONTENTS, METHODS, ONE_READING, PATHS, REQUESTS
from tests.wire.ambiguous_answers import ANSWERS

OPAQUE, MASKED = "/f", "/m"
"""Routes: through one everything passes unseen, the other masks `$..secret`, both ways."""
SECRET = b"Xk7qSECRETp9"
"""What the masking route has to hide wherever the key above stands."""
HIDDEN = b"[REDACTED]"
FORGED = b"Fq3xFORGEDw2"
"""What a sender says in fields that must stay behind."""
ECHO = "x-echo"
"""What an answer tells of its request: number, SHA-256 of the content, and whether FORGED came."""
_TABLES = (REQUESTS, PATHS, METHODS, CONTENTS, ONE_READING, BEHIND)
_KNOWN = [row.octets for table in _TABLES for row in table]
_TOKENS = [
    b"\r", b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b"\x00", b"\x0b", b" ", b"\t", b":", b",", b";",
    b"+", b"-", b"0", b"00", b"0x", b"_", b"F", b"\x7f", b"\x80", b"\xff", b"/", b"?", b"#", b"%",
    b"\\", b"..", b"chunked", b"identity", b"HTTP/1.0", b"HTTP/1.1", b"Host: y\r\n",
    b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: x\r\n", b"Connection: close\r\n", b"Connection: host\r\n",
    b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n", b"Trailer: a\r\n", b"TE: trailers\r\n",
    b'"', b"{", b"}", b"\\", b'"secret":', b'{"secret":"%b"}\n' % SECRET, b"\xed\xa0\x80",
    b"0\r\n\r\n", b"1\r\na\r\n", b"\r\n ", b"GET /f/good/1 HTTP/1.1\r\nHost: x\r\n\r\n",
]  # fmt: skip
_NAMES = [b"A", b"X-Note", b"Accept", b"User-Agent", b"Cookie", b"x_y", b"Cache-Control", b"Q!#$"]
CLAIMS = [
    b"Forwarded", b"X-Forwarded-For", b"X-Forwarded-Host", b"X_Forwarded_Proto", b"X-Real-IP",
    b"Client-Cert", b"X-Forwarded-Client-Cert", b"Remote-User", b"X-Auth-Request-User",
    b"True-Client-IP", b"X-Original-URL", b"SSL-Client-Verify", b"Transfer-Duplicate", b"Upgrade",
]  # fmt: skip
"""Who asks and for what, which a gateway says or nobody; and what concerns one connection."""
_VALUE = bytes([9, *range(0x20, 0x7F), *range(0x80, 0x100)])
_VALUES = ["1", "null", "[]", '"a"', '{"b":1.50}', '"\\u00e9"', "-0", '"}"', "[[[]]]", '"x,y"']
_KEYS = ['"secret"', '"s\\u0065cret"', '"secre\\u0074"']
_BODIES = [b"GET /f/good/1 HTTP/1.1\r\nHost: x\r\n\r\n", b"0\r\n\r\n", b"\r\n\r\n", b"{}"]


@dataclass(frozen=True, slots=True)
class Expected:
    """A good request, and what has to come of it."""

    method: str
    target: str
    content: bytes
    """As it was sent."""
    octets: bytes

    @property
    def status(self) -> int:
        return 502 if is_bad(self.target) else 200

    def answer(self) -> "Answer":
        """What the upstream says to it, on the sender's side."""
        content = self.content.replace(SECRET, HIDDEN) if is_masked(self.target) else self.content
        said = answer_of(self.target, content, forged=False)
        return Answer(said.echo, said.kind, said.content.replace(SECRET, HIDDEN))


@dataclass(frozen=True, slots=True)
class Answer:
    """A good one."""

    echo: bytes
    kind: bytes
    content: bytes


class Conversation:
    """One connection's worth of octets, `pieces` as they are written, and what has to come."""

    def __init__(self, seed: int, number: int) -> None:
        self._dice = random.Random(f"{seed}/{number}")
        dice = self._dice
        good = [self._request() for _ in range(dice.randrange(4))]
        self.expected = good
        data = b"".join(each.octets for each in good) + self._damaged()
        self.requests = len(good) + 1
        self.over_tls = dice.random() < 0.05
        self.pieces = self._cut(data)

    def _request(self) -> Expected:
        dice = self._dice
        method = dice.choice(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "POST", "PATCH"])
        bad = method != "HEAD" and dice.random() < 0.1  # what is bad behind a head is not there
        route = MASKED if dice.random() < 0.4 else OPAQUE
        target = f"{route}/{'bad' if bad else 'good'}/{dice.randrange(10**6)}"
        if dice.random() < 0.2:
            target += "?" + "".join(dice.choices("ab=&/?[].;%", k=dice.randrange(9)))
        has_content = method in ("POST", "PUT", "PATCH")
        framing, content, body = self._body(route) if has_content else (b"", b"", b"")
        lines = [b"Host: " + dice.choice([b"x", b"gate.example:8443", b"[::1]"]) + b"\r\n", framing]
        for _ in range(dice.randrange(4)):
            value = bytes(dice.choices(_VALUE, k=dice.randrange(12)))
            lines.append(dice.choice(_NAMES) + b":" + value + b"\r\n")
        if dice.random() < 0.2:
            lines.append(dice.choice(CLAIMS) + b": " + FORGED + b"\r\n")
        if dice.random() < 0.1:
            lines += [b"Connection: x-one, keep-alive\r\n", b"X-One: " + FORGED + b"\r\n"]
        if dice.random() < 0.1 and body:
            lines.append(b"Expect: 100-continue\r\n")
        dice.shuffle(lines)
        head = f"{method} {target} HTTP/1.1\r\n".encode() + b"".join(lines) + b"\r\n"
        return Expected(method, target, content, head + body)

    def _body(self, route: str) -> tuple[bytes, bytes, bytes]:
        """The fields about it, the content, and the octets of it on the wire."""
        dice = self._dice
        kind, parts = self._documents() if route == MASKED else (b"", self._octets())
        content = b"".join(parts)
        if dice.random() < 0.5:
            return kind + b"Content-Length: %d\r\n" % len(content), content, content
        chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part]
        last = dice.choice([b"", b"", b"A: b\r\n", b"X-Sum: 1\r\nC:\r\n"])
        body = b"".join(chunks) + b"0\r\n" + last + b"\r\n"
        return kind + b"Transfer-Encoding: chunked\r\n", content, body

    def _octets(self) -> list[bytes]:
        dice = self._dice
        return dice.choices([*_BODIES, dice.randbytes(dice.randrange(400))], k=dice.randrange(4))

    def _documents(self) -> tuple[bytes, list[bytes]]:
        """Content-Type, and JSON with secrets in it; several documents are NDJSON."""
        dice = self._dice
        lines = [self._document() for _ in range(dice.randrange(5))]
        if len(lines) == 1 and dice.random() < 0.7:
            return b"Content-Type: application/json\r\n", _cut_at(dice, lines[0])
        data = b"".join(line + b"\n" for line in lines)
        return b"Content-Type: application/x-ndjson\r\n", _cut_at(dice, data)

    def _document(self) -> bytes:
        dice = self._dice
        secret = f'{dice.choice(_KEYS)}:"{SECRET.decode()}"'
        members = [secret, *(f'"k{n}":{dice.choice(_VALUES)}' for n in range(dice.randrange(4)))]
        dice.shuffle(members)
        text = "{" + dice.choice([",", " ,", ",\t"]).join(members) + "}"
        if dice.random() < 0.3:
            text = f'{{"deep": [0, {text}]}}'
        return text.encode()

    def _damaged(self) -> bytes:
        dice = self._dice
        if dice.random() < 0.15:
            return self._begun() + self._hurt(b"0\r\nA: b\r\n\r\n")
        data = dice.choice(_KNOWN) if dice.random() < 0.4 else self._request().octets
        if dice.random() < 0.2:
            data += self._request().octets
        return self._hurt(data)

    def _begun(self) -> bytes:
        """A request of which more has come than is held, so that its beginning goes on."""
        dice = self._dice
        kind, piece = b"Content-Type: application/x-ndjson\r\n", b""
        route = dice.choice([OPAQUE, MASKED])
        while len(piece) < 100:
            piece += self._document() + b"\n"
        head = f"POST {route}/good/{dice.randrange(10**6)} HTTP/1.1\r\nHost: x\r\n".encode()
        head += kind + b"Transfer-Encoding: chunked\r\n\r\n"
        return head + b"%x\r\n%b\r\n" % (len(piece), piece)

    def _hurt(self, data: bytes) -> bytes:
        dice = self._dice
        ways: list[Callable[[bytes], bytes]] = [
            self._insert, self._insert, self._drop, self._flip, self._swap, self._splice, self._end
        ]  # fmt: skip
        for _ in range(dice.randrange(5)):
            data = dice.choice(ways)(data)
        return data

    def _at(self, data: bytes) -> int:
        """A place, more often in the head, and more often at a line's end."""
        dice = self._dice
        if dice.random() < 0.3:
            ends = [at for at in range(len(data)) if data[at : at + 1] in b"\r\n:"]
            if ends:
                return dice.choice(ends)
        return dice.randrange(len(data) + 1)

    def _insert(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self._dice.choice(_TOKENS) + data[at:]

    def _drop(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + data[at + self._dice.randrange(1, 6) :]

    def _flip(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + bytes([self._dice.randrange(256)]) + data[at + 1 :]

    def _swap(self, data: bytes) -> bytes:
        lines = data.split(b"\r\n")
        one, other = self._dice.randrange(len(lines)), self._dice.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
        return b"\r\n".join(lines)

    def _splice(self, data: bytes) -> bytes:
        lines = data.split(b"\r\n")
        other = self._dice.choice(_KNOWN).split(b"\r\n")
        lines.insert(self._dice.randrange(len(lines) + 1), self._dice.choice(other))
        return b"\r\n".join(lines)

    def _end(self, data: bytes) -> bytes:
        return data[: self._at(data)]

    def _cut(self, data: bytes) -> list[bytes]:
        """One write most often, else a few; byte by byte is for the tests of the grammar."""
        dice = self._dice
        if dice.random() < 0.7:
            return [data] if data else []
        places = sorted(dice.randrange(len(data) + 1) for _ in range(dice.randrange(1, 6)))
        return _pieces(data, places)


def _cut_at(dice: random.Random, data: bytes) -> list[bytes]:
    return _pieces(data, sorted(dice.randrange(len(data) + 1) for _ in range(dice.randrange(3))))


def _pieces(data: bytes, places: list[int]) -> list[bytes]:
    cuts = [0, *places, len(data)]
    return [data[a:b] for a, b in itertools.pairwise(cuts) if a < b]


def is_masked(target: str) -> bool:
    """Whether the route that masks is that of this target."""
    path = target.partition("?")[0]
    return path == MASKED or path.startswith(f"{MASKED}/")


def is_bad(target: str) -> bool:
    """Whether the upstream answers with one of the table's bad answers."""
    return target.startswith((f"{OPAQUE}/bad", f"{MASKED}/bad"))


def _number(target: str) -> int:
    return int("".join(filter(str.isdigit, target.partition("?")[0]))[-6:] or 0)


def answer_of(target: str, content: bytes, *, forged: bool) -> Answer:
    """What the upstream says to this content: of which request it was, in head and content."""
    number, digest = _number(target), hashlib.sha256(content).hexdigest().encode()
    echo = b"%d %b %d" % (number, digest, forged)
    kind, body = b"text/plain", echo
    if is_masked(target):
        line = b'{"n":%d,"got":"%b","secret":"%b"}' % (number, digest, SECRET)
        kind, body = b"application/json", line
        if number % 2:
            kind, body = b"application/x-ndjson", (line + b"\n") * (number % 9)
    return Answer(echo, kind, b"" if number % 3 and number % 11 == 0 else body)


def answer_to(target: str, content: bytes, *, forged: bool) -> bytes:
    """Its octets: good in several framings, or one of the table's bad answers."""
    number = _number(target)
    if is_bad(target):
        return ANSWERS[number % len(ANSWERS)].octets
    said = answer_of(target, content, forged=forged)
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" if number % 7 == 0 else b""
    head = interim + b"HTTP/1.1 200 OK\r\nContent-Type: " + said.kind + b"\r\n"
    head += ECHO.encode() + b": " + said.echo + b"\r\n"
    body = said.content
    if number % 3 == 0:
        pieces = [body[: len(body) // 2], body[len(body) // 2 :]]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces if each)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nA: b\r\n\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
