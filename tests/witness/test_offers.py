"""What a log does with its witnesses: offers, keeps cosignatures, and waits for nobody."""

import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from proxy.errors import EvidenceError
from proxy.notary.offer import RESULTS
from proxy.notary.witness import Witnesses
from proxy.receipt import note
from proxy.receipt.merkle import leaf_hash
from proxy.receipt.policy import Policy, parse_policy
from proxy.receipt.tiles import Loader
from tests.patience import PATIENCE
from tests.receipt.test_merkle import ROOTS, stored
from tests.receipt.witnesses import (
    ED,
    ED_WITNESSES,
    MLDSA,
    POLE,
    VKEYS,
    by_log,
    by_witnesses,
    head,
)
from tests.witness.serving import Said, saying, serving
from tests.witness.test_watched import declined, offer, watched

FILES = stored(300)
TEXT, SIZE = "text/plain", "text/x.tlog.size"


class Log:
    """A log of 300 leaves that publishes how much it likes, and what its witnesses make of it."""

    def __init__(self, policy: Policy, load: Loader = FILES.get, timeout: float = 5.0) -> None:
        self.kept: list[tuple[bytes, bool]] = []
        self.told: list[tuple[str, str, int]] = []
        self.reasons: list[str | None] = []
        self._news = trio.Event()
        self.witnesses = Witnesses(
            policy, load, self._keep, self._tell, timeout=timeout, pause=0.01
        )

    async def _keep(self, checkpoint: bytes, met: bool) -> None:
        await trio.lowlevel.checkpoint()
        self.kept.append((checkpoint, met))
        self._wake()

    def _tell(self, name: str, result: str, size: int, reason: str | None) -> None:
        assert result in RESULTS
        self.told.append((name, result, size))
        self.reasons.append(reason)
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def publish(self, size: int) -> None:
        found = head(size)
        self.witnesses.published(note.render(found.text, by_log(found)))

    async def until(self, done: Callable[[], object]) -> None:
        with trio.fail_after(PATIENCE):
            while not done():
                await self._news.wait()

    async def until_kept(self, size: int) -> None:
        await self.until(lambda: self.kept and head_of(self.kept[-1][0]).size == size)


@asynccontextmanager
async def offering(
    policy: str, *, timeout: float = 5.0, load: Loader = FILES.get
) -> AsyncIterator[Log]:
    log = Log(parse_policy(f"log {ED}\nlog {MLDSA}\n{policy}\n".encode()), load, timeout)
    async with trio.open_nursery() as nursery:
        await nursery.start(log.witnesses.run)
        yield log
        nursery.cancel_scope.cancel()


def line(name: str, url: str) -> str:
    return f"witness {name} {VKEYS[name]} {url}"


def signers(checkpoint: bytes) -> set[str]:
    parsed = note.parse(checkpoint)
    signed = note.verify(parsed, [ED, MLDSA, *VKEYS.values()])
    assert {ED, MLDSA} < set(signed)
    return {name for name, vkey in VKEYS.items() if vkey in signed}


async def test_each_checkpoint_is_cosigned_as_the_log_grows(tmp_path: Path) -> None:
    north = watched(tmp_path)
    async with serving(north) as url, offering(line("north", url) + "\nquorum north") as log:
        for size in (1, 7, 255, 256, 300):
            log.publish(size)
            await log.until_kept(size)
            assert log.told[-1] == ("north", "cosigned", size)
            assert signers(log.kept[-1][0]) == {"north"}
    assert [met for _, met in log.kept] == [True] * 5
    assert north.latest[ED.name] == head(300)
    north.close()


def head_of(checkpoint: bytes) -> note.Checkpoint:
    return note.parse_checkpoint(note.parse(checkpoint).text)


