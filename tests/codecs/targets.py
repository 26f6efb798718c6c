"""What holds of every codec, whatever octets come.

1. Nothing but a Refusal is raised, of a known code, and its reason repeats nothing of the octets.
2. What comes out does not depend on how the octets were cut.
3. Another parser reads what comes out, and finds no masked value in it.
4. What was masked once, masked again, is the same.
"""

from collections.abc import Callable, Iterable, Sequence

from proxy.content.native import NATIVE, Native
from proxy.content.rules import Rules, compile_rules
from proxy.errors import PROBLEMS, Refusal
from proxy.settings.schema import ContentPolicy, Limits
from tests.codecs import reading
from tests.codecs.seeds import CODINGS, FORMATS

PATHS: dict[str, object] = {
    "$..ssn": "redact",
    "$..email": {"hmac": {"key": "pseudonym"}},
    "$..drop": "drop",
}
COLUMNS: dict[str, object] = {"$.ssn": "redact", "$.email": {"hmac": {"key": "pseudonym"}}}
ONLY = ["$.a", "$.ssn", "$.email"]
FOUND = {"us_ssn": "redact", "email": "redact", "private_key": "redact"}
BOUNDS = {"depth": 32, "record": 4096, "document": 65536, "ratio": 50, "members": 8}
CODES = {"unparseable", "content-too-large", "finding-rejected", "content-not-allowed"}


def engines() -> list[Native]:
    """Those that run here: JSON is scanned by two, which must not differ."""
    found = [Native(compiled=False)]
    return [*found, NATIVE] if NATIVE.name == "compiled" else found


def rules_of(codec: str, native: Native = NATIVE) -> Rules:
    """The policy under which a codec is tried."""
    masks = PATHS
    if codec == "text":
        masks = {}
    elif codec in ("csv", "tsv", "form"):
        masks = COLUMNS
    policy = {
        "content": [codec if codec in FORMATS else "ndjson"],
        "mask": [{"path": path, "action": action} for path, action in masks.items()],
        **({"allow_only": ONLY} if codec == "only" else {}),
        "detect": [{"type": kind, "action": action} for kind, action in FOUND.items()],
    }
    keys = {"pseudonym": [("k1", b"k" * 32)]}
    limits, scale = Limits.model_validate(BOUNDS), ("public", "secret")
    written = ContentPolicy.model_validate(policy)
    return compile_rules(written, limits, keys, scale[-1], scale, native=native)


class Target:
    """One codec, called with what a fuzzer made of it."""

    def __init__(self, codec: str) -> None:
        self._format = codec if codec in FORMATS else "ndjson"
        self._codings = (codec,) if codec in CODINGS else ()
        self._rules = [rules_of(codec, native) for native in engines()]
        self._require_read: Callable[[bytes], None] = reading.READERS[codec]

    def __call__(self, octets: bytes) -> bool:
        """The first octet says how the rest is cut. True when it passed, False when refused."""
        cut, data = (octets[0] if octets else 0), octets[1:]
        whole, *others = [self._sent([data], rules) for rules in self._rules]
        assert all(other == whole for other in others), "the compiled engine differs"
        parts = self._sent(_cut(data, cut))
        # Which fault of coded content is met first depends on the cut, and libzstd refuses some
        # damaged frames only when it has them whole: there, two outputs must be the same.
        refused = isinstance(whole, str) or isinstance(parts, str)
        same = whole == parts or (bool(self._codings) and refused)
        assert same, "it depends on how the octets are cut"
        if isinstance(whole, str):
            assert whole in CODES and whole in PROBLEMS, whole  # noqa: PT018
            return False
        self._require_read(whole)
        if not self._codings:
            assert self._sent([whole]) == whole, "masked twice it is another"
        return True

    def _sent(self, pieces: Iterable[bytes], rules: Rules | None = None) -> bytes | str:
        """What comes out, or the code of the refusal; nothing of it where there is no content."""
        inspector = (rules or self._rules[-1]).open(self._format, self._codings)
        taken: list[bytes] = []
        out = bytearray()
        try:
            for piece in pieces:
                taken.append(piece)
                out += inspector.feed(piece)
            if any(taken):
                out += inspector.finish()
        except Refusal as refusal:
            _require_silent(refusal, b"".join(taken))
            return refusal.code
        if self._codings and out:
            return reading.decoded(self._codings[0], bytes(out))
        return bytes(out)


def _cut(data: bytes, size: int) -> Sequence[bytes]:
    """Pieces of 1 to 16 octets, or longer ones with an empty one between."""
    if size % 2:
        step = size // 2 % 16 + 1
        return [data[n : n + step] for n in range(0, len(data), step)]
    middle = len(data) * size // 256
    return [data[:middle], b"", data[middle:]]


def _require_silent(refusal: Refusal, data: bytes) -> None:
    """No word of eight characters or more of a body stands in the reason."""
    for word in refusal.reason.encode().split():
        strange = len(word) >= 8 and any(octet in b"0123456789@=" for octet in word)
        assert not (strange and word in data), "a refusal repeats what was sent"
