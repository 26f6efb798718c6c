"""Our own resource on every listener: the receipts, each for the sender that it is about."""

import base64

import orjson

from proxy.edge.gate import Keeper
from proxy.edge.inbound import Inbound
from proxy.edge.transfer import Transfer
from proxy.errors import Refusal

RECEIPTS_PATH = "/.well-known/lockgate/receipts/"


async def serve(keeper: Keeper, client: Inbound, transfer: Transfer) -> None:
    """Answer a GET for one receipt, by log index or by transfer id, if it is about a transfer of
    this very sender.

    Raises Refusal `no-route`, the same for what is not there and for what is another's.
    """
    head = transfer.known_head
    envelope = None
    if head.method in ("GET", "HEAD") and head.framing.empty:
        envelope = await _find(keeper, transfer, head.path.removeprefix(RECEIPTS_PATH))
    found = envelope is not None and _is_about(envelope, transfer)
    peer = transfer.peer
    keeper.log.info(
        "receipt_asked",
        listener=transfer.listener,
        peer=peer.name,
        address=peer.address,
        found=found,
    )
    if envelope is None or not found:
        raise Refusal("no-route", "no receipt of this sender is there")
    transfer.concluded = True  # nothing crosses: this is our own resource
    await client.send_whole(
        200,
        [(b"content-type", b"application/vnd.in-toto+json"), (b"cache-control", b"private")],
        envelope,
    )


async def _find(keeper: Keeper, transfer: Transfer, name: str) -> bytes | None:
    if name.isascii() and name.isdigit() and len(name) <= 18:
        return await keeper.notary.entry(int(name))
    for route in transfer.gate.lanes:
        envelope = await keeper.notary.latest(transfer.peer.name, route, name)
        if envelope is not None:
            return envelope
    return None


def _is_about(envelope: bytes, transfer: Transfer) -> bool:
    statement = orjson.loads(base64.b64decode(orjson.loads(envelope)["payload"]))
    sender, peer = statement["predicate"].get("sender") or {}, transfer.peer
    if peer.certificate is not None:
        same: bool = sender.get("spkiSha256") == peer.certificate.spki_sha256.hex()
        return same
    return peer.uid is not None and sender == {"name": peer.name}  # an address alone is nobody
