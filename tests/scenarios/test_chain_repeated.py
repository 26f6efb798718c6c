"""What curl and `send` save, through sidecar and gateway: what its receipts show, and what not.

Most of it is about a transfer that comes again.
"""

import json
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.scenarios.chains import MASKED, ORDER, Chain, Done, flags, start_chain, verify
from tests.scenarios.conftest import StartGateway, StartReceiver
from tests.scenarios.gateway import lockgate
from tests.scenarios.receiver import Exchange

pytestmark = pytest.mark.parametrize("workers", [1], ids=["as-they-stand"], indirect=True)
URL = "http://gateway/orders/7"


@pytest.fixture(scope="module", params=[2, 3], ids=["sidecar-gateway", "and-a-sidecar"])
def chain(
    request: pytest.FixtureRequest,
    start_gateway: StartGateway,
    start_receiver: StartReceiver,
    parties: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Chain:
    make = tmp_path_factory.mktemp
    return start_chain(start_gateway, start_receiver, parties, make, hops=request.param)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (file := tmp_path / "order.json").write_bytes(ORDER)
    return file


def curl(chain: Chain, file: Path, identity: str, saved: Path) -> None:
    done = subprocess.run(
        ["curl", "-sS", "-D", saved, "--unix-socket", chain.hops[0].folder / "egress.sock",
         "-H", f"Transfer-Id: {identity}", "--json", f"@{file}", URL],
        capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def send(chain: Chain, file: Path, identity: str, kept: Path) -> None:
    words = ("--id", identity, "--receipt-out", kept, "--receipts-key", chain.keys[0])
    socket = chain.hops[0].folder / "egress.sock"
    done = lockgate("send", URL, file, "--unix-socket", socket, *words)
    assert done.returncode == 0, done.stdout + done.stderr


def twice(chain: Chain, file: Path, tool: str) -> tuple[Path, Path]:
    """The receipts of a transfer and of its repetition, as `send` or curl saves them."""
    identity, before = str(uuid.uuid4()), len(chain.receiver.received)
    saved = []
    for name in ("first", "again"):
        if tool == "curl":
            saved.append(file.with_name(f"{name}.headers"))
            curl(chain, file, identity, saved[-1])
        else:
            send(chain, file, identity, file.with_name(f"{name}.receipt.json"))
            saved.append(file.with_name(f"{name}.receipt.headers"))
    assert len(chain.receiver.received) == before + 1
    first, again = saved
    return first, again


def judge(chain: Chain, saved: Path, *words: str | Path, hops: int = 2) -> Done:
    keys, certificates = chain.keys[:hops], chain.certificates[:hops]
    known = (*flags("--key", keys), *flags("--certificate", certificates))
    return verify(saved, *known, *words)


def missed(done: Done) -> list[str]:
    """Which points are not shown, by hop."""
    lines = [line.split(": ") for line in done.stdout.splitlines() if ": not shown: " in line]
    return [f"{hops[4:]} {point}" for hops, point, *_ in lines]


@pytest.mark.parametrize("tool", ["curl", "send"])
def test_the_receipts_of_a_repetition_verify_and_say_what_they_do_not_show(
    chain: Chain, file: Path, tool: str
) -> None:
    first, again = twice(chain, file, tool)
    all_hops = len(chain.hops)
    given = ("--content", file, "--target", "/orders/7")
    whole = judge(chain, first, *given, "--require", "all", hops=all_hops)
    assert (whole.returncode, whole.stderr, missed(whole)) == (0, "", [])
    done = judge(chain, again, *given)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("partly verified: 2 receipts of one transfer")
    beyond = ["2 to 3 receipt"] if all_hops == 3 else []
    assert missed(done) == ["1 to 2 target", "1 to 2 request", "1 to 2 answer", *beyond]
    assert "answered 200, and says that it was delivered before" in done.stdout
    assert "its key" not in done.stderr
    assert "under its receipt key, which went out with the answer of then" in done.stdout


def test_who_demands_what_a_repetition_does_not_show_gets_1_and_the_list(
    chain: Chain, file: Path
) -> None:
    _, again = twice(chain, file, "curl")
    for demanded, code in (("answer", 1), ("all", 1), ("transfer", 0), ("verdict", 0)):
        done = judge(chain, again, "--require", demanded)
        assert done.returncode == code, (demanded, done.stderr)
        assert bool(done.stdout) is (code == 0)
        if code:
            first, *lines = done.stderr.splitlines()
            assert first == "does not verify: not all that --require names is shown"
            assert any(line.startswith("hop 1 to 2: answer: not shown: ") for line in lines)


def test_a_program_is_told_each_point(chain: Chain, file: Path) -> None:
    first, again = twice(chain, file, "curl")
    told = json.loads(judge(chain, again, "--json").stdout)
    found = {point["point"]: point["proven"] for point in told["points"] if point["hop"] == 1}
    assert (told["proven"], found["transfer"], found["answer"]) == (False, True, False)
    assert [hop["hop"] for hop in told["hops"]] == [1, 2]
    assert told["hops"][0]["statement"]["predicate"]["answer"]["duplicate"] is True
    assert told["content"] is None
    words = ("--content", file, "--target", "/orders/7", "--json")
    told = json.loads(judge(chain, first, *words, hops=len(chain.hops)).stdout)
    assert (told["proven"], told["content"]["1"]) == (True, ["received", "delivered"])


def test_the_receipts_of_the_first_attempt_make_up_what_a_repetition_lacks(
    chain: Chain, file: Path, tmp_path: Path
) -> None:
    if len(chain.hops) == 2:
        file.write_bytes(MASKED)  # nothing is changed on the way: digests are plain
    first, again = twice(chain, file, "send")
    if len(chain.hops) == 2:
        done = judge(chain, again)
        assert missed(done) == ["1 to 2 target", "1 to 2 answer"]
        return
    lines = first.read_text().splitlines(keepends=True)
    (furthest := tmp_path / "furthest.headers").write_text(lines[0])
    known = (*flags("--key", chain.keys), *flags("--certificate", chain.certificates))
    done = verify(again, furthest, *known)
    assert done.returncode == 0, done.stderr
    assert "2 to 3 receipt" not in missed(done)
    assert "2 to 3 request" not in missed(done)


@pytest.mark.parametrize(
    "head", ["200 OK\r\nContent-Length: 0", "204 No Content"], ids=["empty", "none"]
)
def test_an_answer_without_content_is_the_same_for_all(chain: Chain, file: Path, head: str) -> None:
    def behave(exchange: Exchange) -> None:
        exchange.read()
        exchange.send(f"HTTP/1.1 {head}\r\n\r\n".encode())

    chain.receiver.behave = behave
    try:
        curl(chain, file, str(uuid.uuid4()), saved := file.with_name("empty.headers"))
    finally:
        chain.receiver.behave = Exchange.answer
    given = ("--content", file, "--target", "/orders/7", "--require", "all")
    done = judge(chain, saved, *given, hops=len(chain.hops))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_refused_answer_is_not_shown_to_be_what_came(chain: Chain, file: Path) -> None:
    card = b'{"note":"4111' + b"1111" * 3 + b'"}'
    chain.receiver.behave = lambda exchange: exchange.answer(200, card)
    try:
        curl(chain, file, str(uuid.uuid4()), saved := file.with_name("refused.headers"))
    finally:
        chain.receiver.behave = Exchange.answer
    done = judge(chain, saved, "--content", file, "--target", "/orders/7")
    assert done.returncode == 0, done.stderr
    beyond = []
    if len(chain.hops) == 3:  # who refuses an answer passes no receipts on, but names them
        beyond = ["2 to 3 receipt"]
        assert "it names a receipt further on that is not here" in done.stdout
    assert missed(done) == ["1 to 2 verdict", "1 to 2 answer", *beyond]
    assert "hop 2 answered by itself (answer-refused)" in done.stdout
