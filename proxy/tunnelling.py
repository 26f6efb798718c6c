"""The journey of a tunnel: a connection whose octets cross unseen, whatever protocol they are.

carry      one connection of a tcp listener: one tunnel, one attempt of one transfer
cross      exactly one verdict, whatever happens
walk       the stops; each returns, or raises Refusal, and nothing passes a Refusal
admit      what the handshake alone decides: route (by server name), grant, label and clearance
forward    upstream, intent, the header of who it is where asked, then the octets of both ways
finish     resets both sides, or lets the sender have the end when the receipt is durable
conclude   the one verdict: receipt, log line, metrics

Nobody can be told anything in a tunnel: what is refused is reset, and its receipt is in the log.
"""

import socket
from contextlib import suppress
from datetime import UTC, datetime

import trio

from proxy.edge.conclusion import record
from proxy.edge.dial import Reached
from proxy.edge.gate import Gate, Keeper, Lane
from proxy.edge.live import Link
from proxy.edge.stream import Disconnected, Stream
from proxy.edge.tunnel import Tunnel, Way, move
from proxy.errors import LogFailure, Refusal, UpstreamFailure
from proxy.model import Certificate, Peer
from proxy.settings.schema import ContentPolicy
from proxy.wire.proxyheader import Address, Sender, header

LAST_RITES = 5.0
"""Seconds that a tunnel which is cut off has to get its verdict into the log."""
_PROBE_AFTER, _PROBE_EVERY, _PROBES = 60, 15, 4
"""A peer that has vanished, cable and all, is found out in two minutes of silence."""


async def carry(keeper: Keeper, listener: str, near: Stream, peer: Peer) -> None:
    """One connection, which is one tunnel, until both sides have ended it or something has."""
    if keeper.draining:
        near.abort()
        return
    tunnel = Tunnel(listener, peer, keeper.gate, keeper.notary.attempt_id(), near=near)
    keeper.tunnels.add(tunnel)
    keeper.metrics.in_flight += 1
    try:
        with keeper.live.sender(listener, peer, near) as link:
            await cross(keeper, tunnel, link)
    finally:
        keeper.metrics.in_flight -= 1
        keeper.tunnels.discard(tunnel)


async def cross(keeper: Keeper, tunnel: Tunnel, link: Link) -> None:
    """Take one tunnel across, and see to it that it ends in exactly one verdict."""
    try:
        with tunnel.scope:
            await walk(keeper, tunnel, link)
        await finish(keeper, tunnel)
    finally:
        if not tunnel.concluded:
            tunnel.refuse(Refusal("cut-off", "the drain's deadline came before its end"))
            with trio.CancelScope(shield=True, deadline=trio.current_time() + LAST_RITES):
                await finish(keeper, tunnel)
        tunnel.abort()
        if tunnel.far is not None:
            tunnel.known_lane.pool.leave(tunnel.peer.name)


async def walk(keeper: Keeper, tunnel: Tunnel, link: Link) -> None:
    """The stops. Whatever refuses is noted in the tunnel, and ends it."""
    try:
        link.begin(tunnel)
        lane, settings = admit(tunnel), tunnel.gate.loaded.settings
        tunnel.enter(keeper.rates, keeper.metrics)
        keeper.presented.sender(settings, tunnel.listener, lane.route, tunnel.rule, tunnel.peer)
        reached = await lane.pool.reach(tunnel.peer.name)
        tunnel.far, tunnel.receiver = reached.stream, reached.certificate
        keeper.presented.receiver(settings, lane.route, reached.certificate)
        with (
            keeper.live.receiver(lane.pool, reached, tunnel),
            keeper.metrics.tunnels.labels(lane.route.name).track_inprogress(),
        ):
            await forward(keeper, tunnel, reached)
    except Refusal as refusal:
        tunnel.refuse(refusal)
    except Exception as error:  # a defect of ours must cost neither the verdict nor the others
        keeper.log.defect(error, transfer_id=tunnel.id)
        tunnel.refuse(Refusal("internal", type(error).__name__))


