"""The journey of a transfer: the whole walk, stop by stop, in the order in which a byte takes it.

serve     every transfer of one connection, as long as its peer is acceptable (edge/live.py)
cross     one transfer: exactly one verdict, whatever happens
walk      the stops; each returns, or raises Refusal, and nothing passes a Refusal
admit     what the head alone decides: path, route, grant, signature; then the rate is paid
reserve   whether the id may be used
(bodies)  what it says of the content: size, format, digest, label and clearance
(relay)   the content itself: decoded, masked, searched, held until it is judged
forward   to the upstream, after the intent is on record
answer    back to the sender, whose last octets wait for the durable receipt
repeat    instead of these three: the answer of then, to what has been delivered already
conclude  the one verdict: receipt, log line, metrics
"""

from datetime import UTC, datetime

import trio

from proxy.edge import answers, receipts, relay, upload
from proxy.edge.bodies import answer_flow, request_flow, require_method
from proxy.edge.conclusion import record
from proxy.edge.gate import Keeper, Lane
from proxy.edge.inbound import Inbound
from proxy.edge.live import Link
from proxy.edge.masks import masked_request
from proxy.edge.mistaken import UnexpectedTls, turn_away
from proxy.edge.outbound import Outbound
from proxy.edge.repeat import read_again
from proxy.edge.signed import require_signature
from proxy.edge.stream import Disconnected, Stream
from proxy.edge.transfer import Transfer, begun
from proxy.errors import LogFailure, Refusal, TlsFailure
from proxy.model import Earlier, Peer, Receipt
from proxy.policy.paths import require_normal
from proxy.wire.headers import trace_id, transfer_id

LAST_RITES = 5.0
"""Seconds that a transfer which is cut off has to get its verdict into the log."""
LINGER = 2.0
"""Seconds that a sender has to read an answer that came before the end of its content."""


async def serve(keeper: Keeper, listener: str, stream: Stream, peer: Peer) -> None:
    """Every transfer of one connection, one after the other, until either side ends it."""
    client = Inbound(stream, keeper.gate.loaded.settings.listeners[listener].limits)
    keeper.clients.add(client)
    try:
        with keeper.live.sender(listener, peer, stream, client.drain) as link:
            await converse(keeper, client, link)
    except UnexpectedTls as mistake:
        keeper.refused_at_the_door(listener, peer, TlsFailure("unexpected_tls", str(mistake)))
        await turn_away(stream)
    except Disconnected:
        stream.abort()
    finally:
        keeper.clients.discard(client)


async def converse(keeper: Keeper, client: Inbound, link: Link) -> None:
    """Transfers until either side ends the connection. Raises Disconnected.

    One scope is for all of them, since to open one costs as much as to parse a head: a transfer
    that is ended from outside is the last.
    """
    with trio.CancelScope() as scope:
        while not keeper.draining and await client.wait():
            if link.peer.expired(datetime.now(UTC)):
                break  # a connection admits nobody for longer than a handshake would
            keeper.metrics.in_flight += 1
            try:
                await cross(keeper, client, link, begun(keeper, link.name, link.peer, scope))
            finally:
                keeper.metrics.in_flight -= 1
            if not client.next_cycle():
                await client.stream.linger(LINGER)
                return
        await client.stream.close()
        return
    await client.stream.linger(LINGER)


async def cross(keeper: Keeper, client: Inbound, link: Link, transfer: Transfer) -> None:
    """Take one transfer across, and see to it that it ends in exactly one verdict.

    Raises Disconnected when the connection is of no more use.
    """
    try:
        link.begin(transfer)
        await walk(keeper, client, transfer)
    except Refusal as refusal:
        await refuse(keeper, client, transfer, refusal)
    except Disconnected:
        raise
    except Exception as error:  # a defect of ours must cost neither the verdict nor the others
        keeper.log.defect(error, transfer_id=transfer.id)
        await refuse(keeper, client, transfer, Refusal("internal", type(error).__name__))
    finally:
        cut_short = transfer.concluded and transfer.refusal is not None
        if not transfer.concluded:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + LAST_RITES):
                await cut_off(keeper, client, transfer)
        transfer.release()
        link.attempt = None
        if cut_short:  # in the turn of its verdict: the end of its answer did not go out
            raise Disconnected("the connection is ended with its answer")


