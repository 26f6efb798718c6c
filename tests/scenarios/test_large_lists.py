"""A file of revocation lists may be far larger than any key, in both forms of the program."""

import os
import signal
from pathlib import Path

from proxy.settings.secrets import MAX_LISTS
from tests.scenarios.client import request
from tests.scenarios.forms import BOTH_FORMS
from tests.scenarios.gateway import Gateway, lockgate
from tests.scenarios.parties import authority_of
from tests.scenarios.receiver import Receiver
from tests.tls.crls import crl

workers = BOTH_FORMS

LINE = b"    Serial Number: 3C3C3C3C3C3C3C3C3C3C3C3C3C3C3C3C3C3C3C3C\n"
"""As `openssl crl -text` writes before what it has read."""


def test_lists_of_many_mebibytes_are_checked_reloaded_and_followed(
    own_gateway: Gateway, receiver: Receiver, parties: Path
) -> None:
    gateway, lists = own_gateway, own_gateway.folder / "large.crl"
    text, authority = LINE * (50 * 2**20 // len(LINE)), authority_of(parties)
    lists.write_bytes(text + crl(authority))
    gateway.config["identity"]["crl"] = "file:large.crl"
    gateway.write(gateway.config)
    reload(gateway, "reloaded")
    with gateway.connect() as client:
        assert client.ask(request()).status == 200
    with lists.open("ab") as file:
        file.write(b"\n")
    (line,) = reload(gateway, "reloaded")
    assert line["changed"] == ["file:large.crl"]
    lists.write_bytes(b"")
    os.truncate(lists, MAX_LISTS + 1)
    (line,) = reload(gateway, "reload_refused")
    assert f"file:large.crl is larger than {MAX_LISTS} octets" in str(line["problem"])
    assert lockgate("check", gateway.path).returncode == 1


def reload(gateway: Gateway, outcome: str) -> list[dict[str, object]]:
    since = gateway.mark()
    gateway.process.send_signal(signal.SIGHUP)
    gateway.wait_for(outcome, since)
    return gateway.logged(outcome, since)
