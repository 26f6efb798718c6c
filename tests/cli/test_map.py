"""`lockgate map`: everything is on it, nothing reaches outside it, and no name can break it."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli import main
from proxy.cli.map.facts import gather
from proxy.cli.map.picture import laid_out
from proxy.cli.map.shapes import Facts
from proxy.cli.map.text import clean, width, wrap
from proxy.settings.load import load
from tests.cli.test_imports import imported
from tests.project.tree import ROOT
from tests.settings.example import Data, changed, loaded, put, write

CONFIGS = sorted((ROOT / "config").glob("*.yaml"))
FORMS = (".svg", ".html", ".mmd")
EVIL = '</text></svg><script>alert(1)</script><img src=x onerror="a()">\'];&amp;'
SVG = "{http://www.w3.org/2000/svg}"
TAGS = {"svg", "g", "title", "style", "rect", "path", "text"}
PAGE_TAGS = {
    "html",
    "head",
    "meta",
    "body",
    "h2",
    "table",
    "tr",
    "th",
    "td",
    "code",
    "br",
    "b",
    "p",
}


def drawn(folder: Path, config: Path, form: str, *words: str) -> str:
    """What is in the file when the command has ended well."""
    output = folder / f"map{form}"
    assert main(["map", str(config), "-o", str(output), *words]) == 0
    return output.read_text("utf-8")


def texts(svg: str) -> str:
    """All that can be read in a picture, what it says when it is pointed at included."""
    return "\n".join(each.text or "" for each in ElementTree.fromstring(svg).iter())  # noqa: S314


def facts(folder: Path, data: Data) -> Facts:
    return gather(load(write(folder, data)))


def many(routes: int, listeners: int = 1, upstreams: int = 1) -> Data:
    """So many of each, every listener in a zone of its own, two upstreams to a zone."""
    data = changed()
    (route,) = data["routes"]
    zones = [f"zone-{number}" for number in range(max(listeners, upstreams))]
    data["zones"] = {name: {"clearance": "secret"} for name in zones}
    data["listeners"] = {
        f"in-{at}": {"bind": f"127.0.0.1:{9000 + at}", "zone": zones[at]} for at in range(listeners)
    }
    data["upstreams"] = {
        f"out-{at}": {"zone": zones[at // 2], "endpoints": [f"https://out-{at}.example"]}
        for at in range(upstreams)
    }
    data["routes"] = [
        route | {
            "name": f"route-{at}",
            "match": {"path": f"/{at}/**"},
            "listener": f"in-{at * 7 % listeners}",
            "upstream": f"out-{at * 5 % upstreams}",
        }
        for at in range(routes)
    ]  # fmt: skip
    return data


# --- what is on it -------------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_zones_listeners_routes_upstreams_labels_masks_and_keys_are_on_the_picture(
    tmp_path: Path, config: Path
) -> None:
    settings = load(config).settings
    said = texts(drawn(tmp_path, config, ".svg"))
    for name in settings.zones:
        assert f"Zone {name}" in said
    for name in (*settings.listeners, *settings.upstreams, *settings.sensitivity):
        assert f"\n{name}" in said
    for listener in settings.listeners.values():
        assert listener.bind in said
    for number, route in enumerate(settings.routes, 1):
        assert f"{number}  {route.name}" in said
        for flow in (route.request, route.response):
            assert not flow.content or f"→ {flow.label}" in said or f"← {flow.label}" in said
            assert all(rule.path is None or rule.path in said for rule in flow.mask)
            assert all(rule.type in said for rule in flow.detect)
    for each in settings.receipts.key, settings.receipts.log_key:
        assert each in said


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_way_is_in_the_chart_and_every_rule_in_the_tables(
    tmp_path: Path, config: Path
) -> None:
    settings = load(config).settings
    chart, page = (drawn(tmp_path, config, form) for form in (".mmd", ".html"))
    assert chart.startswith("flowchart LR\n")
    assert len(re.findall(r"r\d+ (?:==>|-\.->)\|", chart)) == len(settings.routes)
    keys = [settings.receipts.key, settings.receipts.log_key]
    assert all(len(re.findall(f': {re.escape(key)}(?:<br>|")', chart)) == 1 for key in keys)
    for route in settings.routes:
        assert f"<td>{route.name}<br>" in page
        for rule in (*route.request.mask, *route.response.mask):
            assert rule.path is None or f"<code>{rule.path}</code>" in page


def test_keys_are_shown_at_the_process_that_has_them_and_nowhere_else(tmp_path: Path) -> None:
    workers, notary, supervisor = facts(tmp_path, changed()).processes
    assert {(each.what, each.reference) for each in workers.held if each.secret} == {
        ("TLS key", "file:c.key"),
        ("masking key pseudonym k1", "file:p.key"),
    }
    assert {each.reference for each in workers.held if not each.secret} == {
        "file:c.pem",
        "file:ca.pem",
    }
    assert {(each.what, each.reference) for each in notary.held} == {
        ("receipt key", "file:r"),
        ("log key", "file:l"),
    }
    assert supervisor.held == ()
    chart = drawn(tmp_path, write(tmp_path, changed()), ".mmd")
    assert '[("Notary<br>receipt key: file:r<br>log key: file:l")]' in chart
    assert '<br>TLS key: file:c.key<br>masking key pseudonym k1: file:p.key")]' in chart


def test_one_process_and_two_users_are_told(tmp_path: Path) -> None:
    alone = facts(tmp_path, changed(put("workers", 1)))
    assert all("all in one process" in each.duties for each in alone.processes)
    users = changed(put("workers", 1), put("users", {"worker": "carrier", "notary": "scribe"}))
    assert [each.duties[0] for each in facts(tmp_path, users).processes[:2]] == [
        "user carrier",
        "user scribe",
    ]


def test_what_is_not_encrypted_is_told_from_what_is(tmp_path: Path) -> None:
    plain = changed(
        put("listeners.in.tls", {"mode": "none"}), put("upstreams.out.endpoints", ["unix:run/a"])
    )
    shown = facts(tmp_path, plain)
    assert shown.doors[0].crypt.plain
    assert shown.receivers[0].crypt.plain
    svg = drawn(tmp_path, write(tmp_path, plain), ".svg")
    assert svg.count("stroke-dasharray") == 3  # one of them explains the others
    assert "stroke-dasharray" in drawn(tmp_path, write(tmp_path, changed()), ".svg")
    assert "-.->|" in drawn(tmp_path, write(tmp_path, plain), ".mmd")
    mixed = changed(put("upstreams.out.endpoints", ["https://a.example", "http://127.0.0.1:8080"]))
    (receiver,) = facts(tmp_path, mixed).receivers
    assert not receiver.crypt.plain
    assert "but no TLS to http://127.0.0.1:8080" in receiver.crypt.details


def test_a_label_above_the_clearance_of_where_it_goes_is_told(tmp_path: Path) -> None:
    low = put("zones.near.clearance", "internal")
    (way,) = facts(tmp_path, changed(low, put("routes.0.request.label", "internal"))).ways
    assert not way.request.above
    (way,) = facts(tmp_path, changed(low)).ways  # no label: the highest
    assert way.request.above
    assert "above clearance: refused" in texts(
        drawn(tmp_path, write(tmp_path, changed(low)), ".svg")
    )
    (way,) = facts(tmp_path, changed(low, put("routes.0.request.label_from", "X-Label"))).ways
    assert not way.request.above
    assert (way.request.shown, way.request.by) == ("up to secret", "as X-Label says")


def test_whom_a_listener_gets_and_a_route_refuses_is_told_as_it_is_written(tmp_path: Path) -> None:
    shown = facts(
        tmp_path,
        changed(
            put("routes.0.allow.0.when", {"until": "2027-01-01", "days": "mon-fri"}),
            put("routes.0.allow.0.size", "1MB"),
            put("routes.0.deny", [{"dns": "old.example"}]),
            put("routes.0.limits", {"body": "1GiB"}),
            put("routes.0.replay", {"require": "transfer-id", "window": "5m"}),
        ),
    )
    (way,) = shown.ways
    assert way.allow == ("spiffe://acme/etl/* (until 2027-01-01, days mon-fri, size 1MB)",)
    assert way.deny == ("dns old.example",)
    assert way.stops == ("limits body 1GiB", "replay transfer-id (window 5m)")
    assert shown.doors[0].senders == ("spiffe://acme/etl/*",)


def test_who_admits_nobody_and_leads_nowhere_is_drawn_as_well(tmp_path: Path) -> None:
    svg = drawn(tmp_path, write(tmp_path, changed(put("routes", []))), ".svg")
    assert "no route behind it admits anybody" in texts(svg)
    nothing = changed(put("routes", []), put("upstreams", {}))
    for form in FORMS:
        assert drawn(tmp_path, write(tmp_path, nothing), form)


# --- how it is laid out --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1, 1), (5, 2, 3), (40, 4, 9)], ids=str)
def test_no_box_lies_on_another_and_every_way_ends_at_its_boxes(
    tmp_path: Path, size: tuple[int, int, int]
) -> None:
    sheet = laid_out(facts(tmp_path, many(*size)))
    boxes = {
        name: (*sheet.placed.corners[name], card.width, card.full)
        for name, (_, card) in sheet.boxes.items()
    }
    for (x, y, w, h), (left, top, wide, high) in combinations(boxes.values(), 2):
        assert x + w <= left or left + wide <= x or y + h <= top or top + high <= y
    for way, points in zip(sheet.ways, sheet.placed.ways, strict=True):
        x, y, w, h = boxes[way.start.partition("/")[0]]
        assert points[0][0] == pytest.approx(x + w)
        assert y <= points[0][1] <= y + h
        x, y, _, h = boxes[way.end.partition("/")[0]]
        assert points[-1][0] == pytest.approx(x)
        assert y <= points[-1][1] <= y + h


@pytest.mark.parametrize("number", [6, 12, 101])
@pytest.mark.parametrize("turned", [False, True])
def test_routes_stand_in_the_order_in_which_they_decide(
    tmp_path: Path, number: int, turned: bool
) -> None:
    data = many(number)
    if turned:
        data["routes"].reverse()
    sheet = laid_out(facts(tmp_path, data))
    down = [sheet.placed.corners[f"route {route['name']}"][1] for route in data["routes"]]
    assert down == sorted(down)


def test_the_same_configuration_is_drawn_the_same_everywhere(tmp_path: Path) -> None:
    config = write(tmp_path, many(12, 3, 5))
    first = drawn(tmp_path, config, ".svg")
    program = "import sys; from proxy.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["map", str(config), "-o", str(tmp_path / "again.svg")]
    again = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", program, *words], check=True, env=again)
    assert (tmp_path / "again.svg").read_text("utf-8") == first


@given(st.text(max_size=200), st.floats(40, 400), st.booleans(), st.integers(1, 4))
def test_text_stays_in_its_room_and_is_cut_only_where_it_says_so(
    text: str, room: float, mono: bool, lines: int
) -> None:
    found = wrap(text, room, 11.5, mono=mono, lines=lines)
    assert len(found) <= lines
    assert all(width(line, 11.5, mono=mono) <= room for line in found)
    whole = re.sub(r"\s", "", clean(text))
    if "".join(found).endswith("…") and "…" not in text:
        assert whole.startswith(re.sub(r"\s", "", "".join(found))[:-1])
    else:
        assert re.sub(r"\s", "", "".join(found)) == whole


def test_a_theme_can_be_fixed_for_a_page_that_has_only_one(tmp_path: Path) -> None:
    config = write(tmp_path, changed())
    pictures = {theme: drawn(tmp_path, config, ".svg", "--theme", theme)
                for theme in ("auto", "light", "dark")}  # fmt: skip
    assert "prefers-color-scheme:dark" in pictures["auto"]
    assert "prefers-color-scheme" not in pictures["light"] + pictures["dark"]
    assert pictures["light"] != pictures["dark"]


# --- nothing from outside, and no name that breaks out -------------------------------------------


class Tags(HTMLParser):
    """The names of all elements and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


