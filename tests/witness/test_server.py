"""A witness over real HTTP: every answer of the protocol, and what it does with what is not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from proxy.notary.client import Client
from proxy.receipt import note
from proxy.receipt.consistency import consistency
from proxy.receipt.note import Checkpoint
from proxy.receipt.witnessing import MAX_OFFER, Offer, render_offer
from tests.patience import PATIENCE
from tests.receipt.test_merkle import ROOTS, read
from tests.receipt.witnesses import ORIGIN, VKEYS, by_log, head
from tests.witness.serving import serving
from tests.witness.test_watched import Recorder, offer, watched

TEXT, SIZE = "text/plain", "text/x.tlog.size"
Answer = tuple[int, str, bytes]


@asynccontextmanager
async def asking(folder: Path, **changes: object) -> AsyncIterator["Asker"]:
    found = watched(folder, **changes)
    async with serving(found) as url:
        asker = Asker(Client(url, timeout=PATIENCE, most=MAX_OFFER))
        yield asker
        asker.client.close()
    found.close()


class Asker:
    def __init__(self, client: Client) -> None:
        self.client = client

    async def __call__(
        self, data: bytes | None, path: str = "/add-checkpoint", method: str = "POST"
    ) -> Answer:
        return await trio.to_thread.run_sync(self.client.ask, method, path, data)


async def test_it_cosigns_and_the_answer_is_signature_lines(tmp_path: Path) -> None:
    async with asking(tmp_path) as ask:
        status, _, body = await ask(offer(0, 3))
        assert status == 200
        lines = note.parse_signatures(body.decode())
        assert note.verify(note.Note(head(3).text, lines), [VKEYS["north"]])
        assert (await ask(offer(3, 9)))[0] == 200


async def test_409_tells_the_size_in_its_own_type(tmp_path: Path) -> None:
    async with asking(tmp_path) as ask:
        await ask(offer(0, 7))
        assert await ask(offer(0, 9)) == (409, SIZE, b"7\n")
        assert await ask(offer(3, 9)) == (409, SIZE, b"7\n")
        assert await ask(offer(8, 9)) == (409, SIZE, b"7\n")


async def test_409_meets_a_second_tree_of_the_same_size(tmp_path: Path) -> None:
    async with asking(tmp_path) as ask:
        await ask(offer(0, 7))
        assert await ask(offer(7, 7, ROOTS[6])) == (409, SIZE, b"7\n")


async def test_404_meets_an_unknown_log_403_a_wrong_signature(tmp_path: Path) -> None:
    async with asking(tmp_path) as ask:
        other = head(origin="other.example/log")
        data = render_offer(Offer(0, (), note.render(other.text, by_log(other))))
        assert (await ask(data))[0] == 404
        found = head()
        data = render_offer(Offer(0, (), note.render(found.text, by_log(head(6)))))
        assert (await ask(data))[0] == 403


async def test_422_meets_a_proof_that_does_not_hold(tmp_path: Path) -> None:
    async with asking(tmp_path) as ask:
        await ask(offer(0, 7))
        longer = Checkpoint(ORIGIN, 9, ROOTS[8])
        path = tuple(consistency(7, 9, read))
        data = render_offer(Offer(7, path, note.render(longer.text, by_log(longer))))
        assert (await ask(data))[0] == 422
        assert await ask(offer(0, 9)) == (409, SIZE, b"7\n")


async def test_400_meets_what_is_malformed_and_an_old_size_above(tmp_path: Path) -> None:
    async with asking(tmp_path) as ask:
        for data in (
            b"",
            b"old 0",
            b"old 0\n\n",
            b"old x\n\n" + note.render("x\n", by_log(head())),
        ):
            assert (await ask(data))[0] == 400
        found = note.render(head(7).text, by_log(head(7)))
        assert (await ask(render_offer(Offer(8, (), found))))[0] == 400


async def test_nothing_else_is_served(tmp_path: Path) -> None:
    async with asking(tmp_path) as ask:
        assert (await ask(None, method="GET"))[0] == 405
        assert (await ask(None, "/", "GET"))[0] == 404
        assert (await ask(offer(0, 7), "/add-entry"))[0] == 404
        assert (await ask(offer(0, 7), "/add-checkpoint/"))[0] == 404
        assert (await ask(offer(0, 7)))[0] == 200


async def test_an_offer_is_bounded(tmp_path: Path) -> None:
    async with asking(tmp_path) as ask:
        assert (await ask(b"old 0\n\n" + b"x" * MAX_OFFER))[0] == 413
        assert (await ask(offer(0, 7)))[0] == 200


async def test_503_where_it_cannot_be_remembered_and_nothing_is_cosigned(tmp_path: Path) -> None:
    failing = True

    def fail(step: str) -> None:
        if failing:
            raise OSError(28, "the disk fails on purpose")

    async with asking(tmp_path, disk=Recorder(fail)) as ask:
        status, _, body = await ask(offer(0, 7))
        assert (status, b"gateway" in body) == (503, False)
        failing = False
        assert (await ask(offer(0, 9)))[0] == 200


async def test_of_offers_that_come_together_one_is_cosigned_and_never_a_fork(
    tmp_path: Path,
) -> None:
    """Two trees of one size, ten times each at once: whichever was first is the only one."""
    statuses: dict[bytes, list[int]] = {ROOTS[7]: [], ROOTS[6]: []}
    found = watched(tmp_path)
    async with serving(found) as url, trio.open_nursery() as nursery:

        async def press(root: bytes) -> None:
            client = Client(url, timeout=PATIENCE, most=MAX_OFFER)
            data = offer(0, 7, root)
            status, _, _ = await trio.to_thread.run_sync(
                client.ask, "POST", "/add-checkpoint", data
            )
            client.close()
            statuses[root].append(status)

        for _ in range(10):
            for root in statuses:
                nursery.start_soon(press, root)
    found.close()
    assert sorted(statuses[ROOTS[7]] + statuses[ROOTS[6]]) == [200] + [409] * 19


async def test_a_silent_peer_takes_no_place_from_others(tmp_path: Path) -> None:
    found = watched(tmp_path)
    async with serving(found) as url:
        port = int(url.rpartition(":")[2])
        silent = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(5)]
        await silent[0].send_all(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Le")
        client = Client(url, timeout=PATIENCE, most=MAX_OFFER)
        status, _, _ = await trio.to_thread.run_sync(
            client.ask, "POST", "/add-checkpoint", offer(0, 7)
        )
        assert status == 200
        client.close()
        for stream in silent:
            await stream.aclose()
    found.close()
