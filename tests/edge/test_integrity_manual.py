"""docs/policy.md: what its table says becomes of content is what becomes of it."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from proxy.settings.yaml12 import parse
from tests.edge.stage import blocking, route, stage
from tests.edge.table import Table
from tests.edge.test_digests_said import digest
from tests.scenarios.client import request
from tests.scenarios.message import Message

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text("utf-8")
SECTION = PAGE.split("## What was sent\n")[1].split("\n## ")[0]
(WRITTEN,) = re.findall(r"^```yaml\n(.*?)```", SECTION, re.M | re.S)
ROWS = re.findall(r"^\| (`.*) \| (.*) \| `(true|false)` \| (.*) \| `(.*)` \|$", SECTION, re.M)


def test_every_row_is_read() -> None:
    assert len(ROWS) == SECTION.count("\n| `") == 7


def meant(text: str) -> bytes:
    """What `abc` N times says."""
    found = re.fullmatch(r"`(\w+)`(?: (\d+) times)?", text)
    assert found is not None, text
    return found[1].encode() * int(found[2] or 1)


@pytest.mark.parametrize(("content", "digested", "streaming", "arrives", "told"), ROWS)
async def test_what_the_manual_says_of_content_is_so(
    tmp_path: Path, content: str, digested: str, streaming: str, arrives: str, told: str
) -> None:
    policy: Any = parse(WRITTEN.encode(), "manual").data
    changes = {**policy, "streaming": streaming == "true", "replay": {"require": "off"}}
    fields = [] if digested == "nothing" else [f"Content-Digest: {digest(meant(digested))}"]
    table = Table()
    async with stage(tmp_path, table, route("manual", **changes)) as on:
        answer = await on.ask(request("/manual/1", meant(content), *fields, kind="a/b"))
        if arrives == "a part, broken off":
            await blocking(lambda: on.receiver.wait(lambda: bool(on.receiver.broken)))
        else:
            assert not on.receiver.broken
        whole = [each.body for each in on.receiver.received]
        assert whole == ([meant(arrives)] if arrives.startswith("`") else [])
    assert said(answer) == told
    assert len(table.outcomes) == 1


def said(answer: Message) -> str:
    if answer.status == 200:
        return "200"
    problem = orjson.loads(answer.body)["type"]
    return f"{answer.status} {problem.removeprefix('urn:lockgate:problem:')}"