def hostile() -> Data:
    """Names that would be markup, wherever a configuration may hold such text."""
    return changed(
        put("routes.0.allow.0", {"cn": EVIL}),
        put("routes.0.request.mask.0.path", "$['</text><script>x</script>&\"']"),
        put("keys.pseudonym.0.secret", 'file:"><script>x</script>&\u202eyek.'),
        put("receipts.store", '</text><script>"&'),
    )


def test_nothing_is_loaded_and_nothing_runs(tmp_path: Path) -> None:
    for data in (changed(), hostile()):
        config = write(tmp_path, data)
        svg, page = (drawn(tmp_path, config, form) for form in (".svg", ".html"))
        root = ElementTree.fromstring(svg)  # noqa: S314
        assert {each.tag for each in root.iter()} == {SVG + tag for tag in TAGS}
        names = {name for each in root.iter() for name in each.attrib}
        assert not {name for name in names if "href" in name or name.startswith("on")}
        style = "".join(each.text or "" for each in root.iter(f"{SVG}style"))
        assert "url(" not in style
        assert "@import" not in style
        tags = Tags(page)
        assert tags.seen == TAGS | PAGE_TAGS
        assert not {name for name in tags.attributes if name in ("href", "src") or name[:2] == "on"}
        assert "default-src 'none'" in page