def admit(tunnel: Tunnel) -> Lane:
    """What the handshake alone decides. Raises Refusal: no-route, not-allowed, above-clearance.

    Nothing can be found in a tunnel, so each way goes under the label that its route gives it, the
    highest where it gives none. A way that lets nothing cross needs no clearance.
    """
    gate = tunnel.gate
    route = tunnel.route_in(gate)
    lane = tunnel.known_lane = gate.lanes[route.name]
    tunnel.ask(lane, datetime.now(UTC))
    tunnel.request = _cleared(gate, route.request, lane.receiver_zone)
    tunnel.answer = _cleared(gate, route.response, lane.sender_zone)
    return lane


def _cleared(gate: Gate, policy: ContentPolicy, zone: str) -> Way:
    if "opaque" not in policy.content:
        return Way()
    return Way(gate.scale.require_cleared(policy.label, (), None, zone), open=True)


async def forward(keeper: Keeper, tunnel: Tunnel, reached: Reached) -> None:
    """Record the intent, say who it is where that is asked, and move octets until both ways end.

    Raises LogFailure, UpstreamFailure.
    """
    far = reached.stream
    for side in (tunnel.near, far):
        _probe(side.socket)
    await keeper.notary.intend(tunnel.intent())
    if tunnel.known_lane.pool.proxy_protocol:
        try:
            await far.send([header(_sender(tunnel))])
        except Disconnected as error:
            raise UpstreamFailure("upstream-closed", str(error)) from None
    await move(tunnel, far)


def _sender(tunnel: Tunnel) -> Sender:
    peer, sock = tunnel.peer, tunnel.near.socket
    try:
        source, destination = _address(sock.getpeername()), _address(sock.getsockname())
    except OSError:
        raise Refusal("request-incomplete", "the sender is gone") from None
    return Sender(source, destination, tunnel.id, peer.channel, _common_name(peer.certificate))


def _common_name(certificate: Certificate | None) -> str | None:
    """The one CN; None where there are several, or one that is no printable text: nobody shall be
    taken for another by half a name."""
    names = certificate.common_names if certificate is not None else ()
    return names[0] if len(names) == 1 and names[0].isprintable() else None


def _address(found: object) -> Address:
    if isinstance(found, tuple):
        return str(found[0]), int(found[1])
    return found if isinstance(found, str) else ""


def _probe(sock: trio.socket.SocketType) -> None:
    """Have the kernel find out whether a silent peer is still there."""
    if sock.family == socket.AF_UNIX:
        return
    with suppress(OSError):  # whoever is gone already is found out by the first read
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _PROBE_AFTER)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_EVERY)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)


async def finish(keeper: Keeper, tunnel: Tunnel) -> None:
    """Reset what was broken, give the verdict, and let a sender that has ended its way have the
    end of the other when that is durable: a tunnel that ends cleanly has its receipt."""
    tunnel.concluded = True
    if not tunnel.whole:
        tunnel.abort()
    if tunnel.refusal is not None and tunnel.refusal.code == "overloaded":
        keeper.notary.shed({f"{tunnel.listener}:overloaded": 1})
    try:
        await conclude(keeper, tunnel)
    except LogFailure:
        tunnel.abort()  # logged by then; an open intent is closed when the log can be written again
        return
    if tunnel.whole and tunnel.far is not None:
        await tunnel.far.close()
        await _end(tunnel)


async def _end(tunnel: Tunnel) -> None:
    """What the sender has yet to read stands before the end, so it may take the tunnel's time."""
    idle = trio.current_time() + tunnel.known_lane.route.limits.idle_timeout
    with trio.move_on_at(min(idle, tunnel.dies_at)):
        try:
            await tunnel.near.end()
        except Disconnected:
            tunnel.near.abort()
            return
    await tunnel.near.close()


async def conclude(keeper: Keeper, tunnel: Tunnel) -> None:
    """Give the one verdict: returns when its receipt is durable. Raises LogFailure."""
    outcome = tunnel.outcome()
    await record(keeper, outcome, tunnel.refusal, started=tunnel.started)