async def test_a_quorum_is_of_one_checkpoint_and_both_kinds_of_keys_count(tmp_path: Path) -> None:
    north = watched(tmp_path / "n")
    pole = watched(tmp_path / "p", name=VKEYS["pole"].name, keys=[POLE])
    async with serving(north) as one, serving(pole) as two:
        policy = f"{line('north', one)}\n{line('pole', two)}\ngroup g all north pole\nquorum g"
        async with offering(policy) as log:
            log.publish(300)
            await log.until(lambda: log.kept)
            checkpoint, met = log.kept[-1]
            assert (signers(checkpoint), met) == ({"north", "pole"}, True)
    north.close()
    pole.close()


async def test_one_place_with_two_keys_is_asked_once(tmp_path: Path) -> None:
    """A witness whose two keys share a URL: both cosignatures are demanded of its one answer."""
    name = VKEYS["north"].name
    north = watched(tmp_path, keys=[ED_WITNESSES["north"], POLE])
    async with serving(north) as url:
        text = "".join(
            f"witness {each} {vkey} {url}\n"
            for each, vkey in zip(("ed", "pq"), north.vkeys, strict=True)
        )
        async with offering(text + "group g all ed pq\nquorum g") as log:
            log.publish(7)
            await log.until(lambda: log.kept)
            assert log.told == [("ed", "cosigned", 7)]
            signed = note.verify(note.parse(log.kept[0][0]), north.vkeys)
            assert (signed, log.kept[0][1]) == (tuple(north.vkeys), True)
            assert {vkey.name for vkey in signed} == {name}
    north.close()


async def test_a_witness_that_knows_the_log_from_before_says_so_and_is_followed(
    tmp_path: Path,
) -> None:
    north = watched(tmp_path)
    north.add(offer(0, 7))
    async with serving(north) as url, offering(line("north", url) + "\nquorum north") as log:
        log.publish(300)
        await log.until(lambda: log.told)
        assert log.told == [("north", "cosigned", 300)]
    north.close()


async def test_what_a_checkpoint_bears_already_counts_after_a_restart(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def answer(body: bytes) -> Said:
        asked.append(body)
        return 500, TEXT, b""

    found = head(300)
    bearing = note.render(found.text, [*by_log(found), *by_witnesses(found, ["north"])])
    east = watched(tmp_path, name=VKEYS["east"].name, keys=[ED_WITNESSES["east"]])
    with saying(answer) as url:
        async with serving(east) as other:
            policy = (
                f"{line('north', url)}\n{line('east', other)}\ngroup g all north east\nquorum g"
            )
            async with offering(policy) as log:
                log.witnesses.published(bearing)
                await log.until(lambda: log.kept)
                assert (signers(log.kept[0][0]), log.kept[0][1]) == ({"north", "east"}, True)
    assert asked == []
    east.close()


async def test_what_a_checkpoint_bears_that_does_not_verify_is_asked_for_again(
    tmp_path: Path,
) -> None:
    found = head(300)
    forged = note.Signature(VKEYS["north"].name, VKEYS["north"].key_id, bytes(72))
    north = watched(tmp_path)
    async with serving(north) as url, offering(line("north", url) + "\nquorum north") as log:
        log.witnesses.published(note.render(found.text, [*by_log(found), forged]))
        await log.until(lambda: log.kept)
        assert signers(log.kept[0][0]) == {"north"}
    north.close()


async def test_a_log_that_was_set_back_is_told_apart(tmp_path: Path) -> None:
    north = watched(tmp_path)
    north.add(offer(0, 256))
    async with serving(north) as url, offering(line("north", url) + "\nquorum north") as log:
        log.publish(7)
        await log.until(lambda: log.told)
        assert log.told[0] == ("north", "ahead", 7)
        assert "has cosigned 256 entries" in str(log.reasons[0])
    assert log.kept == []
    north.close()


async def test_a_fork_is_told_apart_and_never_cosigned(tmp_path: Path) -> None:
    north = watched(tmp_path)
    north.add(offer(0, 7, ROOTS[6]))
    async with serving(north) as url, offering(line("north", url) + "\nquorum north") as log:
        log.publish(7)
        await log.until(lambda: log.told)
        assert log.told[0] == ("north", "conflict", 7)
        log.publish(300)
        await log.until(lambda: ("north", "refused", 300) in log.told)
        assert "it answered 422" in log.reasons
    assert log.kept == []
    assert declined(north, offer(0, 1)) == (409, 7)
    north.close()


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ((500, TEXT, b"x"), "refused"),
        ((404, TEXT, b"unknown\n"), "refused"),
        ((302, TEXT, b""), "refused"),
        ((409, TEXT, b"3\n"), "refused"),
        ((409, SIZE, b"03\n"), "refused"),
        ((409, SIZE, b""), "refused"),
        ((409, SIZE, b"\xff\n"), "refused"),
        ((409, SIZE, b"0\n"), "conflict"),
        ((409, SIZE, b"301\n"), "ahead"),
        ((200, TEXT, b""), "invalid"),
        ((200, TEXT, b"hello\n"), "invalid"),
        ((200, TEXT, b"\xff\n"), "invalid"),
        ((200, TEXT, b"x" * 100_000), "unreachable"),
        ((0, TEXT, b""), "unreachable"),
    ],
)
async def test_a_witness_that_answers_badly_gives_nothing_and_does_no_harm(
    tmp_path: Path, said: Said, result: str
) -> None:
    north = watched(tmp_path)
    with saying(lambda body: said) as bad:
        async with serving(north) as url:
            policy = f"{line('east', bad)}\n{line('north', url)}\nquorum north"
            async with offering(policy) as log:
                log.publish(300)
                await log.until(lambda: log.kept and ("east", result, 300) in log.told)
                assert (signers(log.kept[-1][0]), log.kept[-1][1]) == ({"north"}, True)
    assert ("east", "cosigned", 300) not in log.told
    north.close()