def test_hostile_names_are_shown_and_are_no_markup(tmp_path: Path) -> None:
    config = write(tmp_path, hostile())
    svg, page, chart = (drawn(tmp_path, config, form) for form in FORMS)
    shown = re.sub(r"\s", "", texts(svg))  # in several lines
    assert re.sub(r"\s", "", EVIL) in shown
    assert "&\ufffdyek." in shown
    assert "&lt;script&gt;" in page
    for text in (svg, page, chart):
        assert "<script" not in text
        assert "\u202e" not in text
    for quoted in re.findall(r'"([^"\n]*)"', chart):
        assert re.fullmatch(r"(?:[A-Za-z0-9 .,_/:-]|#\d+;|<br>)*", quoted)
    assert all(line.count('"') in (0, 2) for line in chart.splitlines())


# --- the command ---------------------------------------------------------------------------------


def test_no_file_that_the_configuration_names_is_opened(tmp_path: Path) -> None:
    config = write(tmp_path, changed())
    assert drawn(tmp_path, config, ".svg")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["gate.yaml", "map.svg"]


def test_a_configuration_that_cannot_be_used_is_not_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write(tmp_path, changed(put("routes.0.upstream", "nowhere")))
    assert main(["map", str(config), "-o", str(tmp_path / "map.svg")]) == 1
    assert "there is no such upstream" in capsys.readouterr().err
    assert not (tmp_path / "map.svg").exists()


