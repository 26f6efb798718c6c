"""What the grammar refuses of an answer, fed whole, in pieces, and with more behind it."""

import pytest

from proxy.errors import UpstreamFailure
from tests.wire.ambiguous_answers import ANSWERS, OK
from tests.wire.feeding import WAYS, Pieces, asked, feed

MALFORMED = {row.name: row.octets for row in ANSWERS}


@pytest.mark.parametrize("pieces", WAYS)
@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_answer_is_refused(name: str, pieces: Pieces) -> None:
    client = asked()
    with pytest.raises(UpstreamFailure) as caught:
        feed(client, MALFORMED[name] + OK, pieces)
    assert caught.value.code == "upstream-malformed"
    assert not client.reusable
    assert not client.next_cycle()


def test_a_failure_is_final() -> None:
    client = asked()
    for _ in range(2):
        with pytest.raises(UpstreamFailure, match="upstream-malformed"):
            feed(client, MALFORMED["status 600"])


@pytest.mark.parametrize("name", MALFORMED)
def test_a_failure_quotes_nothing_of_the_answer(name: str) -> None:
    with pytest.raises(UpstreamFailure) as caught:
        feed(asked(), MALFORMED[name].replace(b"b", b"s3cr3tw0rd").replace(b"OK", b"s3cr3tw0rd"))
    assert "s3cr3tw0rd" not in f"{caught.value!r} {caught.value.__cause__!r}"