async def test_a_witness_that_names_another_size_each_time_is_given_up() -> None:
    sizes = iter(range(1, 200))
    with saying(lambda body: (409, SIZE, b"%d\n" % next(sizes))) as url:
        async with offering(line("north", url) + "\nquorum north") as log:
            log.publish(300)
            await log.until(lambda: log.told)
            assert log.told[0] == ("north", "refused", 300)


async def first_told(said: Said) -> str:
    """How an offer ends with a witness that says this. Nothing of it is kept."""
    with saying(lambda _: said) as url:
        async with offering(line("north", url) + "\nquorum north") as log:
            log.publish(300)
            await log.until(lambda: log.told)
            assert log.kept == []
            return log.told[0][1]


async def test_cosignatures_by_others_for_other_trees_or_forged_are_not_kept() -> None:
    found = head(300)
    wrong = [
        by_witnesses(found, ["west"]),
        by_witnesses(head(299), ["north"]),
        [note.Signature(VKEYS["north"].name, VKEYS["north"].key_id, bytes(72))],
        [*by_witnesses(found, ["north"]), *by_witnesses(head(299), ["north"])],
    ]
    for signatures in wrong:
        body = "".join(f"{signature}\n" for signature in signatures).encode()
        assert await first_told((200, TEXT, body)) == "invalid"


async def test_cosignatures_by_strangers_beside_a_good_one_are_left_out() -> None:
    found = head(300)
    lines = by_witnesses(found, ["north", "west", "pole"])
    body = "".join(f"{signature}\n" for signature in lines).encode()
    with saying(lambda _: (200, TEXT, body)) as url:
        async with offering(line("north", url) + "\nquorum north") as log:
            log.publish(300)
            await log.until(lambda: log.kept)
            assert signers(log.kept[0][0]) == {"north"}


async def test_who_failed_is_asked_again_and_then_counts() -> None:
    found = head(300)
    body = "".join(f"{signature}\n" for signature in by_witnesses(found, ["north"])).encode()
    answers = iter([(500, TEXT, b""), (503, TEXT, b"")])
    with saying(lambda _: next(answers, (200, TEXT, body))) as url:
        async with offering(line("north", url) + "\nquorum north") as log:
            log.publish(300)
            await log.until(lambda: log.kept)
            assert [result for _, result, _ in log.told] == ["refused", "refused", "cosigned"]


