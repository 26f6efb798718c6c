"""Many processes as one program: who dies is replaced, and nobody notices who need not."""

import copy
import json
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.mutant import mutate
from tests.edge.test_digests_said import digest
from tests.patience import PATIENCE
from tests.scenarios.client import Client, request
from tests.scenarios.conftest import StartGateway
from tests.scenarios.family import wait_until_whole
from tests.scenarios.gateway import Config, Gateway, lockgate, wait_until
from tests.scenarios.message import Broken
from tests.scenarios.policy import opaque, policy, route, with_routes
from tests.scenarios.proof import audit, store_of
from tests.scenarios.receiver import Held, Receiver


@pytest.fixture(scope="module", params=[2])
def workers(request: pytest.FixtureRequest) -> int:
    """Here there are always many."""
    count: int = request.param
    return count


@pytest.fixture
def gateway(gateway: Gateway) -> Gateway:
    """The module's, whole again after what the test before has done to it."""
    wait_until_whole(gateway)
    return gateway


def ask_until_answered(gateway: Gateway, wanted: int = 200) -> None:
    """What a good client does: again, until it is answered so."""

    def answered() -> bool:
        try:
            with gateway.connect() as client:
                return client.ask(request()).status == wanted
        except (OSError, Broken):
            return False

    wait_until(answered)


def workers_of(clients: list[Client], gateway: Gateway) -> set[int]:
    """The processes that hold the other ends of these connections."""
    ports = {client.sock.getsockname()[1] for client in clients}
    found = set()
    for pid in gateway.processes("worker"):
        inodes = set(map(target_of, Path(f"/proc/{pid}/fd").iterdir()))
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            port = int(fields[2].rpartition(":")[2], 16)
            if port in ports and f"socket:[{fields[9]}]" in inodes:
                found.add(pid)
    return found