async def walk(keeper: Keeper, client: Inbound, transfer: Transfer) -> None:
    """The stops. Raises Refusal at the first that refuses, Disconnected when the sender is gone."""
    head = transfer.known_head = await client.head()
    transfer.gate = keeper.gate  # a reload while it came could not judge who had asked for nothing
    if head.path.startswith(receipts.RECEIPTS_PATH):
        await receipts.serve(keeper, client, transfer)
        return
    lane = admit(transfer)
    transfer.enter(keeper.rates, keeper.metrics, head.framing.length or 0)
    client.end_within(lane.route.limits.lifetime)
    sender = (transfer.listener, lane.route, transfer.rule, transfer.peer)
    keeper.presented.sender(transfer.gate.loaded.settings, *sender)
    require_method(transfer)
    require_signature(transfer, keeper.metrics)
    earlier = await reserve(keeper, transfer)
    request = transfer.request = request_flow(transfer)
    if earlier is not None:
        await repeat(keeper, client, transfer, earlier)
        return
    transfer.masked_head = masked_request(transfer)
    if head.expect_continue:
        await client.send_continue()
    held = await relay.hold(client, request, transfer.share)
    upstream = await lane.pool.acquire(transfer.peer.name)
    try:
        with keeper.live.receiver(lane.pool, upstream, transfer):
            await forward(keeper, client, transfer, upstream, held)
            await answer(keeper, client, transfer, upstream)
    finally:
        lane.pool.give_back(upstream, complete=transfer.sent_whole and transfer.answer_whole)


def admit(transfer: Transfer) -> Lane:
    """What the head alone decides: path, route, grant, and the id where one is demanded."""
    head, gate = transfer.known_head, transfer.gate
    transfer.be_called(transfer_id(head))
    require_normal(head.path)
    route = transfer.route_in(gate)
    lane = transfer.known_lane = gate.lanes[route.name]
    transfer.ask(lane, datetime.now(UTC))
    if route.replay.require != "off" and not head.fields[b"transfer-id"]:
        raise Refusal("transfer-id-required", f"route {route.name} demands one")
    return lane


async def reserve(keeper: Keeper, transfer: Transfer) -> Earlier | None:
    """Hold the id for this attempt, where the route lets one be delivered once only.

    The attempt that has delivered it already, if there is one. Raises Refusal: in-flight,
    undecided, signature-replayed, overloaded.
    """
    if transfer.known_lane.route.replay.require == "off":
        return None
    transfer.claim = transfer.wish()  # from here on it may be ours, also if we are cut off
    try:
        transfer.earlier = await keeper.notary.reserve(transfer.claim, transfer.attempt_id)
    except Refusal as refusal:
        transfer.claim = None
        if refusal.code == "signature-replayed":
            keeper.metrics.signature(transfer.known_lane.route.name, "replayed")
        raise
    return transfer.earlier


async def repeat(keeper: Keeper, client: Inbound, transfer: Transfer, earlier: Earlier) -> None:
    """What has been delivered comes again, and does not cross: the answer is that of then.

    Raises Refusal: id-reused when it is something else, replayed when it cannot be compared.
    """
    await read_again(client, transfer)
    if not await keeper.notary.matches(transfer.wish(), transfer.asked()):
        raise Refusal("id-reused", "the Transfer-Id has been delivered, with another request")
    known = Refusal("duplicate", "the transfer has been delivered already")
    await conclude(keeper, transfer, earlier.status, known)
    await client.send_whole(earlier.status, answers.repeated(transfer, earlier), b"")


