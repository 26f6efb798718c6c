"""docs/verify.py, which knows nothing of Lockgate, verifies what Lockgate writes, and only that."""

import ast
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proxy.cli import main
from proxy.model import Event
from proxy.receipt.vkey import ed25519_vkey, mldsa44_vkey
from tests.notary.samples import (
    LOG_KEY,
    ORIGIN,
    PQ_KEY,
    RECEIPT_KEY,
    conclude,
    deliver,
    refusal,
    running,
)

VERIFIER = Path(__file__).resolve().parents[2] / "docs" / "verify.py"
VKEYS = [str(ed25519_vkey(ORIGIN, LOG_KEY)), str(mldsa44_vkey(ORIGIN, PQ_KEY))]
WRONG = (AttributeError, LookupError, TypeError, ValueError, InvalidSignature)


def load() -> Callable[..., str]:
    spec = importlib.util.spec_from_file_location("verify", VERIFIER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[..., str] = module.verify
    return found


verify = load()


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the proofs of seven entries: events, deliveries and a refusal."""
    folder = tmp_path_factory.mktemp("verifier")

    async def make() -> None:
        async with running(folder / "log") as notary:
            await notary.note(Event("start", {"version": "0"}))
            for _ in range(4):
                await deliver(notary)
            await conclude(notary, refusal())
            await notary.note(Event("stop", {"clean": True}))

    trio.run(make)
    for index in range(7):
        assert (
            main(["receipts", "prove", str(folder / "log"), str(index), "--output", str(folder)])
            == 0
        )
    public = RECEIPT_KEY.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "receipts.pub").write_bytes(pem)
    (folder / "delivered").write_bytes(b"masked")
    return folder


def files(folder: Path, index: int, content: str = "-") -> list[Any]:
    return [
        folder / "receipts.pub",
        folder / f"receipt-{index}.json",
        content if content == "-" else folder / content,
        folder / f"receipt-{index}.tlog-proof",
    ]


def run(*arguments: object) -> tuple[int, str, str]:
    words = [sys.executable, "-I", str(VERIFIER), *map(str, arguments)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout, ran.stderr


def test_it_needs_cryptography_and_the_standard_library_and_is_short() -> None:
    text = VERIFIER.read_text("utf-8")
    tree = ast.parse(text)
    roots = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    roots |= {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    foreign = {str(name).split(".")[0] for name in roots} - sys.stdlib_module_names
    assert foreign == {"cryptography"}
    imports = max(
        node.lineno for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))
    )
    assert len([line for line in text.splitlines()[imports:] if line.strip()]) <= 65


def test_it_runs_and_says_what_it_verified(proven: Path) -> None:
    code, out, err = run(*files(proven, 2, "delivered"), *VKEYS)
    assert (code, err) == (0, "")
    assert out.startswith("verified: delivered:")
    code, out, err = run(*files(proven, 2, "receipts.pub"), *VKEYS)
    assert (code, out, err) == (1, "", "does not verify: not what was delivered\n")
    code, out, err = run(*files(proven, 2), VKEYS[0].replace("+", "+0", 1))
    assert (code, out) == (1, "")
    assert err.startswith("does not verify: ")


@pytest.mark.parametrize("vkeys", [VKEYS[:1], VKEYS[1:], VKEYS])
def test_every_entry_verifies_with_either_key_of_the_log(proven: Path, vkeys: list[str]) -> None:
    kinds = [verify(*files(proven, index), *vkeys).split(":")[0] for index in range(7)]
    assert kinds == ["event", *["delivered"] * 4, "rejected", "event"]


def test_a_receipt_alone_verifies_with_the_receipt_key(proven: Path) -> None:
    assert verify(*files(proven, 1, "delivered")[:3]).startswith("delivered:")


def test_a_proof_without_a_vkey_proves_nothing(proven: Path) -> None:
    with pytest.raises(ValueError, match="needs the vkeys"):
        verify(*files(proven, 1))


def test_a_refusal_is_about_no_content(proven: Path) -> None:
    with pytest.raises(ValueError, match="not what was delivered"):
        verify(*files(proven, 5, "delivered"))


def test_the_proof_of_one_entry_is_not_that_of_another(proven: Path) -> None:
    for one in range(7):
        for other in range(7):
            if one != other:
                mixed = [*files(proven, one)[:3], files(proven, other)[3]]
                with pytest.raises(ValueError, match="it is not in the log"):
                    verify(*mixed, *VKEYS)


@pytest.mark.parametrize("part", [1, 3])
def test_no_octet_of_receipt_or_proof_can_be_changed(
    proven: Path, tmp_path: Path, part: int
) -> None:
    given = files(proven, 3, "delivered")
    whole = given[part].read_bytes()
    given[part] = tmp_path / "changed"
    given[part].write_bytes(whole)
    with given[part].open("r+b", buffering=0) as file:
        for at in range(len(whole)):
            os.pwrite(file.fileno(), bytes([whole[at] ^ (1 << at % 7)]), at)
            try:
                verify(*given, *VKEYS)
                # Base64 may leave bits of its last character unused; all else counts.
                assert whole[at + 1 : at + 2] == b"=", whole[max(0, at - 20) : at + 20]
            except WRONG:
                pass
            os.pwrite(file.fileno(), whole[at : at + 1], at)


def test_another_key_of_any_kind_does_not_verify(proven: Path, tmp_path: Path) -> None:
    other = LOG_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "other.pub").write_bytes(other)
    with pytest.raises(InvalidSignature):
        verify(tmp_path / "other.pub", *files(proven, 1)[1:], *VKEYS)
    for vkey in (ed25519_vkey(ORIGIN, RECEIPT_KEY), ed25519_vkey("else.example/log", LOG_KEY)):
        with pytest.raises(WRONG):
            verify(*files(proven, 1), str(vkey))


def test_a_key_id_that_is_not_the_keys_is_refused(proven: Path) -> None:
    name, _, public = VKEYS[0].split("+", 2)
    with pytest.raises(ValueError, match="the vkey is not that of this log"):
        verify(*files(proven, 1), f"{name}+{hashlib.sha256(b'').hexdigest()[:8]}+{public}")
