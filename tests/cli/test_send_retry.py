"""What `lockgate send` tries again, when, and under which id."""

import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.cli.send_exchange import Answer
from proxy.cli.send_ids import secret
from proxy.cli.send_place import UsageError
from proxy.cli.send_plan import Item
from proxy.cli.send_progress import lines
from proxy.cli.send_result import Result
from proxy.cli.send_retry import pause, retry_after
from proxy.client.evidence import Evidence
from proxy.client.ids import transfer_id
from proxy.errors import Refusal, UpstreamFailure
from proxy.wire.headers import problem
from tests.pki import pki

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
HALF, WHOLE = (lambda bound: 0), (lambda bound: bound - 1)


def result(
    status: int | None = None,
    code: str | None = None,
    verdict: str | None = None,
    failure: str | None = None,
    after: bytes | None = None,
    attempts: int = 1,
) -> Result:
    found = Result(Item("f", Path("f"), "/f", Path("f")), has_key=False, attempts=attempts)
    if status is not None:
        body = problem(Refusal(code, "x"), str(uuid.uuid4()))[1] if code else b""
        fields = ((b"retry-after", after),) if after is not None else ()
        found.answer = Answer(status, fields, body)
    if verdict is not None:
        says = {"predicate": {"kind": verdict}}
        found.evidence = Evidence(b"", None, says, None, proven=False)
    if failure is not None:
        found.failure = UpstreamFailure(failure, "x")
    return found


@pytest.mark.parametrize(
    "one",
    [
        result(failure="upstream-unreachable"),
        result(failure="upstream-closed"),
        result(failure="upstream-timeout"),
        result(failure="overloaded"),
        result(409, "in-flight", "rejected"),
        result(408, "request-timeout", "failed"),
        result(429),
        result(503, "overloaded"),
        result(503, "log-unavailable"),
        result(502, "upstream-unreachable", "failed"),
        result(504, "upstream-timeout", "failed"),
    ],
)
def test_what_may_pass_and_surely_did_not_arrive_is_tried_again(one: Result) -> None:
    assert pause(one, NOW) is not None


@pytest.mark.parametrize(
    "one",
    [
        result(failure="upstream-identity"),
        result(failure="upstream-malformed"),
        result(failure="cut-off"),
        result(409, "undecided", "rejected"),
        result(409, "id-reused", "rejected"),
        result(409, "replayed", "rejected"),
        result(201, None, "delivered"),
        result(502, "answer-refused", "delivered"),
        result(502, "upstream-closed", "indeterminate"),
        result(504, "upstream-timeout", "indeterminate"),
        result(503, "cut-off", "indeterminate"),
        result(502, "upstream-unreachable"),
        result(403, "not-allowed", "rejected"),
        result(500, "internal", "failed"),
    ],
)
def test_what_may_have_arrived_or_would_be_said_again_is_not(one: Result) -> None:
    assert pause(one, NOW) is None


def test_a_handshake_that_was_refused_is_not_tried_again() -> None:
    refused = result()
    refused.failure = UpstreamFailure("upstream-closed", "refused_by_peer: bad certificate")
    assert pause(refused, NOW) is None


def test_the_pauses_double_up_to_a_bound_and_half_of_each_is_by_chance() -> None:
    def waits(draw: object) -> list[float | None]:
        ones = [result(503, attempts=number) for number in range(1, 9)]
        return [pause(one, NOW, draw) for one in ones]  # type: ignore[arg-type]

    assert waits(WHOLE) == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert waits(HALF) == [0.25, 0.5, 1, 2, 4, 8, 15, 15]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"7", 7),
        (b"Mon, 23 Nov 2026 12:00:20 GMT", 20),
        (b"Mon, 23 Nov 2026 11:00:00 GMT", 0),
        (b"soon", 0),
        (b"-1", 0),
        (b"", 0),
        (b"9" * 40, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(value: bytes, seconds: float) -> None:
    assert retry_after(Answer(503, ((b"retry-after", value),), b""), NOW) == seconds


def test_retry_after_is_waited_for_at_least_and_not_for_hours() -> None:
    assert pause(result(503, after=b"7"), NOW, HALF) == 7
    assert pause(result(503, after=b"0"), NOW, HALF) == 0.25
    assert pause(result(503, after=b"3601"), NOW, HALF) is None


# --- ids -----------------------------------------------------------------------------------------


def test_an_id_is_a_uuid_of_version_8_and_of_its_parts_alone() -> None:
    key = secret(pki().client.key, None)
    one = transfer_id(key, b"POST", b"https://a", b"/b", b"content")
    assert one == transfer_id(key, b"POST", b"https://a", b"/b", b"content")
    assert (uuid.UUID(one).version, uuid.UUID(one).variant) == (8, uuid.RFC_4122)
    others = [
        transfer_id(key, b"PUT", b"https://a", b"/b", b"content"),
        transfer_id(key, b"POST", b"https://a/", b"b", b"content"),
        transfer_id(key, b"POST", b"https://a", b"/bcontent", b""),
        transfer_id(secret(pki().receiver.key, None), b"POST", b"https://a", b"/b", b"content"),
    ]
    assert len({one, *others}) == 5


def test_without_a_key_a_secret_is_made_once_and_kept_to_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert secret(None, None) == secret(None, None)
    (kept,) = (tmp_path / "state" / "lockgate").iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == ("send-ids.key", 0o600)


def test_a_secret_that_is_none_or_cannot_be_kept_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "short").write_bytes(b"short")
    for path in (tmp_path / "short", tmp_path / "missing"):
        with pytest.raises(UsageError):
            secret(None, path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "short"))
    with pytest.raises(UsageError, match="--id-key"):
        secret(None, None)


# --- progress where nobody watches ---------------------------------------------------------------


def test_elsewhere_a_line_is_written_every_five_seconds_with_rate_and_what_is_left() -> None:
    written: list[str] = []
    clock = iter([0.0, 1.0, 6.0, 8.0, 20.0, 30.0])
    show = lines(4_000_000, 10, written.append, lambda: next(clock))
    for octets, files in ((100, 0), (600_000, 2), (700_000, 3), (2_000_000, 5), (4_000_000, 10)):
        show(octets, files)
    assert written == [
        "sent 2 of 10 files, 600.0 kB of 4.0 MB, 100.0 kB/s, 0:00:34 left\n",
        "sent 5 of 10 files, 2.0 MB of 4.0 MB, 100.0 kB/s, 0:00:20 left\n",
    ]
