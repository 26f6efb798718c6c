"""The last part of every demo: the evidence, tried with public keys alone."""

import re
import shutil
from pathlib import Path

from proxy.cli.demo.screen import Screen
from proxy.cli.demo.site import NotAsTold, Ran, Site, shown
from proxy.cli.demo.stage import Stage
from proxy.cli.wording import count

_ENTRIES = Path("tile") / "entries"


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
        "A log in which nothing can be changed unnoticed",
        "The gateway is stopped; what it leaves is a folder of plain files: a Merkle tree whose "
        "root is signed twice, once against quantum computers.",
    )
    if site.stop("gateway") != 0:
        raise NotAsTold("the gateway did not end cleanly")
    show_audit(site, screen, stage.entries)
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
    for name, line in zip(("log.vkey", "log-pq.vkey"), lines, strict=True):
        (site.folder / name).write_text(line + "\n")


def audit_command(store: str) -> list[str]:
    """As it is shown."""
    vkeys = ["--vkey", "$(cat log.vkey)", "--vkey", "$(cat log-pq.vkey)"]
    return ["lockgate", "receipts", "audit", store, *vkeys, "--key", "certs/receipts.pub"]


def audit(site: Site, store: str) -> Ran:
    """Run an audit with the public keys of the folder."""
    vkeys = [(site.folder / name).read_text().strip() for name in ("log.vkey", "log-pq.vkey")]
    command = audit_command(store)
    command[5], command[7] = vkeys
    return site.run(*command)


def show_audit(site: Site, screen: Screen, entries: int) -> None:
    """The audit of the log passes. Raises NotAsTold."""
    screen.command(shown(audit_command("receipts")))
    ran = audit(site, "receipts")
    require_audit_passes(ran, entries)
    screen.quote(_cut(ran.out))
    screen.checked(
        f"{'every entry is' if entries > 1 else 'the entry is'} signed, in sequence, and under the "
        "signed checkpoint"
    )


def require_audit_passes(ran: Ran, entries: int) -> None:
    """It says so, and of as many entries as there were transfers. Raises NotAsTold."""
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
