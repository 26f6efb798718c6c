"""`lockgate send` speaks to the unix socket of a sidecar, as it does to a port."""

from pathlib import Path

import pytest

from tests.scenarios.chains import EXAMPLES, ORDER, Chain, order
from tests.scenarios.conftest import StartGateway, StartReceiver
from tests.scenarios.gateway import lockgate
from tests.scenarios.hops import by_unix, example

chain = EXAMPLES

ALONE = pytest.mark.parametrize("workers", [1], ids=["as-they-stand"], indirect=True)


@ALONE
def test_send_speaks_to_the_socket_of_a_sidecar_for_all_files_at_once(
    chain: Chain, tmp_path: Path
) -> None:
    (outbox := tmp_path / "outbox").mkdir()
    for number in range(6):
        (outbox / f"{number}.json").write_bytes(ORDER)
    before = len(chain.receiver.received)
    sent = chain.send(outbox, "--parallel", "3", "--receipts", tmp_path / "kept")
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert len(chain.receiver.received) == before + 6
    assert len(list((tmp_path / "kept").glob("*.receipt.json"))) == 6
    again = chain.send(outbox, "--receipts", tmp_path / "kept")
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(chain.receiver.received) == before + 6


@ALONE
def test_send_fetches_a_receipt_behind_a_link_through_the_socket(
    start_gateway: StartGateway, start_receiver: StartReceiver, parties: Path, tmp_path: Path
) -> None:
    receiver = start_receiver("gateway")
    long, kind = b'{"note":"long"}\n' * 1000, "application/x-ndjson"
    receiver.behave = lambda exchange: exchange.answer(200, long, kind=kind)
    config = example("sidecar", parties, gateway=receiver.endpoint)
    config["routes"][0] |= {"limits": {"hold": "1KiB"}, "receipt": "header"}
    sidecar = start_gateway(config)
    (file := tmp_path / "order.json").write_bytes(ORDER)
    words = ("--unix-socket", sidecar.folder / "egress.sock")
    with by_unix(sidecar) as application:
        answer = application.ask(order())
    assert (answer.receipts(), len(answer.values("link"))) == ([], 1)
    sent = lockgate("send", "http://gateway/orders/7", file, *words)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert "it is about exactly this file" in sent.stdout


def test_the_host_of_the_url_is_asked_for_behind_a_socket(
    start_receiver: StartReceiver, tmp_path: Path
) -> None:
    (file := tmp_path / "order.json").write_bytes(ORDER)
    path = tmp_path / "its.sock"
    receiver = start_receiver(None, path)
    for url in ("http://gateway/orders/7?x=y", "http://[::1]:81/orders/7?x=y"):
        words = ("--unix-socket", path, "--no-receipt")
        assert lockgate("send", url, file, *words).returncode == 0
        got = receiver.received[-1]
        assert got.values("host") == [url.split("/")[2]]
        assert got.first.split()[1] == "/orders/7?x=y"
    ids = [got.value("transfer-id") for got in receiver.received]
    (other := tmp_path / "other.sock").symlink_to(path)
    lockgate("send", url, file, "--unix-socket", other, "--no-receipt")
    assert receiver.received[-1].value("transfer-id") == ids[-1], "another name of the same socket"
    assert ids[0] != ids[1]


def test_a_key_alone_makes_ids_where_no_certificate_is_shown(
    start_receiver: StartReceiver, parties: Path, tmp_path: Path
) -> None:
    (file := tmp_path / "order.json").write_bytes(ORDER)
    receiver = start_receiver(None, tmp_path / "its.sock")
    line = ("http://gateway/x", file, "--unix-socket", tmp_path / "its.sock", "--no-receipt")
    keyed = (*line, "--key", parties / "client.key")
    for words in (line, keyed, keyed):
        assert lockgate("send", *words).returncode == 0
    without, first, again = [got.value("transfer-id") for got in receiver.received]
    assert without != first == again
    refused = lockgate("send", *line, "--cert", parties / "client.pem")
    assert (refused.returncode, len(receiver.received)) == (2, 3)


def test_a_socket_where_nobody_listens_is_told_by_its_name(tmp_path: Path) -> None:
    (file := tmp_path / "order.json").write_bytes(ORDER)
    nobody = tmp_path / "nobody.sock"
    words = ("--unix-socket", nobody, "--retries", "0")
    sent = lockgate("send", "http://gateway/orders/7", file, *words)
    assert sent.returncode == 1
    assert f"unix:{nobody}" in sent.stdout + sent.stderr
