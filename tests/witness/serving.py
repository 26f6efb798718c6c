"""A witness at work on a socket, and a peer of a log that says whatever it is told to say."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import trio

from proxy.app.witness import WitnessServer
from proxy.notary.watched import Watched
from proxy.observe.log import Log


@asynccontextmanager
async def serving(watched: Watched) -> AsyncIterator[str]:
    """The URL of a real witness."""
    log = Log("json", StringIO())
    server = WitnessServer(watched, "127.0.0.1:0", log)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield f"http://{server.address}"
        nursery.cancel_scope.cancel()
    log.close()


Said = tuple[int, str, bytes]


@contextmanager
def saying(answer: Callable[[bytes], Said]) -> Iterator[str]:
    """The URL of a peer that answers each body that is posted with what `answer` makes of it."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, kind, content = answer(body)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
