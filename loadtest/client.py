"""The sender of a load test, in a process of its own: checks every answer, raises at a wrong one.

    python -m loadtest.client PKI PORT small|bulk|records COUNT yes|no

`small`: COUNT requests with a JSON order each, over several kept connections at once.
`bulk`: one request with COUNT octets. `records`: one with about
COUNT octets of NDJSON orders. `yes`: every answer must have a receipt.
"""

import socket
import ssl
import sys
import threading
import uuid
from pathlib import Path

from loadtest import orders
from loadtest.http import Connection

CONNECTIONS = 8
ORDER = (
    b'{"id": 18446744073709551616, "customer": {"name": "Ada Mustermann", "ssn": "078-05-1120"}, '
    b'"items": [{"sku": "B-1003", "count": 2, "price": 1.10}, {"sku": "B-2207", "count": 1}], '
    b'"payment": {"reference": "4711-0815-42", "due": "2027-01-31"}, "note": "leave at the gate"}'
)
PIECE = bytes(128 * 1024)


class Sender:
    """One kept connection."""

    def __init__(self, pki: Path, port: int, receipts: bool) -> None:
        context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
        context.load_cert_chain(pki / "client.pem", pki / "client.key")
        sock = socket.create_connection(("127.0.0.1", port), timeout=120)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = context.wrap_socket(sock, server_hostname="localhost")
        self._connection = Connection(self._sock)
        self._receipts = receipts

    def send(self, path: str, kind: str, pieces: list[bytes]) -> int:
        """One transfer; how many octets the upstream says it got. Raises at any wrong answer."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
            f"Transfer-Id: {uuid.uuid4()}\r\nContent-Length: {sum(map(len, pieces))}\r\n\r\n"
        ).encode()
        if len(pieces) == 1:
            self._sock.sendall(head + pieces[0])
        else:
            self._sock.sendall(head)
            for piece in pieces:
                self._sock.sendall(piece)
        if not self._connection.head():
            raise ConnectionError("ended without an answer")
        body = self._connection.content()
        if self._connection.first.split()[1] != "201":
            raise ValueError(f"answered {self._connection.first}: {body.decode()}")
        if self._receipts and not self._connection.fields.get("transfer-receipt"):
            raise ValueError("an answer without a receipt")
        return int(body.removeprefix(b'{"octets": ').removesuffix(b"}"))


def small(pki: Path, port: int, count: int, receipts: bool) -> None:
    """`count` orders, shared out over the connections."""
    failures: list[Exception] = []

    def work(share: int) -> None:
        try:
            sender = Sender(pki, port, receipts)
            for _ in range(share):
                if not sender.send("/orders/1", "application/json", [ORDER]):
                    raise ValueError("the upstream got nothing")
        except Exception as failure:
            failures.append(failure)

    shares = [count // CONNECTIONS + (each < count % CONNECTIONS) for each in range(CONNECTIONS)]
    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def bulk(pki: Path, port: int, count: int, receipts: bool) -> None:
    """One upload of `count` octets."""
    whole, rest = divmod(count, len(PIECE))
    pieces = [PIECE] * whole + ([PIECE[:rest]] if rest else [])
    got = Sender(pki, port, receipts).send("/files/1", "application/octet-stream", pieces)
    if got != count:
        raise ValueError(f"the upstream got {got} octets of {count}")


def records(pki: Path, port: int, count: int, receipts: bool) -> None:
    """One upload of orders, masked on its way."""
    pieces = max(1, round(count / len(orders.PIECE)))
    sender = Sender(pki, port, receipts)
    got = sender.send("/records/1", "application/x-ndjson", [orders.PIECE] * pieces)
    if got != orders.DELIVERED * pieces:
        raise ValueError(f"the upstream got {got} octets, not as many as masked orders have")


def main() -> None:
    """Do what the arguments say."""
    pki, port, load, count, receipts = sys.argv[1:]
    loads = {"small": small, "bulk": bulk, "records": records}
    loads[load](Path(pki), int(port), int(count), receipts == "yes")


if __name__ == "__main__":
    main()
