"""How what a transfer costs grows: with workers, sizes, routes and connections. Ours alone."""

from collections.abc import Iterable
from typing import Final

from loadtest.contest import alone
from loadtest.field import Field
from loadtest.figures import Standing
from loadtest.gateway import Setup
from loadtest.rows import Sizes
from loadtest.work import CONNECTIONS

KIB: Final = 1 << 10
_LENGTHS: Final = tuple(KIB << each for each in (0, 6, 10, 14, 18, 20))
"""1 KiB, 64 KiB, 1 MiB, 16 MiB, 256 MiB, 1 GiB"""
_MOST: Final = 100

Points = dict[int, Standing]


def workers(field: Field, sizes: Sizes) -> Points:
    """Small masked orders, over as many connections for each worker, and each on a core; where
    there are two cores, the second is shared with the load."""
    work = ("small", "/orders/1", sizes.growth)
    return {
        count: alone(
            field,
            Setup(workers=count),
            work,
            sizes.points,
            count,
            connections=CONNECTIONS * count,
        )
        for count in (1, 2)
    }


def lengths(field: Field, sizes: Sizes) -> Points:
    """Opaque uploads of a length, on one connection."""
    room = sizes.mebibytes << 20
    return {
        size: alone(
            field,
            Setup(),
            ("up", "/files/1", size),
            sizes.points,
            times=max(1, min(_MOST, sizes.growth, room // 4 // size)),
        )
        for size in _LENGTHS
        if size <= room
    }


def routes(field: Field, sizes: Sizes) -> Points:
    """Small masked orders; the route that takes them is behind so many less one."""
    work = ("small", "/orders/1", sizes.growth)
    return {
        count: alone(field, Setup(routes=count), work, sizes.points) for count in _decades(1000)
    }


def connections(field: Field, sizes: Sizes) -> Points:
    """Small masked orders on so many connections at once."""
    return {
        count: alone(
            field,
            Setup(),
            ("small", "/orders/1", max(count, sizes.growth)),
            sizes.points,
            connections=count,
        )
        for count in _decades(min(1000, sizes.growth))
    }


def _decades(most: int) -> Iterable[int]:
    count = 1
    while count <= most:
        yield count
        count *= 10


GROWTH: Final = {
    "workers": workers,
    "sizes": lengths,
    "routes": routes,
    "connections": connections,
}