async def forward(
    keeper: Keeper, client: Inbound, transfer: Transfer, upstream: Outbound, held: relay.Held
) -> None:
    """Record the intent, then send the request: whole when it was judged whole, else as it comes.

    Raises UpstreamFailure, Refusal signature-expired, or what the stops refuse in mid-stream.
    """
    transfer.receiver = upstream.certificate
    route, settings = transfer.known_lane.route, transfer.gate.loaded.settings
    keeper.presented.receiver(settings, route, upstream.certificate)
    request = answers.upstream_request(transfer, upstream, held)
    transfer.require_in_force()
    await keeper.notary.intend(transfer.intent())
    transfer.known_answer_head = await upload.forward(transfer, client, upstream, request, held)
    transfer.take_evidence()
    if not transfer.sent_whole:
        client.require_close()


async def answer(keeper: Keeper, client: Inbound, transfer: Transfer, upstream: Outbound) -> None:
    """Check the answer and send it on; its last octets wait until the receipt is durable.

    Raises UpstreamFailure `answer-refused` and others, Disconnected when the sender is gone.
    """
    await relay.look(transfer, upstream)
    flow = transfer.answer = answer_flow(transfer)
    held = await relay.gather(upstream, flow)
    reply = answers.reply(transfer, held)
    streamed = not held.whole or reply.place == "trailer"
    if streamed:
        await client.send_head(reply.status, reply.fields, reply.framing)
    if not held.whole:
        held = await relay.stream(transfer, client, upstream, held)
    transfer.answer_whole = True
    if held.trailers:
        transfer.take_evidence(held.trailers)
    trailers = answers.trailers(transfer, reply, held)
    receipt = await conclude(keeper, transfer, reply.status, None)
    proof = answers.receipt_fields(transfer, receipt, reply.place, transfer.behind)
    if streamed:
        await client.send_end(held.data, (*trailers, *proof))
    else:
        fields = [*reply.fields, *proof]
        await client.send_whole(reply.status, fields, held.data, reply.framing, tuple(trailers))


async def refuse(keeper: Keeper, client: Inbound, transfer: Transfer, refusal: Refusal) -> None:
    """Conclude with the refusal and tell the sender, who learns its code and no more.

    An answer that has begun is broken off instead, so that it cannot be taken for complete.
    """
    status = None if client.answering else refusal.status
    if refusal.code == "overloaded":
        keeper.notary.shed({f"{transfer.listener}:overloaded": 1})
    receipt = None
    if not transfer.concluded:
        try:
            receipt = await conclude(keeper, transfer, status, refusal)
        except LogFailure as failure:
            refusal = failure
    if client.answering:
        raise Disconnected("an answer was broken off")
    client.pass_over()
    fields, body = answers.problem(transfer, refusal)
    if receipt is not None:
        fields += answers.receipt_fields(transfer, receipt, "header")
    await client.send_whole(refusal.status, fields, body)


async def cut_off(keeper: Keeper, client: Inbound, transfer: Transfer) -> None:
    """It was ended from outside, and its sender is told why. Or that left, or the drain's deadline
    came: nobody is told; the verdict stands all the same, and an upstream that had answered is not
    made undecided by a sender that did not wait."""
    if transfer.refusal is not None:
        client.require_close()
        await refuse(keeper, client, transfer, transfer.refusal)
        return
    answered = transfer.sent_whole and transfer.answer_head is not None
    refusal = None if answered else Refusal("cut-off", "the connection ended before the transfer")
    try:
        await conclude(keeper, transfer, None, refusal)
    except LogFailure:
        pass  # logged by then; the open intent is closed when the log can be written again


async def conclude(
    keeper: Keeper, transfer: Transfer, status: int | None, refusal: Refusal | None
) -> Receipt:
    """Give the one verdict: returns when its receipt is durable. Raises LogFailure, also when that
    takes too long; the verdict stands then, and is in the log when that goes on."""
    transfer.concluded, head = True, transfer.head
    outcome, trace = transfer.outcome(status, refusal), trace_id(head) if head else None
    return await record(keeper, outcome, refusal, started=transfer.started, trace_id=trace)
