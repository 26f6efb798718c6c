"""`lockgate receive`: a small receiver, to try a gateway against and to end a pipeline with.

    POST or PUT, any path    stores the content; 201 {"stored": NAME, "bytes": N, "sha256": HEX}
    GET …/NAME               hands it out again

It speaks TLS with client certificates only, or plain HTTP on loopback, keeps no body in memory, and
answers 201 when the content is whole, has the digest that was declared, and is on the disk.
"""

import argparse
import signal
import sys
import uuid
from functools import partial
from pathlib import Path

import orjson
import trio

from proxy.cli import receive_store as store
from proxy.cli.wording import texts
from proxy.edge.binding import bind
from proxy.edge.inbound import Inbound
from proxy.edge.listener import Listener
from proxy.edge.stream import Disconnected, Stream
from proxy.errors import ConfigError, CredentialError, Refusal
from proxy.model import Framing, Head, Peer
from proxy.observe.log import Log
from proxy.observe.metrics import Metrics
from proxy.settings.address import parse_bind
from proxy.settings.schema import ListenerLimits, ListenerTls
from proxy.tls.context import TlsContext, server_context
from proxy.tls.credentials import load_credentials
from proxy.wire.digests import ContentDigest, parse_content_digest
from proxy.wire.events import Data
from proxy.wire.headers import problem, transfer_id