def test_other_kinds_of_files_and_folders_that_are_not_there_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(write(tmp_path, changed()))
    with pytest.raises(SystemExit, match="2"):
        main(["map", config, "-o", "map.png"])
    assert "ends in .svg, .html, .mmd" in capsys.readouterr().err
    assert main(["map", config, "-o", str(tmp_path / "missing" / "map.svg")]) == 2
    assert "No such file or directory" in capsys.readouterr().err


def test_without_the_engine_it_says_what_to_install_and_draws_charts_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "graphlay", None)
    config = write(tmp_path, changed())
    assert main(["map", str(config), "-o", str(tmp_path / "map.svg")]) == 2
    assert "pip install 'lockgate[map]'" in capsys.readouterr().err
    assert not (tmp_path / "map.svg").exists()
    assert drawn(tmp_path, config, ".mmd")


def test_nobody_else_needs_the_engine() -> None:
    assert "graphlay" not in imported("check", "gate.yaml")
    assert not imported("map", "gate.yaml", "-o", "map.svg") & {"graphlay", "pydantic"}


def test_the_picture_in_the_manual_is_that_of_the_example(tmp_path: Path) -> None:
    def read(svg: str) -> str:
        return re.sub(r"sha256 [0-9a-f]{16}", "sha256", svg)

    now = drawn(tmp_path, ROOT / "config/gateway.yaml", ".svg")
    told = (ROOT / "docs/map.svg").read_text("utf-8")
    assert read(now) == read(told), "make it anew: lockgate map config/gateway.yaml -o docs/map.svg"


def test_what_is_loaded_is_what_is_drawn(tmp_path: Path) -> None:
    config = loaded(tmp_path)
    assert config.sha256.hex()[:16] in drawn(tmp_path, config.path, ".svg")


def test_keys_that_verify_signatures_are_with_the_workers_and_the_demand_is_at_the_route(
    tmp_path: Path,
) -> None:
    signed = changed(
        put("signers.etl", {"jwks": "file:etl.jwks", "peers": [{"spiffe": "spiffe://acme/etl/*"}]}),
        put("routes.0.replay", {"require": "signature", "window": "5m"}),
        put("routes.0.signature", {"keys": ["certificate", "etl"]}),
    )
    shown = facts(tmp_path, signed)
    assert ("jwks of signer etl", "file:etl.jwks", None) in {
        (each.what, each.reference, each.secret) for each in shown.processes[0].held
    }
    assert "those of kind oct are secret" in drawn(tmp_path, write(tmp_path, signed), ".svg")
    assert "keys of kind oct are secrets" in drawn(tmp_path, write(tmp_path, signed), ".html")
    assert {"replay signature (window 5m)", "signature keys certificate | etl"} <= set(
        shown.ways[0].stops
    )


def test_what_is_in_shadow_is_apart_and_counts_for_nothing(tmp_path: Path) -> None:
    data = changed(
        put("routes.0.allow.1", {"spiffe": "spiffe://acme/new", "shadow": True}),
        put("routes.0.deny", [{"dns": "old.example", "shadow": True}]),
        put("routes.0.request.mask.1", {"path": "$.ssn", "action": "redact", "shadow": True}),
        put("routes.0.request.detect", [{"type": "iban", "action": "reject", "shadow": True}]),
    )
    shown = facts(tmp_path, data)
    (way,) = shown.ways
    assert (way.allow, way.deny) == (("spiffe://acme/etl/*",), ())
    assert (way.request.masks, way.request.searches) == ((("hmac pseudonym", "$..email"),), ())
    assert way.shadow == (
        "would admit spiffe://acme/new",
        "would refuse dns old.example",
        "request: would mask $.ssn (redact)",
        "request: would reject iban",
    )
    assert shown.doors[0].senders == ("spiffe://acme/etl/*",)
    config = write(tmp_path, data)
    assert "in shadow, deciding nothing" in texts(drawn(tmp_path, config, ".svg"))
    assert "in shadow: would refuse dns old.example" in drawn(tmp_path, config, ".html")
