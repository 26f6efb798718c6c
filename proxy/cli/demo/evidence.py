"""The last part of every demo: the evidence, tried with public keys alone."""

import re
import shutil
from pathlib import Path

from proxy.cli.demo.screen import Screen
from proxy.cli.demo.site import NotAsTold, Ran, Site, shown
from proxy.cli.demo.stage import Stage
from proxy.cli.wording import count

_ENTRIES = Path("tile") / "entries"
_VKEYS = ("log.vkey", "log-pq.vkey")
VKEYS = ("--vkey", "$(cat log.vkey)", "--vkey", "$(cat log-pq.vkey)")
"""As it is shown."""


def on_record(stage: Stage, receipt: str, content: str) -> None:
    """A receipt, the log, and a log that was tampered with. Ends the gateway. Raises NotAsTold."""
    site, screen = stage.site, stage.screen
    write_vkeys(site)
    screen.step(
        "A receipt that anybody can verify, offline",
        "Whoever sends is answered with a signed receipt. To verify it takes the public key, the "
        "file, and the key that only its sender got; no network, no gateway.",
    )
    show_receipt(site, screen, receipt, content)
    screen.step(
        "On record: every attempt, and what the gateway did itself",
        "The gateway is stopped, and the log says so, as it says when it started. Each entry can "
        "be kept with a proof of its place: two small files that hold without the log.",
    )
    if site.stop("gateway") != 0:
        raise NotAsTold("the gateway did not end cleanly")
    listed = show_list(site, screen, stage.entries)
    show_proof(site, screen, listed)
    screen.step(
        "A log in which nothing can be changed unnoticed",
        "What the gateway leaves is a folder of plain files: a Merkle tree whose root is signed "
        "twice, once against quantum computers.",
    )
    show_audit(site, screen, len(listed))
    show_tampering(site, screen)


def show_receipt(site: Site, screen: Screen, evidence: str, content: str) -> None:
    """Verify one receipt as anybody can who has the public key. Raises NotAsTold."""
    key = Path(evidence).name.removesuffix(".json") + ".key"
    command = ["lockgate", "receipts", "verify", evidence, "--key", "certs/receipts.pub"]
    command += ["--content", content, "--receipt-key", f"$(cat {key})"]
    given = [*command[:-1], (site.folder / key).read_text().strip()]
    screen.command(shown(command))
    ran = site.run(*given)
    if ran.code != 0:
        raise NotAsTold(f"the receipt does not verify: {ran.err.strip()}")
    wanted = ("verified", "verdict", "sender", "received", "delivered", "masked", "found", content)
    screen.quote(line for line in ran.out.splitlines() if line.strip().startswith(wanted))
    other = site.run(*given[:7], "certs/ca.pem", *given[8:])
    if other.code != 1:
        raise NotAsTold("the receipt verifies for content that it is not about")
    screen.checked(
        "the signature holds, and the receipt is about exactly this file",
        "for any other file it does not",
    )


def write_vkeys(site: Site) -> None:
    """The public keys of the log, as files that the commands below can name."""
    ran = site.run("lockgate", "receipts", "vkey", "gateway.yaml")
    lines = ran.out.split()
    if ran.code != 0 or len(lines) != 2:
        raise NotAsTold(f"the log's public keys cannot be had: {ran.err.strip()}")
    for name, line in zip(_VKEYS, lines, strict=True):
        (site.folder / name).write_text(line + "\n")


def show_list(site: Site, screen: Screen, attempts: int) -> list[list[str]]:
    """The log's entries, as the words of their lines. Raises NotAsTold."""
    command = ("lockgate", "receipts", "list", "receipts")
    screen.command(shown(command))
    ran = site.run(*command)
    screen.quote(line.strip() for line in ran.out.splitlines())
    listed = [line.split() for line in ran.out.splitlines()]
    require_listed(listed, attempts)
    screen.checked("from start to stop, each attempt that was answered is there once")
    return listed


def require_listed(listed: list[list[str]], attempts: int) -> None:
    """Entries by index, from start to stop, with so many attempts between. Raises NotAsTold."""
    if [words[0] for words in listed] != [str(index) for index in range(len(listed))]:
        raise NotAsTold("the entries are not listed by index")
    if not listed or (listed[0][2:4], listed[-1][2:4]) != (["event", "start"], ["event", "stop"]):
        raise NotAsTold("the log does not begin with a start and end with a stop")
    found = sum(words[2] != "event" for words in listed)
    if found != attempts:
        raise NotAsTold(f"the log holds {count(found, 'attempt')}, not {attempts}")