_STALL = 60.0
"""Seconds without an octet after which a body is given up."""
_DRAIN = 5.0
"""Seconds that transfers under way have after SIGTERM or SIGINT."""
_LINGER = 2.0
_PIECE = 64 * 1024
_NOT_HERE = b"lockgate receive: no such file; POST and PUT store, GET and HEAD read\n"


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "receive",
        help="store what arrives in a folder",
        **texts(
            "Store the content of every request as DIR/<transfer id>.<suffix>, where Content-Type "
            "says json, ndjson, csv, tsv or txt, and bin where it says anything else. Without "
            "--cert, --key and --trust it speaks plain HTTP, on loopback only. SIGTERM and SIGINT "
            "end it.",
            "lockgate receive inbox --bind 127.0.0.1:9443 \\\n"
            "    --cert certs/receiver.pem --key certs/receiver.key --trust certs/ca.pem",
            "lockgate receive inbox --bind 127.0.0.1:9080",
        ),
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="made when it is not there")
    parser.add_argument("--bind", type=_address, default="127.0.0.1:9443", metavar="HOST:PORT")
    parser.add_argument("--cert", type=Path, metavar="PEM", help="chain, leaf first")
    parser.add_argument("--key", type=Path, metavar="PEM")
    parser.add_argument("--trust", type=Path, metavar="PEM", help="who may connect")
    parser.add_argument("--quiet", action="store_true", help="no line for a transfer")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Receive until a signal. 0 when ended by one, 1 when it cannot start, 2 wrong usage."""
    given = [arguments.cert, arguments.key, arguments.trust]
    if any(given) != all(given):
        sys.stderr.write("--cert, --key and --trust belong together\n")
        return 2
    if not any(given) and not parse_bind(arguments.bind).is_local:
        sys.stderr.write("plain HTTP is for loopback only: give --cert, --key and --trust\n")
        return 2
    try:
        context = _context(*given) if all(given) else None
        arguments.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except CredentialError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return 1
    log = Log("auto", sys.stdout)
    receiver = Receiver(arguments.directory, log, quiet=arguments.quiet)
    try:
        trio.run(receiver.run, arguments.bind, context)
    except ConfigError as error:
        sys.stderr.write(f"{arguments.bind}: {error.problems[0].message}\n")
        return 1
    finally:
        log.close()
    return 0


def _context(certificate: Path, key: Path, trust: Path) -> TlsContext:
    """Raises CredentialError and OSError."""
    credentials = load_credentials(certificate.read_bytes(), key.read_bytes())
    return server_context(credentials, trust.read_bytes(), None, ListenerTls())


def _address(text: str) -> str:
    try:
        parse_bind(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


class Receiver:
    """Stores what connections bring, until a signal."""

    def __init__(self, folder: Path, log: Log, *, quiet: bool = False) -> None:
        self.folder = folder
        self._log = log
        self._quiet = quiet
        self._limits = ListenerLimits()
        self._clients: set[Inbound] = set()
        self._draining = False

    async def run(self, address: str, context: TlsContext | None) -> None:
        """Listen on `address` (port 0 picks one; the `ready` line tells it)."""
        listener = Listener(
            "receive",
            bind(address, Path()),
            self._limits,
            lambda: context,
            metrics=Metrics(),
            log=self._log,
        )
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as connections:
                async with trio.open_nursery() as accepting:
                    accepting.start_soon(listener.run, connections, self.serve)
                    self._log.info("ready", bind=listener.address, folder=str(self.folder))
                    await anext(signals)
                    accepting.cancel_scope.cancel()
                self._draining = True
                for client in list(self._clients):
                    client.drain()
                connections.cancel_scope.deadline = trio.current_time() + _DRAIN

    async def serve(self, stream: Stream, peer: Peer) -> None:
        """Every request of one connection."""
        client = Inbound(stream, self._limits)
        self._clients.add(client)
        try:
            while not self._draining and await client.wait():
                await self._exchange(client, peer)
                if not client.next_cycle():
                    await stream.linger(_LINGER)
                    return
            await stream.close()
        except Disconnected:
            stream.abort()
        finally:
            self._clients.discard(client)

    async def _exchange(self, client: Inbound, peer: Peer) -> None:
        identity = str(uuid.uuid4())
        try:
            head = await client.head()
            identity = transfer_id(head) or identity
            if head.method in ("POST", "PUT"):
                await self._take(client, peer, head, identity)
            else:
                await self._give(client, head)
        except (Refusal, OSError) as error:
            if client.answering:
                raise Disconnected("an answer was broken off") from None
            refusal = error if isinstance(error, Refusal) else _unwritable(error)
            self._log.warning(
                "refused",
                transfer_id=identity,
                peer=peer.name,
                problem=refusal.code,
                reason=refusal.reason,
            )
            await client.send_whole(refusal.status, *problem(refusal, identity))

    async def _take(self, client: Inbound, peer: Peer, head: Head, identity: str) -> None:
        """Store one body. Raises Refusal or OSError; then no file is left."""
        declared = parse_content_digest(head.fields[b"content-digest"])
        of_whole = parse_content_digest(head.fields[b"repr-digest"])
        part = bool(head.fields[b"content-range"])
        digest = ContentDigest(declared, None if part else of_whole, trailers=head.framing.chunked)
        name = f"{identity}.{store.suffix(b''.join(head.fields[b'content-type'][:1]))}"
        with store.incoming(self.folder) as file:
            if head.expect_continue:
                await client.send_continue()
            while isinstance(event := await client.body(_STALL), Data):
                digest.update(event.data)
                file.write(event.data)
            digest.add_trailers(event.trailers)
            digest.require()
            stored = await trio.to_thread.run_sync(partial(file.keep, name))
        told = {"stored": stored.name, "bytes": stored.octets, "sha256": stored.sha256}
        if not self._quiet:
            self._log.info(
                "stored", **told, digest="verified" if digest.declares else None, peer=peer.name
            )
        await client.send_whole(
            201, [(b"content-type", b"application/json")], orjson.dumps(told) + b"\n"
        )

    async def _give(self, client: Inbound, head: Head) -> None:
        """Hand out one file; a 404 of our own for whatever is not there."""
        while isinstance(await client.body(_STALL), Data):
            pass
        found = store.find(self.folder, head.path) if head.method in ("GET", "HEAD") else None
        if found is None:
            await client.send_whole(404, [(b"content-type", b"text/plain")], _NOT_HERE)
            return
        with found.open("rb") as file:
            kind = store.TYPES.get(found.suffix[1:], b"application/octet-stream")
            length = found.stat().st_size
            await client.send_head(200, [(b"content-type", kind)], Framing(length=length))
            while head.method == "GET" and (piece := file.read(_PIECE)):
                await client.send_data(piece)
            await client.send_end(b"", ())


def _unwritable(error: OSError) -> Refusal:
    return Refusal("internal", f"the disk: {error.strerror}")