def target_of(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""  # it has been closed meanwhile


def test_connections_are_spread_over_all_workers(gateway: Gateway) -> None:
    clients = [gateway.connect() for _ in range(24)]
    assert all(client.ask(request()).status == 200 for client in clients)
    assert len(gateway.processes("worker")) == 2
    assert workers_of(clients, gateway) == set(gateway.processes("worker"))
    for client in clients:
        client.sock.close()


@pytest.mark.parametrize("kind", ["worker", "notary"])
def test_a_process_that_dies_is_replaced_while_the_others_go_on(
    gateway: Gateway, kind: str
) -> None:
    before = {each: gateway.processes(each) for each in ("worker", "notary", "supervisor")}
    restarts = gateway.metric("lockgate_process_restarts_total", process=kind)
    since = gateway.mark()
    os.kill(before[kind][0], signal.SIGKILL)
    gateway.wait_for(f"{kind}_died", since, code=-9)
    gateway.wait_for(f"{kind}_started", since)
    ask_until_answered(gateway)
    after = {each: gateway.processes(each) for each in before}
    assert before[kind][0] not in after[kind]
    assert len(after[kind]) == len(before[kind])
    for other in set(before) - {kind}:
        assert after[other] == before[other]
    assert gateway.metric("lockgate_process_restarts_total", process=kind) == restarts + 1
    audit(gateway)


def test_a_worker_that_dies_while_a_new_notary_is_given_its_channels_is_replaced(
    own_gateway: Gateway,
) -> None:
    gateway = own_gateway
    first, other = gateway.processes("worker")
    since = gateway.mark()
    os.kill(first, signal.SIGSTOP)  # so that it is still waited for
    os.kill(gateway.log_writer, signal.SIGKILL)
    gateway.wait_for("notary_started", since)
    os.kill(first, signal.SIGKILL)
    gateway.wait_for("worker_died", since, pid=first)
    gateway.wait_for("worker_started", since)
    assert other in gateway.processes("worker")
    ask_until_answered(gateway)
    assert gateway.stop() == 0
    audit(gateway)


def test_a_death_tells_nothing_of_the_addresses_in_the_successor(gateway: Gateway) -> None:
    wait_until_whole(gateway)
    workers = gateway.processes("worker")
    before = set(map(libraries, workers))
    since = gateway.mark()
    os.kill(workers[0], signal.SIGSEGV)
    gateway.wait_for("worker_died", since, code=-11)
    assert libraries(gateway.wait_for("worker_started", since)["pid"]) not in before


def libraries(pid: int) -> str:
    """Where the first octet of the C library is."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return next(line.partition("-")[0] for line in lines if "libc" in line)


def test_connections_of_the_other_worker_stay_when_one_dies(gateway: Gateway) -> None:
    clients = [gateway.connect() for _ in range(16)]
    assert all(client.ask(request()).status == 200 for client in clients)
    victim = gateway.processes("worker")[0]
    since = gateway.mark()
    os.kill(victim, signal.SIGKILL)
    gateway.wait_for("worker_died", since)
    kept = 0
    for client in clients:
        try:
            kept += client.ask(request()).status == 200
        except (OSError, Broken):
            pass
        client.sock.close()
    assert 0 < kept < len(clients)


def test_what_a_dead_worker_had_forwarded_is_undecided_at_once(
    gateway: Gateway, receiver: Receiver
) -> None:
    held = receiver.behave = Held()
    with gateway.connect() as client:
        client.send(request())
        assert held.asked.wait(PATIENCE)
        (victim,) = workers_of([client], gateway)
        since = gateway.mark()
        os.kill(victim, signal.SIGKILL)
        gateway.wait_for("interrupted", since, count=1)
    held.go.set()
    audit(gateway)
    listed = lockgate("receipts", "list", store_of(gateway), "--verdict", "indeterminate")
    assert len(listed.stdout.splitlines()) == 1, listed


def test_operators_tell_the_processes_apart_by_their_names(gateway: Gateway) -> None:
    names = {"supervisor": "lockgate", "notary": "lockgate-notary", "worker": "lockgate-worker"}
    for kind, name in names.items():
        for pid in gateway.processes(kind):
            assert Path(f"/proc/{pid}/comm").read_text() == f"{name}\n"


def test_without_a_notary_nothing_is_forwarded_and_readiness_says_so(
    gateway: Gateway, receiver: Receiver
) -> None:
    (notary,), since = gateway.processes("notary"), gateway.mark()
    os.kill(notary, signal.SIGSTOP)
    try:
        # A worker that the notary had not been given yet says that it is away.
        codes = ("notary-silent", "notary-away")
        unready = [(503, f"not ready: {code}\n") for code in codes]
        wait_until(lambda: gateway.admin("/readyz") in unready)
        status = json.loads(gateway.admin("/status")[1])
        assert status["ok"] is False
        assert status["trouble"]["code"] in codes
        assert gateway.wait_for("log_unavailable", since)["code"] in codes
    finally:
        os.kill(notary, signal.SIGCONT)
    wait_until(lambda: gateway.admin("/readyz")[0] == 200)
    gateway.wait_for("log_available", since)
    ask_until_answered(gateway)


def test_a_reload_changes_all_workers_or_none(own_gateway: Gateway) -> None:
    gateway = own_gateway
    clients = [gateway.connect() for _ in range(12)]
    assert {client.ask(request()).status for client in clients} == {200}
    config = copy.deepcopy(gateway.config)
    config["routes"][0]["allow"] = []
    gateway.write(config)
    since = gateway.mark()
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for("reloaded", since)
    assert {client.ask(request()).status for client in clients} == {403}
    config["routes"][0]["match"] = {"path": "no path"}
    gateway.write(config)
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for("reload_refused", since)
    assert {client.ask(request()).status for client in clients} == {403}
    for client in clients:
        client.sock.close()


def test_a_transfer_ends_on_a_route_that_went_with_a_reload_and_with_the_notary(
    own_gateway: Gateway, receiver: Receiver
) -> None:
    gateway, workers = own_gateway, own_gateway.processes("worker")
    held = receiver.behave = Held()
    with gateway.connect() as client:
        client.send(request())
        assert held.asked.wait(PATIENCE)
        config = copy.deepcopy(gateway.config)
        config["routes"][0]["name"] = "renamed"
        gateway.write(config)
        since = gateway.mark()
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for("reloaded", since)
        os.kill(gateway.processes("notary")[0], signal.SIGKILL)
        gateway.wait_for("notary_started", since)
        held.go.set()
        assert client.answer().status == 200
    ask_until_answered(gateway)
    assert gateway.processes("worker") == workers, "none spoke of what the notary did not know"
    audit(gateway)


def test_a_worker_that_is_replaced_after_a_reload_has_what_is_in_force(
    own_gateway: Gateway,
) -> None:
    gateway = own_gateway
    config = copy.deepcopy(gateway.config)
    config["routes"][0]["allow"] = []
    gateway.write(config)
    since = gateway.mark()
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for("reloaded", since)
    gateway.path.write_text("not: a configuration")
    for pid in gateway.processes("worker"):
        os.kill(pid, signal.SIGKILL)
    gateway.wait_for_count("worker_started", 2, since)
    wait_until_whole(gateway)
    clients = [gateway.connect() for _ in range(12)]
    assert {client.ask(request()).status for client in clients} == {403}
    for client in clients:
        client.sock.close()


def test_counts_of_all_processes_are_shown_and_outlive_them(own_gateway: Gateway) -> None:
    gateway = own_gateway
    clients = [gateway.connect() for _ in range(8)]
    assert all(client.ask(request()).status == 200 for client in clients)
    delivered = ("lockgate_transfers_total", {"verdict": "delivered"})
    assert gateway.metric(delivered[0], **delivered[1]) == 8
    assert gateway.metric("lockgate_connections", listener="ingest") == 8
    assert gateway.metric("lockgate_journal_batch_receipts_sum") >= 8
    since = gateway.mark()
    os.kill(gateway.processes("worker")[0], signal.SIGKILL)
    gateway.wait_for("worker_started", since)
    assert gateway.metric(delivered[0], **delivered[1]) == 8
    for client in clients:
        client.sock.close()


def test_nobody_stays_behind_when_the_supervisor_is_killed(own_gateway: Gateway) -> None:
    gateway = own_gateway
    children = gateway.processes("worker") + gateway.processes("notary")
    with gateway.connect() as client:
        assert client.ask(request()).status == 200
    gateway.process.kill()
    gateway.process.wait()
    wait_until(lambda: not any(_runs(pid) for pid in children))
    gateway.start()
    ask_until_answered(gateway)
    assert gateway.stop() == 0
    audit(gateway)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_second_gateway_does_not_join_the_address(gateway: Gateway, tmp_path: Path) -> None:
    config = copy.deepcopy(gateway.config)
    host, port = gateway.address()
    config["listeners"]["ingest"]["bind"] = f"{host}:{port}"
    config["receipts"]["store"] = str(tmp_path / "other")
    second = tmp_path / "second.yaml"
    second.write_text(json.dumps(config))
    done = lockgate("run", second)
    assert done.returncode == 1
    assert "in use" in done.stderr


def test_one_deadline_ends_all_workers(
    start_gateway: StartGateway, receiver: Receiver, parties: Path
) -> None:
    gateway = start_gateway(policy(parties, receiver.endpoint, shutdown={"drain": "500ms"}))
    held = receiver.behave = Held()
    clients = [gateway.connect() for _ in range(6)]
    for client in clients:
        client.send(request())
    gateway.wait_for_metric(6, "lockgate_transfers_in_flight")
    assert gateway.stop(timeout=PATIENCE / 2) == 1, "long before the upstream would answer"
    held.go.set()
    for client in clients:
        with pytest.raises(Broken):
            client.answer()
        client.sock.close()
    audit(gateway)


def test_a_unix_socket_is_shared_by_all_workers(
    start_gateway: StartGateway, receiver: Receiver, parties: Path
) -> None:
    config = policy(parties, receiver.endpoint, workers=2)
    config["listeners"]["ingest"] = {
        "bind": "unix:in.sock", "zone": "partner", "tls": {"mode": "none"},
    }  # fmt: skip
    config["routes"][0]["allow"] = [{"local": {"uid": [os.getuid()]}}]
    gateway = start_gateway(config)
    for _ in range(8):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(gateway.folder / "in.sock"))
        with Client(sock) as client:
            assert client.ask(request()).status == 200
    assert gateway.stop() == 0
    assert not (gateway.folder / "in.sock").exists()
    audit(gateway)


def test_the_log_is_served_to_auditors_on_the_admin_listener(gateway: Gateway) -> None:
    ask_until_answered(gateway)

    def published() -> int:
        status, text = gateway.admin("/log/checkpoint")
        return int(text.splitlines()[1]) if status == 200 else 0

    wait_until(lambda: published() > 1)
    with gateway.connect() as client:
        client.ask(request())
    size = published()
    assert gateway.admin(f"/log/tile/0/000.p/{size}")[0] == 200
    for hidden in ("journal", "store.key", "ids.sqlite", "tile/../journal", "intents/1", ""):
        assert gateway.admin(f"/log/{hidden}")[0] in (400, 404)


# --- two users -----------------------------------------------------------------------------------

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may start processes as others")
USERS = {"worker": 65531, "notary": 65530}


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder that other users can enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def with_users(config: Config, shelf: Path, parties: Path) -> Config:
    """The same, with secrets that root alone can read, and a store that the notary can reach."""
    shutil.copytree(parties, shelf / "secrets")
    for path in (shelf / "secrets").iterdir():
        path.chmod(0o600)
    text = json.dumps(config).replace(str(parties), str(shelf / "secrets"))
    loaded: Config = json.loads(text)
    loaded["receipts"]["store"] = str(shelf / "store")
    return loaded | {"users": USERS}


@ROOT
def test_workers_cannot_read_the_receipt_keys_nor_enter_the_store(
    start_gateway: StartGateway, receiver: Receiver, parties: Path, shelf: Path
) -> None:
    config = with_users(policy(parties, receiver.endpoint, workers=2), shelf, parties)
    gateway = start_gateway(config)
    ask_until_answered(gateway)
    for kind, uid in (("worker", USERS["worker"]), ("notary", USERS["notary"])):
        for pid in gateway.processes(kind):
            status = Path(f"/proc/{pid}/status").read_text()
            assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
            assert f"Gid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
            assert "CapEff:\t0000000000000000" in status
    assert gateway.stop() == 0  # so that no file is replaced while it is looked at
    store = shelf / "store"
    for path in [store, *(each for each in store.rglob("*") if "intents" not in each.parts)]:
        assert path.stat().st_uid == USERS["notary"]
        assert not path.stat().st_mode & 0o007
    for path in (store / "intents").iterdir():
        assert (path.stat().st_uid, path.stat().st_gid) == (USERS["worker"], USERS["notary"])
    audit(gateway)


@ROOT
def test_no_process_but_the_supervisor_has_a_variable_with_a_secret(
    start_gateway: StartGateway,
    receiver: Receiver,
    parties: Path,
    shelf: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = policy(parties, receiver.endpoint, workers=2)
    for name, reference in (("RECEIPT_KEY", "key"), ("LOG_KEY", "log_key")):
        path = Path(config["receipts"][reference].removeprefix("file:"))
        monkeypatch.setenv(name, path.read_text())
        config["receipts"][reference] = f"env:{name}"
    monkeypatch.setenv("TLS_KEY", (parties / "gateway.key").read_text())
    config["identity"]["key"] = "env:TLS_KEY"
    gateway = start_gateway(with_users(config, shelf, parties))
    ask_until_answered(gateway)
    hidden = {"RECEIPT_KEY", "LOG_KEY", "TLS_KEY"}
    assert hidden <= variables(gateway.process.pid)
    for pid in gateway.processes("worker") + gateway.processes("notary"):
        assert not hidden & variables(pid)


def variables(pid: int) -> set[str]:
    found = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return {each.partition("=")[0] for each in found}


@ROOT
def test_users_are_never_passed_over_because_one_worker_is_enough(
    start_gateway: StartGateway, receiver: Receiver, parties: Path, shelf: Path
) -> None:
    config = with_users(policy(parties, receiver.endpoint, workers=1), shelf, parties)
    gateway = start_gateway(config)
    ask_until_answered(gateway)
    assert (len(gateway.processes("worker")), len(gateway.processes("notary"))) == (1, 1)


@ROOT
def test_neither_user_is_root(parties: Path, receiver: Receiver, tmp_path: Path) -> None:
    config = policy(parties, receiver.endpoint, workers=2, users=USERS | {"worker": "root"})
    path = tmp_path / "users.yaml"
    path.write_text(json.dumps(config))
    done = lockgate("run", path)
    assert (done.returncode, "users.worker: root could read" in done.stderr) == (1, True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
@pytest.mark.parametrize("workers", [1, 2])
def test_users_need_root(workers: int, parties: Path, receiver: Receiver, tmp_path: Path) -> None:
    config = policy(parties, receiver.endpoint, workers=workers, users=USERS)
    path = tmp_path / "users.yaml"
    path.write_text(json.dumps(config))
    done = lockgate("run", path)
    assert done.returncode == 1
    assert "only root" in done.stderr


def test_the_two_users_must_be_two(parties: Path, receiver: Receiver, tmp_path: Path) -> None:
    users = {"worker": 65531, "notary": 65531}
    config = policy(parties, receiver.endpoint, workers=2, users=users)
    path = tmp_path / "users.yaml"
    path.write_text(json.dumps(config))
    done = lockgate("run", path)
    assert done.returncode == 1
    assert "same user" in done.stderr


def test_a_drain_in_which_the_notary_dies_still_closes_the_log(own_gateway: Gateway) -> None:
    gateway = own_gateway
    ask_until_answered(gateway)
    (notary,) = gateway.processes("notary")
    os.kill(notary, signal.SIGKILL)
    assert gateway.stop() == 0
    events = lockgate("receipts", "list", store_of(gateway), "--event", "stop")
    assert len(events.stdout.splitlines()) == 1, events
    audit(gateway)


def test_a_drain_in_which_a_worker_is_being_replaced_is_in_time(own_gateway: Gateway) -> None:
    gateway = own_gateway
    since = gateway.mark()
    os.kill(gateway.processes("worker")[0], signal.SIGKILL)
    gateway.wait_for("worker_died", since)
    assert gateway.stop() == 0
    audit(gateway)


@ROOT
@pytest.mark.parametrize("writable", [True, False])
def test_what_is_held_on_the_disk_is_so_by_the_user_of_the_workers(
    receiver: Receiver,
    parties: Path,
    shelf: Path,
    tmp_path: Path,
    start_gateway: StartGateway,
    writable: bool,
) -> None:
    folder = shelf / "spill"
    folder.mkdir(mode=0o700)
    os.chown(folder, USERS["worker"] if writable else 0, -1)
    body = b"x" * 100_000
    proven = route("proven", request=opaque("internal"), integrity={"require": "content-digest"},
                   limits={"hold": 1000, "body": "1MiB"})  # fmt: skip
    config = with_routes(policy(parties, receiver.endpoint, workers=2), proven)
    config = with_users(config | {"spill": {"folder": str(folder)}}, shelf, parties)
    if writable:
        gateway = start_gateway(config)
        ask_until_answered(gateway)
        with gateway.connect() as client:
            said = f"Content-Digest: {digest(body)}"
            assert client.ask(request("/proven/1", body, said, kind="a/b")).status == 200
        assert receiver.received[-1].body == body
    else:
        path = tmp_path / "gateway.yaml"
        path.write_text(json.dumps(config))
        done = lockgate("run", path)
        assert done.returncode == 1
        assert "spill.folder" in done.stderr
        assert "Permission denied" in done.stderr


@pytest.mark.parametrize("how", ["late", "silent"])
def test_it_is_ready_when_every_worker_has_heard_from_the_notary(
    how: str,
    start_gateway: StartGateway,
    receiver: Receiver,
    parties: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A copy of the program whose workers begin to listen to the notary late, and where they are
    silent meanwhile, too late to be waited for when they are asked how they are."""
    steps, begin = ["await trio.sleep(0.5)"], "await self._converse(sock)"
    if how == "silent":
        steps = [*steps, '__import__("time").sleep(1)', *steps]
    late = "".join(f"{step}\n{24 * ' '}" for step in steps)
    copy = mutate(tmp_path / "copy", "notary/remote.py", begin, late + begin)
    supervisor = copy / "proxy/app/supervisor.py"
    supervisor.write_text(supervisor.read_text().replace("_ANSWER: Final = 2.0", "_ANSWER = 0.2"))
    monkeypatch.setenv("PYTHONPATH", str(copy))
    gateway = start_gateway(policy(parties, receiver.endpoint, workers=2))
    clients = [gateway.connect() for _ in range(8)]
    assert {client.ask(request()).status for client in clients} == {200}
    for client in clients:
        client.sock.close()