def show_proof(site: Site, screen: Screen, listed: list[list[str]]) -> None:
    """The first delivery with its proof, verified by both files alone. Raises NotAsTold."""
    index = next(words[0] for words in listed if words[2] == "delivered")
    receipt, proof = f"receipt-{index}.json", f"receipt-{index}.tlog-proof"
    prove = ["lockgate", "receipts", "prove", "receipts", index, *VKEYS]
    verify = ["lockgate", "receipts", "verify", receipt, "--key", "certs/receipts.pub"]
    verify += ["--proof", proof, *VKEYS]
    for command in (prove, verify):
        screen.command(shown(command))
        ran = site.run(*_with_vkeys(site, command))
        if ran.code != 0:
            raise NotAsTold(f"the proof does not hold: {ran.err.strip()}")
    wanted = ("verified", "in the log", "  signed by")
    screen.quote(line for line in ran.out.splitlines() if line.startswith(wanted))
    elsewhere = f"{int(index) - 1}"
    told = (site.folder / proof).read_text().replace(f"index {index}\n", f"index {elsewhere}\n")
    (site.folder / "elsewhere.tlog-proof").write_text(told)
    verify[verify.index(proof)] = "elsewhere.tlog-proof"
    if site.run(*_with_vkeys(site, verify)).code != 1:
        raise NotAsTold("the proof holds for another place in the log")
    screen.checked(f"both hold, with public keys alone; as entry {elsewhere} they do not")


def audit_command(store: str) -> list[str]:
    """As it is shown."""
    return ["lockgate", "receipts", "audit", store, *VKEYS, "--key", "certs/receipts.pub"]


def audit(site: Site, store: str) -> Ran:
    """Run an audit with the public keys of the folder."""
    return site.run(*_with_vkeys(site, audit_command(store)))


def _with_vkeys(site: Site, command: list[str]) -> list[str]:
    """The command as a shell would run it."""
    texts = {f"$(cat {name})": (site.folder / name).read_text().strip() for name in _VKEYS}
    return [texts.get(word, word) for word in command]


def show_audit(site: Site, screen: Screen, entries: int) -> None:
    """The audit of the log passes. Raises NotAsTold."""
    screen.command(shown(audit_command("receipts")))
    ran = audit(site, "receipts")
    require_audit_passes(ran, entries)
    screen.quote(_cut(ran.out))
    screen.checked("every entry is signed, in sequence, and under the signed checkpoint")


def require_audit_passes(ran: Ran, entries: int) -> None:
    """It says so, and of as many entries as are listed. Raises NotAsTold."""
    if ran.code != 0:
        raise NotAsTold(f"the audit failed: {ran.err.strip()}")
    if re.search(rf": {entries:,} entr(?:y|ies),", ran.out) is None:
        raise NotAsTold(f"the log does not hold {count(entries, 'entry', 'entries')}")


def show_tampering(site: Site, screen: Screen) -> None:
    """One bit of a copy of the log is flipped, and the audit of the copy fails."""
    shutil.copytree(site.folder / "receipts", site.folder / "tampered")
    flipped = flip_a_bit(site.folder / "tampered")
    where = flipped.relative_to(site.folder)
    screen.say(f"One bit in the middle of {where} is flipped; receipts/ stays as it is.")
    screen.command(shown(audit_command("tampered")))
    ran = audit(site, "tampered")
    require_audit_fails(ran)
    screen.quote(ran.err.strip().splitlines(), style="yellow")
    screen.checked("the audit fails (exit 1) and names what is wrong")


def require_audit_fails(ran: Ran) -> None:
    """It says no, and why. Raises NotAsTold."""
    if ran.code != 1 or not ran.err.strip():
        raise NotAsTold("a log that was changed passes the audit")


def flip_a_bit(store: Path) -> Path:
    """Flip one bit in the middle of the first bundle of entries; its file."""
    bundle = sorted(path for path in (store / _ENTRIES).rglob("*") if path.is_file())[-1]
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 0x01
    bundle.chmod(0o600)
    bundle.write_bytes(data)
    return bundle


def _cut(text: str) -> list[str]:
    return [line if len(line) < 200 else line[:199] + "…" for line in text.splitlines()]
