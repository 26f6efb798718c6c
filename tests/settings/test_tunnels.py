"""What may stand on a tcp listener and its routes, and what on no other."""

from pathlib import Path

import pytest

from tests.settings.example import Change, Data, changed, loaded, mistakes, put, warned


def tunnel(data: Data) -> None:
    """A tunnel instead of the example's route."""
    data["listeners"]["in"]["protocol"] = "tcp"
    data["upstreams"]["out"]["endpoints"] = ["tls://receiver.example:9443"]
    data["keys"] = {}
    data["routes"] = [
        {
            "name": "orders",
            "listener": "in",
            "allow": [{"spiffe": "spiffe://acme/etl/*"}],
            "upstream": "out",
            "request": {"content": ["opaque"], "label": "internal"},
            "response": {"content": ["opaque"], "label": "internal"},
        }
    ]


LOCAL: tuple[Change, ...] = (
    put("listeners.in.tls.mode", "none"),
    put("routes.0.allow", [{"networks": "127.0.0.1/32"}]),
)


@pytest.mark.parametrize(
    "changes",
    [
        (),
        (put("routes.0.match.sni", ["db.example", "*.db.example"]),),
        (put("routes.0.match", {}),),
        (put("routes.0.limits", {"idle_timeout": "5m", "lifetime": "1h"}),),
        (put("routes.0.receipt", "log"),),
        (put("routes.0.response", {}),),
        (put("upstreams.out.limits", {"connections": 4, "connect_timeout": "1s"}),),
        (put("listeners.in.limits", {"connections": 4, "handshake_timeout": "1s"}),),
        LOCAL,
        (*LOCAL, put("upstreams.out.endpoints", ["tcp://127.0.0.1:5432", "unix:run/db"])),
        (put("upstreams.out", {"zone": "near", "endpoints": ["unix:db"], "proxy_protocol": "v2"}),),
    ],
)
def test_a_tunnel_that_can_be_meant_loads_without_a_warning(
    tmp_path: Path, changes: tuple[Change, ...]
) -> None:
    assert warned(loaded(tmp_path, tunnel, *changes)) == ()


def test_every_key_of_http_is_told_at_once_each_at_its_own_line(tmp_path: Path) -> None:
    route: Data = {
        "match": {"path": "/x", "methods": ["GET"]},
        "content_on_get": "pass",
        "replay": {"require": "off"},
        "integrity": {"require": "off"},
        "receipt": "header",
    }
    limits = {"body": 1, "document": 1, "record": 1, "hold": 1, "depth": 1, "stall_timeout": "1s"}
    policy = {
        "content": ["json"],
        "mask": [],
        "detect": [],
        "label_from": "x",
        "on_error": "reject",
    }
    found = mistakes(
        tmp_path,
        changed(
            tunnel,
            lambda data: data["routes"][0].update(route, limits=limits, request=policy),
            put("listeners.in.limits", {"head": 1, "receipts": 1, "idle_timeout": "1s"}),
            put("upstreams.out.limits", {"head": 1, "answer_timeout": "1s"}),
        ),
    )
    told = dict(found)
    expected = {
        *(f"routes[0].match.{key}" for key in ("path", "methods")),
        *(f"routes[0].{key}" for key in ("content_on_get", "replay", "integrity", "receipt")),
        *(f"routes[0].limits.{key}" for key in limits),
        *(f"routes[0].request.{key}" for key in ("mask", "detect", "label_from", "on_error")),
        "routes[0].request.content[0]",
        *(f"listeners.in.limits.{key}" for key in ("head", "receipts", "idle_timeout")),
        *(f"upstreams.out.limits.{key}" for key in ("head", "answer_timeout")),
    }
    assert set(told) == expected
    assert "give `sni`" in told["routes[0].match.path"]
    assert "in the log alone" in told["routes[0].receipt"]
    assert "not looked into" in told["routes[0].request.mask"]


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ((put("routes.0.match.sni", "*"),), "routes[0].match.sni", "a DNS name"),
        ((put("routes.0.match.sni", ["a.*.example"]),), "routes[0].match.sni[0]", "a DNS name"),
        ((*LOCAL, put("routes.0.match.sni", "db.example")), "routes[0].match.sni", "without TLS"),
        ((put("upstreams.out.endpoints", ["https://receiver.example"]),), "routes[0].upstream",
         "is none of tls://, tcp://, unix:"),
        ((put("upstreams.out.proxy_protocol", "v2"),), "upstreams.out.proxy_protocol",
         "for tcp:// and unix: only"),
        ((put("listeners.in.tls.mode", "none"), put("listeners.in.bind", "0.0.0.0:1")),
         "listeners.in.tls.mode", "loopback and unix sockets only"),
    ],
)  # fmt: skip
def test_a_tunnel_that_cannot_be_meant_is_refused(
    tmp_path: Path, changes: tuple[Change, ...], path: str, words: str
) -> None:
    ((where, message),) = mistakes(tmp_path, changed(tunnel, *changes))
    assert where == path
    assert words in message


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        (put("routes.0.match", {"methods": ["GET"]}), "routes[0].match", "the key path is missing"),
        (lambda data: data["routes"][0].pop("match"), "routes[0]", "the key match is missing"),
        (put("routes.0.match.sni", "a.example"), "routes[0].match.sni", "only a tcp listener"),
        (put("routes.0.limits", {"idle_timeout": "1h"}), "routes[0].limits.idle_timeout",
         "of tunnels"),
        (put("upstreams.out.endpoints", ["tls://receiver.example:1"]), "routes[0].upstream",
         "listener in speaks http"),
        (put("upstreams.out", {"zone": "near", "endpoints": ["unix:x"], "proxy_protocol": "v2"}),
         "upstreams.out.proxy_protocol", "Forwarded"),
    ],
)  # fmt: skip
def test_what_is_of_tunnels_is_refused_where_the_listener_speaks_http(
    tmp_path: Path, change: Change, path: str, words: str
) -> None:
    ((where, message),) = mistakes(tmp_path, changed(change))
    assert where == path
    assert words in message


@pytest.mark.parametrize(
    ("first", "second", "dead"),
    [
        (None, ["a.example"], True),
        (["a.example", "b.example"], ["A.example"], True),
        (["a.example"], None, False),
        (["a.example"], ["a.example", "b.example"], False),
    ],
)
def test_a_tunnel_behind_one_that_takes_all_its_names_is_refused(
    tmp_path: Path, first: list[str] | None, second: list[str] | None, dead: bool
) -> None:
    def two(data: Data) -> None:
        (route,) = data["routes"]
        data["routes"] = [
            route | {"name": name} | ({"match": {"sni": names}} if names else {})
            for name, names in (("a", first), ("b", second))
        ]

    expected = [("routes[1].match", "never matches: route a stands before it and takes it all")]
    assert mistakes(tmp_path, changed(tunnel, two)) == (expected if dead else [])


def test_a_tunnel_in_which_nothing_may_cross_is_warned_of(tmp_path: Path) -> None:
    changes = put("routes.0.request", {}), put("routes.0.response", {})
    (warning,) = warned(loaded(tmp_path, tunnel, *changes))
    assert (warning.path, "nothing may cross" in warning.message) == ("routes[0]", True)


def test_a_tunnel_above_the_clearance_of_either_side_is_warned_of(tmp_path: Path) -> None:
    found = loaded(tmp_path, tunnel, put("routes.0.response", {"content": ["opaque"]}))
    assert [warning.path for warning in warned(found)] == ["routes[0].response"]
    assert "labelled secret" in warned(found)[0].message
