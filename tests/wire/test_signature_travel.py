"""Which signatures go on with a message: those of what is the same behind us as before us."""

from dataclasses import replace

import pytest

from proxy.model import Headers
from proxy.wire.signature import Message, sign
from proxy.wire.signature_travel import still_signed
from proxy.wire.signing_key import parse_signing_key
from tests.client.keys import KEYS

KEY = parse_signing_key(KEYS["ed25519"]())
CAME = Message(
    ((b"host", b"gate"), (b"x-a", b"1"), (b"x-b", b"2")), "POST", "/a?b=c", "https", "gate"
)


def signed(*components: str, label: str = "sig1") -> Headers:
    return sign(CAME, KEY, components, created=1, label=label)


def left(*signatures: Headers, **changes: object) -> list[bytes]:
    """The labels that go on, where these attributes of the message are others behind us."""
    own = tuple(pair for each in signatures for pair in each)
    came = replace(CAME, fields=(*CAME.fields, *own))
    goes = replace(came, **changes) if changes else came  # type: ignore[arg-type]
    found = still_signed([*CAME.fields, *own], came, goes)
    assert found[:3] == list(CAME.fields)
    inputs = [value for name, value in found if name == b"signature-input"]
    values = [value for name, value in found if name == b"signature"]
    labels = [each.partition(b"=")[0] for line in inputs for each in line.split(b", ")]
    assert [each.partition(b"=")[0] for line in values for each in line.split(b", ")] == labels
    return labels


def test_what_is_the_same_goes_on_as_it_came() -> None:
    whole = signed("@method", "@target-uri", "x-a")
    assert left(whole) == [b"sig1"]
    assert left() == []


@pytest.mark.parametrize(
    ("component", "changes"),
    [
        ("@method", {"method": "PUT"}),
        ("@path", {"target": "/b?b=c"}),
        ("@query", {"target": "/a?b=d"}),
        ("@authority", {"authority": "receiver"}),
        ("@scheme", {"scheme": "http"}),
        ("@target-uri", {"scheme": "http"}),
        ("x-a", {"fields": ((b"x-a", b"2"),)}),
        ("x-a", {"fields": ()}),
        ("x-a", {"fields": ((b"x-a", b"1"), (b"x-a", b"1"))}),
    ],
)
def test_a_change_of_what_is_covered_leaves_it_behind(
    component: str, changes: dict[str, object]
) -> None:
    assert left(signed("x-b", component), **changes) == []
    others = [name for name in ("@method", "x-b") if name != component and "fields" not in changes]
    assert left(signed(*others), **changes) == [b"sig1"]


def test_of_several_those_go_on_that_still_hold() -> None:
    ours, theirs = signed("@authority"), signed("@method", label="end")
    assert left(ours, theirs, authority="receiver") == [b"end"]
    assert left(ours, theirs) == [b"sig1", b"end"]


@pytest.mark.parametrize(
    "fields",
    [
        [(b"signature", b"sig1=:AAAA:")],
        [(b"signature-input", b'sig1=("x-a")')],
        [(b"signature-input", b'sig1=("x-a"'), (b"signature", b"sig1=:AAAA:")],
        [(b"signature-input", b'sig1=("x-a")'), (b"signature", b"sig2=:AAAA:")],
        [(b"signature-input", b'sig1="x-a"'), (b"signature", b"sig1=:AAAA:")],
        [(b"signature-input", b'sig1=("x-a";tr)'), (b"signature", b"sig1=:AAAA:")],
        [(b"signature-input", b'sig1=("x-none")'), (b"signature", b"sig1=:AAAA:")],
        [(b"signature-input", b'sig1=("x-a");a=' + b"\xff"), (b"signature", b"sig1=:AAAA:")],
    ],
)
def test_what_does_not_read_as_a_signature_stays_behind(
    fields: list[tuple[bytes, bytes]],
) -> None:
    came = replace(CAME, fields=(*CAME.fields, *fields))
    assert still_signed([*CAME.fields, *fields], came, came) == list(CAME.fields)