async def test_a_dead_witness_delays_no_other_once_it_is_known(tmp_path: Path) -> None:
    """It answers nothing at all: one round waits for it, and none after that."""
    north = watched(tmp_path)
    with_backlog = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = with_backlog[0].socket.getsockname()[1]
    async with serving(north) as url:
        policy = f"{line('north', url)}\n{line('east', f'http://127.0.0.1:{port}')}\n"
        async with offering(policy + "quorum north", timeout=2) as log:
            log.publish(7)
            await log.until(lambda: log.kept and ("east", "unreachable", 7) in log.told)
            for size in range(8, 30):
                log.publish(size)
                await log.until_kept(size)
    dead = [told for told in log.told if told[0] == "east"]
    assert len(dead) < 10
    await with_backlog[0].aclose()
    north.close()


async def test_no_round_waits_for_a_witness_that_failed_before(tmp_path: Path) -> None:
    """East fails once, and then takes a minute for its answer."""
    north, asked, go = watched(tmp_path), threading.Event(), threading.Event()
    answers = iter([(500, TEXT, b"")])

    def answer(_: bytes) -> Said:
        said = next(answers, None)
        if said is None:
            asked.set()
            go.wait(PATIENCE)
        return said or (500, TEXT, b"")

    with saying(answer) as slow:
        async with serving(north) as url:
            policy = f"{line('north', url)}\n{line('east', slow)}\nquorum north"
            async with offering(policy, timeout=60) as log:
                log.publish(7)
                await log.until_kept(7)
                assert await trio.to_thread.run_sync(asked.wait, PATIENCE)
                for size in range(8, 12):
                    log.publish(size)
                    await log.until_kept(size)
                go.set()
    assert ("east", "refused", 7) in log.told
    north.close()


async def test_where_nobody_listens_the_log_goes_on() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        async with offering(line("north", url) + "\nquorum north") as log:
            log.publish(300)
            await log.until(lambda: len(log.told) > 2)
            assert {result for _, result, _ in log.told} == {"unreachable"}


async def test_a_tile_that_cannot_be_read_is_our_own_failure(tmp_path: Path) -> None:
    north = watched(tmp_path)
    north.add(offer(0, 7))
    nothing: dict[str, bytes] = {}
    async with (
        serving(north) as url,
        offering(line("north", url) + "\nquorum north", load=nothing.get) as log,
    ):
        log.publish(300)
        await log.until(lambda: log.told)
        assert log.told[0] == ("north", "unproven", 300)
    north.close()


async def test_a_witness_without_a_url_is_asked_by_nobody() -> None:
    log = Log(parse_policy(f"witness north {VKEYS['north']}\nquorum north\n".encode()))
    assert log.witnesses.names == []


@pytest.mark.parametrize(
    "url",
    [
        "w.example",
        "ftp://w.example",
        "file:///etc/passwd",
        "unix:/run/x",
        "http://",
        "http:///path",
        "http://w.example:port",
        "http://w.example:99999",
        "http://u@w.example",
        "https://w.example/?q",
        "https://w.example/#f",
        "https://w\u00e9.example/",
    ],
)
def test_a_url_that_cannot_be_posted_to_is_refused_with_the_witness_s_name(url: str) -> None:
    policy = parse_policy(f"witness north {VKEYS['north']} {url}\nquorum north\n".encode())
    with pytest.raises(EvidenceError, match="witness north: a URL"):
        Log(policy)


async def test_what_is_published_must_be_a_checkpoint() -> None:
    log = Log(parse_policy(b"quorum none\n"))
    with pytest.raises(EvidenceError):
        log.witnesses.published(leaf_hash(b"x"))
