"""What is due to a fuzzed sender, and whether it came; and what the log must say of all of them."""

import json
from dataclasses import dataclass, field

import h11

from proxy.errors import EvidenceError
from proxy.receipt import dsse, reading
from proxy.receipt.agreement import require_consistent
from tests.fuzz.senders import ECHO, HIDDEN, SECRET, Conversation, Expected, is_masked
from tests.scenarios.gateway import Gateway, lockgate
from tests.scenarios.proof import store_of

ALERT = b"\x15\x03\x03\x00\x02\x02\x0a"
"""The one answer that is not HTTP: to who begins TLS where none is spoken."""


def inconsistent(gateway: Gateway) -> list[str]:
    """Receipts in the log that do not agree with themselves."""
    done = lockgate("receipts", "export", store_of(gateway), "--format", "intoto", timeout=600)
    found = [] if done.returncode == 0 else [f"no export: {done.stderr}"]
    for line in done.stdout.splitlines():
        said = reading.parse_entry(dsse.parse(line.encode()).payload)
        try:
            require_consistent(said)
        except EvidenceError as error:
            found.append(f"a receipt that does not agree with itself: {error}: {said}")
    return found


def require_answers(conversation: Conversation, said: bytes) -> int:
    """Every good request must have its answer, well-formed, in order. How many there were."""
    assert SECRET not in said, "what is to be masked came back"
    for number, expected in enumerate(conversation.expected):
        heard, said = _answer(expected.method, said)
        assert heard.whole, f"answer {number} is missing: {heard} {said[-300:]!r}"
        _require_expected(expected, heard, f"answer {number}")
    if not conversation.expected and said == ALERT:
        return 0
    assert not said or said.startswith(b"HTTP/1.1 "), f"what follows is no answer: {said[:100]!r}"
    while said:  # whatever the damaged one was, if h11 can read what came of it
        try:
            heard, rest = _answer("GET", said)
        except h11.RemoteProtocolError:
            break
        assert SECRET not in heard.content, "what is to be masked came back in pieces"
        if not heard.whole or rest == said:
            break
        said = rest
    return len(conversation.expected)


@dataclass(slots=True)
class _Heard:
    """An answer as h11 reads it."""

    status: int = 0
    fields: dict[bytes, bytes] = field(default_factory=dict)
    content: bytes = b""
    whole: bool = False


def _answer(method: str, said: bytes) -> tuple[_Heard, bytes]:
    """The first answer in `said`, to a request of `method`, and what follows it."""
    reader, heard = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**20), _Heard()
    reader.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(said)
    while True:
        event = reader.next_event()
        if isinstance(event, h11.Response):
            heard.status, heard.fields = event.status_code, dict(event.headers)
        elif isinstance(event, h11.Data):
            heard.content += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            heard.whole = True
            return heard, reader.trailing_data[0]
        elif event is h11.NEED_DATA or event is h11.PAUSED:
            return heard, said


def _require_expected(expected: Expected, heard: _Heard, which: str) -> None:
    """It is the answer to this very request, and the upstream had its very content."""
    assert heard.status == expected.status, f"{which} is {heard.status}"
    assert SECRET not in heard.content, f"{which} has what is to be masked, in pieces"
    if expected.status != 200:
        problem = json.loads(heard.content)
        told = heard.fields[b"transfer-id"].decode()
        assert problem["instance"] == f"urn:uuid:{told}", f"{which} is about another transfer"
        return
    answer = expected.answer()
    echo = heard.fields.get(ECHO.encode())
    assert echo == answer.echo, f"{which} is to {echo!r}, not to {answer.echo!r}"
    if expected.method != "HEAD":
        assert heard.content == answer.content, (
            f"{which}: {heard.content!r}, not {answer.content!r}"
        )
    for line in heard.content.splitlines() if is_masked(expected.target) else ():
        assert json.loads(line)["secret"] == HIDDEN.decode(), f"{which} masks nothing"
