"""The example configurations together: application, sidecar, gateway, sidecar, receiver."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.wire.structured import format_bytes
from tests.patience import PATIENCE
from tests.project.tree import ROOT
from tests.scenarios.chains import EXAMPLES, MASKED, ORDER, Chain, flags, order, verify
from tests.scenarios.client import request
from tests.scenarios.gateway import lockgate
from tests.scenarios.proof import sha256
from tests.scenarios.receiver import Exchange

chain = EXAMPLES

VIA = ["1.1 sidecar", "1.1 gateway", "1.1 sidecar-b"]

pytestmark = pytest.mark.parametrize("workers", [1], ids=["as-they-stand"], indirect=True)


def test_the_receipts_of_all_hops_come_back_in_one_list_and_belong_together(
    chain: Chain, tmp_path: Path
) -> None:
    answer = chain.ask(order())
    assert (answer.status, len(answer.receipts())) == (200, 3)
    assert chain.receiver.received[-1].body == MASKED
    sent = tmp_path / "order.json"
    sent.write_bytes(ORDER)
    done = chain.verify(answer, "--content", sent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "partly verified: 3 receipts of one transfer, each by the key of its gateway; 2 of 20 "
        "points not shown\n"
    )
    shown = f"hop 1 to 2: request: proven: it delivered what hop 2 received: {len(ORDER)} bytes, HM"
    assert shown in done.stdout
    plain = f"{len(MASKED)} bytes, SHA-256 {sha256(MASKED)}"
    assert f"hop 2 to 3: request: proven: it delivered what hop 3 received: {plain}" in done.stdout
    assert "hop 1 to 2: target: not shown: each says it under a key of its own" in done.stdout
    places = "hop 1 received and delivered, hop 2 received"
    assert f"{sent}: this is the content that {places}\n" in done.stdout
    more = ("--content", sent, "--target", "/orders/7", "--require", "all")
    done = chain.verify(answer, *more)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("verified: 3 receipts of one transfer")
    assert "not shown" not in done.stdout
    other = chain.verify(answer, "--content", sent, "--target", "/orders/8")
    assert (other.returncode, other.stdout) == (1, "")
    assert other.stderr == "does not verify: hop 1 was asked for another target\n"
    sent.write_bytes(MASKED)
    assert (
        "hop 2 delivered, hop 3 received and del" in chain.verify(answer, "--content", sent).stdout
    )
    sent.write_bytes(ORDER + b" ")
    assert chain.verify(answer, "--content", sent).returncode == 1


def test_the_commands_of_the_manual_work_as_printed(chain: Chain, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "receipts.md").read_text().partition("## Several gateways")[2]
    curl, verifying = page.split("```")[1].strip().replace("\\\n", "").split("\n")
    (tmp_path / "order.json").write_bytes(ORDER)
    socket = chain.hops[0].folder / "egress.sock"
    command = shlex.split(curl.replace("egress.sock", str(socket)))
    done = subprocess.run(
        [*command, "-sS"], cwd=tmp_path, capture_output=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stdout) == (0, b'{"ok": true}')
    given = dict(zip(("sidecar", "gateway", "receiver-sidecar"), range(3), strict=True))
    words = [str(tmp_path / word) for word in ("answer.headers", "order.json")]
    for word in shlex.split(verifying)[3:]:
        name, _, kind = word.rpartition(".")
        if kind in ("pub", "pem"):
            found = chain.keys if kind == "pub" else chain.certificates
            words.append(str(found[given[name]]))
        elif word not in ("answer.headers", "order.json", "--chain", "--content"):
            words.append(word)
    done_well = verify(words[0], "--content", *words[1:])
    assert done_well.returncode == 0, done_well.stderr


def test_what_send_saved_of_all_gateways_is_verified_by_the_command_of_its_page(
    chain: Chain, tmp_path: Path
) -> None:
    file = tmp_path / "order.json"
    file.write_bytes(ORDER)
    words = ("--new", "--receipts-key", chain.keys[0])
    sent = chain.send(file, *words)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert "2 more by gateways further on, not verified" in sent.stdout
    headers = tmp_path / "order.json.receipt.headers"
    assert f"all       {headers}: " in sent.stdout
    assert headers.stat().st_mode & 0o777 == 0o600
    page = (ROOT / "docs" / "sending.md").read_text().partition("verifies the whole way")[2]
    command = page.partition("\n\n")[2].partition("\n\n")[0].replace("\\\n", "")
    given = dict(zip(("sidecar", "gateway", "receiver-sidecar"), chain.keys, strict=True))
    places = {f"{name}.pub": str(key) for name, key in given.items()}
    places |= {path.name: str(path) for path in (file, headers)}
    documented = [places.get(word, word) for word in shlex.split(command)]
    assert documented[:3] == ["lockgate", "receipts", "verify"]
    done = lockgate(*documented[1:])
    assert done.returncode == 0, done.stderr
    assert "verified: 3 receipts of one transfer" in done.stdout
    assert (
        f"hop 1 to 2: request: proven: it delivered what hop 2 received: {len(ORDER)} bytes, HMAC"
        in done.stdout
    )


def test_the_lines_of_all_receipts_leave_room_for_what_common_clients_take(chain: Chain) -> None:
    answer = chain.ask(order())
    assert len(answer.raw_head) < 16 * 1024, "Node takes no more"
    assert max(map(len, answer.raw_head.split(b"\r\n"))) < 8190, "aiohttp takes no more"


def test_what_a_hop_refuses_is_in_every_receipt_before_it(chain: Chain) -> None:
    card = b'{"order":7,"note":"4111' + b"1111" * 3 + b'"}'
    answer = chain.ask(order(body=card))
    assert (answer.status, len(answer.receipts())) == (422, 2)
    saved = chain.folder / "refused.headers"
    saved.write_bytes(answer.raw_head)
    done = verify(saved, *flags("--key", chain.keys[:2]))
    assert done.returncode == 0, done.stderr
    assert "failed" in done.stdout
    assert "rejected" in done.stdout


def test_one_transfer_id_finds_the_transfer_in_the_log_of_every_hop(chain: Chain) -> None:
    for octets in (order(), request("/orders/8/x", None, method="GET")):
        marks = [hop.mark() for hop in chain.hops]
        transfer_id = chain.ask(octets).value("transfer-id")
        if octets.startswith(b"GET"):
            marks = marks[:2]  # the gateway has no such route: it goes no further
        for hop, mark in zip(chain.hops, marks, strict=False):
            line = hop.wait_for("transfer", mark, transfer_id=transfer_id)
            assert line["transfer_id"] == transfer_id


def test_every_hop_stands_in_via_both_ways(chain: Chain) -> None:
    answer = chain.ask(order("Via: 1.0 application"))
    assert chain.receiver.received[-1].values("via") == ["1.0 application", *VIA]
    assert answer.values("via") == list(reversed(VIA))


@pytest.mark.parametrize("hop", range(3))
def test_a_loop_is_refused_by_the_hop_that_finds_itself(chain: Chain, hop: int) -> None:
    before = len(chain.receiver.received)
    answer = chain.ask(order(f"Via: {VIA[hop]} (again)"))
    assert answer.status == 508
    assert len(answer.receipts()) == hop + 1
    assert len(chain.receiver.received) == before


def without(index: int) -> Callable[[list[bytes]], list[bytes]]:
    return lambda found: found[:index] + found[index + 1 :]


@pytest.mark.parametrize(
    ("change", "keys", "why"),
    [
        (without(1), (0, 2), "between hop 1 and hop 2 one is missing"),
        (lambda found: [found[1], found[0], found[2]], (0, 2, 1), "hop 2 is out of its place"),
        (lambda found: [found[1], found[0], found[2]], (0, 1, 2), "hop 2: "),
        (lambda found: [*found, found[-1]], (0, 0, 1, 2), "hop 2 is out of its place"),
        (without(0), (0, 1, 2), "2 receipts are here, and --key was given 3 times"),
        (without(2), (0, 1), "hop 1: "),
        (
            lambda found: found[2:], (0, 1, 2),
            "a chain has two receipts at least: hop 1 names receipts further on that are not here",
        ),
    ],
    ids=[
        "middle-gone", "swapped", "swapped-under-its-key", "twice", "key", "first",
        "alone",
    ],
)  # fmt: skip
def test_a_chain_with_a_hop_that_is_gone_or_moved_does_not_hold(
    chain: Chain,
    change: Callable[[list[bytes]], list[bytes]],
    keys: tuple[int, ...],
    why: str,
    tmp_path: Path,
) -> None:
    files = []
    for number, envelope in enumerate(reversed(change(chain.ask(order()).receipts()))):
        files.append(tmp_path / f"{number}.json")
        files[-1].write_bytes(envelope)
    done = verify(*files, *flags("--key", [chain.keys[index] for index in keys]))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"does not verify: {why}" in done.stderr


def test_receipts_of_two_transfers_are_no_chain(chain: Chain, tmp_path: Path) -> None:
    one, other = chain.ask(order()).receipts(), chain.ask(order()).receipts()
    files = [tmp_path / f"{number}" for number in range(3)]
    for file, envelope in zip(files, (one[2], other[1], other[0]), strict=True):
        file.write_bytes(envelope)
    done = verify(*files, *flags("--key", chain.keys))
    assert (done.returncode, done.stdout) == (1, "")
    assert "hop 1 names another receipt than that of hop 2" in done.stderr


def test_a_chain_of_other_gateways_does_not_hold(chain: Chain) -> None:
    answer = chain.ask(order())
    assert chain.verify(answer).returncode == 0
    chain.certificates.reverse()
    try:
        done = chain.verify(answer)
    finally:
        chain.certificates.reverse()
    assert (done.returncode, done.stdout) == (1, "")
    assert "hop 2 received it from another than hop 1" in done.stderr


def test_certificates_are_given_for_every_key_or_for_none(chain: Chain) -> None:
    answer = chain.ask(order())
    saved = chain.folder / "certificates.headers"
    saved.write_bytes(answer.raw_head)
    near = (*flags("--key", chain.keys[:2]), *flags("--certificate", chain.certificates[:2]))
    done = verify(saved, *near)
    assert done.returncode == 0, done.stderr
    assert "hop 1 to 2: receiver: proven" in done.stdout
    other = verify(saved, *near, "--key", chain.keys[2])
    assert (other.returncode, other.stdout) == (1, "")
    assert "3 keys are given, and --certificate was given 2 times" in other.stderr


def test_the_receipt_of_a_hop_that_gave_none_is_missed_and_nothing_else(chain: Chain) -> None:
    chain.receiver.behave = lambda exchange: exchange.answer(
        200, b"{}", "Transfer-Receipt: :AAAA:, nonsense"
    )
    try:
        answer = chain.ask(order())
    finally:
        chain.receiver.behave = Exchange.answer
    assert len(answer.receipts()) == 3
    assert chain.verify(answer).returncode == 0


def test_a_chain_whose_last_receipt_is_gone_says_which_it_misses(
    chain: Chain, tmp_path: Path
) -> None:
    last, *near = chain.ask(order()).receipts()
    files = [tmp_path / "1.json", tmp_path / "2.json"]
    for file, envelope in zip(files, reversed(near), strict=True):
        file.write_bytes(envelope)
    done = verify(*files, *flags("--key", chain.keys[:2]))
    assert done.returncode == 0, done.stderr
    told = f"not shown: it names a receipt further on that is not here: SHA-256 {sha256(last)}"
    assert f"hop 2 to 3: receipt: {told}" in done.stdout
    demanded = verify(*files, *flags("--key", chain.keys[:2]), "--require", "receipt")
    assert (demanded.returncode, demanded.stdout) == (1, "")
    assert told in demanded.stderr


@pytest.mark.parametrize("long", [False, True], ids=["passed-on", "left-out-for-its-size"])
def test_a_receiver_that_makes_up_a_receipt_spoils_no_chain_of_the_gateways(
    chain: Chain, long: bool
) -> None:
    """Any receipt of any transfer will do: there may be no room for it beside those of gateways."""
    made_up = chain.ask(order()).receipts()[0] if long else b"{}"
    field = b"Transfer-Receipt: " + format_bytes(made_up)
    chain.receiver.behave = lambda exchange: exchange.answer(200, b"{}", field.decode())
    try:
        answer = chain.ask(order())
    finally:
        chain.receiver.behave = Exchange.answer
    assert len(answer.receipts()) == (3 if long else 4)
    done = chain.verify(answer)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("partly verified: 3 receipts of one transfer")
    told = "hop 3 to 4: receipt: not shown: it names a receipt further on"
    assert told in done.stdout
    assert sha256(made_up) in done.stdout
    assert "hop 2 to 3: receipt: proven" in done.stdout
