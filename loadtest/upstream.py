"""The upstream of a load test: mutual TLS, reads everything, keeps nothing, counts.

python -m loadtest.upstream PKI      prints its port; ends with its standard input
"""

import socket
import ssl
import sys
import threading
from pathlib import Path

from loadtest.http import Connection


def main() -> None:
    """Serve until standard input ends."""
    pki = Path(sys.argv[1])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pki / "receiver.pem", pki / "receiver.key")
    door = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(door.getsockname()[1], flush=True)
    threading.Thread(target=_accept, args=(door, context), daemon=True).start()
    sys.stdin.read()


def _accept(door: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        sock, _ = door.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(sock, context), daemon=True).start()


def _serve(sock: socket.socket, context: ssl.SSLContext) -> None:
    try:
        with context.wrap_socket(sock, server_side=True) as secure:
            connection = Connection(secure)
            while connection.head():
                body = b'{"octets": %d}' % connection.discard()
                secure.sendall(
                    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
                )
    except OSError:
        pass  # the proxy has ended the connection


if __name__ == "__main__":
    main()
