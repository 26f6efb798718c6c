"""docs/policy.md: what its table says of signed requests is what they are answered."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from proxy.settings.yaml12 import parse
from proxy.wire.signing_key import SigningKey
from tests.edge.signing import COVERED, Signed, jwks, key_of
from tests.edge.stage import Stage, blocking, route, stage
from tests.edge.table import Table
from tests.edge.test_signed import turned
from tests.scenarios.message import Message

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text("utf-8")
SECTION = PAGE.partition("## Signed requests\n")[2].partition("\n## ")[0]
(EXAMPLE,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.S)
ROWS = re.findall(r"^\| (.*?) \| (.*?) \| `(\d+)(?: ([a-z-]+))?`.*\|$", SECTION, re.M)
CONTENT = b'{"order": 1}'
WINDOW, SKEW = 300, 30


@dataclass
class Sender:
    """Sends on the route of the page, changed in what a row says."""

    on: Stage
    key: SigningKey
    said: dict[str, Any] = field(default_factory=dict)
    change: Callable[[Signed], None] = lambda signed: None
    anew: bool = False
    """Each attempt has a signature of its own."""

    def signed(self, **said: Any) -> Signed:
        covered = (*COVERED, "content-type")
        told = {"path": "/orders/1", "body": CONTENT, "covered": covered} | self.said | said
        made = Signed(self.key, **told).sign()
        self.change(made)
        return made

    async def ask(self, signed: Signed) -> Message:
        return await self.on.ask(signed.octets)

    async def at_once(self) -> Message:
        return await self.ask(self.signed())

    async def again(self) -> Message:
        first = self.signed()
        assert (await self.ask(first)).status == 200
        return await self.ask(self.signed(transfer_id=first.transfer_id) if self.anew else first)

    async def later(self) -> Message:
        first, second = self.signed(), self.signed()
        for each in (first, second):
            assert (await self.ask(each)).status == 200
        return await self.ask(first)

    async def too_late(self) -> Message:
        return await self.ask(self.signed(age=60 + SKEW + 1))

    async def held_back(self) -> Message:
        signed = self.signed(fields=("Expect: 100-continue",))
        with self.on.connect() as client, pytest.MonkeyPatch.context() as patch:
            client.send(signed.octets.removesuffix(CONTENT))
            assert (await blocking(client.reader.head)).status == 100
            moment = time.time() + 60 + SKEW + 1
            patch.setattr("proxy.edge.signed.time", lambda: moment)
            client.send(CONTENT)
            return await blocking(client.answer)

    async def too_early(self) -> Message:
        return await self.ask(self.signed(age=-SKEW - 60))


WHEN: dict[str, Callable[[Sender], Any]] = {
    "at once": Sender.at_once,
    "again": Sender.again,
    "again, after one that was sent later": Sender.later,
    "after `expires` and `skew`": Sender.too_late,
    "with an end that is held back until after `expires` and `skew`": Sender.held_back,
    "before `created`, by more than `skew`": Sender.too_early,
}


def sets(name: str, value: Any) -> Callable[[Sender], None]:
    """Changed after it was signed."""

    def prepare(sender: Sender) -> None:
        sender.change = lambda signed: setattr(signed, name, value)

    return prepare


def told(**said: Any) -> Callable[[Sender], None]:
    """Signed in another way."""
    return lambda sender: sender.said.update(said)


def changes(change: Callable[[Signed], None]) -> Callable[[Sender], None]:
    return lambda sender: setattr(sender, "change", change)


WHAT: dict[str, Callable[[Sender], None]] = {
    "as it was signed": told(),
    "with a signature of its own, and the same id": lambda sender: setattr(sender, "anew", True),
    "signed to hold for longer than `window`": told(lasts=WINDOW + 1),
    "without a signature": sets("signature", ()),
    "with one bit of the signature changed": changes(turned),
    "to another path than was signed": sets("path", "/orders/2"),
    "by a method that was not signed": sets("method", "PUT"),
    "with a type that was not signed": sets("kind", "text/csv"),
    "signed by a key of nobody": lambda sender: setattr(sender, "key", key_of()),
    "with content cut short": sets("body", CONTENT[:-1]),
    "with one bit of the content changed": sets("body", CONTENT[:-1] + b"|"),
}


def as_read(text: str) -> Any:
    return parse(text.encode(), "manual").data


@pytest.mark.parametrize(("what", "when", "status", "code"), ROWS)
async def test_what_the_manual_says_of_a_signed_request_holds(
    tmp_path: Path, what: str, when: str, status: str, code: str
) -> None:
    key, example = key_of(), as_read(EXAMPLE)
    (named,) = example["routes"]
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "etl.jwks").write_text(jwks(key))
    signers = {"etl": example["signers"]["etl"] | {"peers": [{"local": {"uid": [1000]}}]}}
    async with stage(tmp_path, Table(), route(**named), signers=signers) as on:
        sender = Sender(on, key)
        WHAT[what](sender)
        answer = await WHEN[when](sender)
        assert answer.status == int(status)
        if code:
            assert orjson.loads(answer.body)["type"] == f"urn:lockgate:problem:{code}"
        assert (answer.values("transfer-duplicate") == ["?1"]) is sender.anew


def test_the_manual_names_every_way_in_which_a_request_comes() -> None:
    assert {what for what, *_ in ROWS} == WHAT.keys()
    assert {when for _, when, *_ in ROWS} == WHEN.keys()
    assert {code for *_, code in ROWS} == {
        "", "signature-replayed", "signature-expired", "signature-refused", "signature-required",
        "digest-mismatch",
    }  # fmt: skip
