"""Clients that are programs of their own: curl, wget, ab, and in Node fetch and https.request."""

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE
from tests.scenarios.clients.senders import Ask, Place, answer, program
from tests.scenarios.message import Fields, Message

FETCH = Path(__file__).with_name("fetch.mjs")
REQUEST = Path(__file__).with_name("ask.mjs")


def _run(
    command: list[str | Path], ok: tuple[int, ...] = (0,)
) -> "subprocess.CompletedProcess[bytes]":
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode in ok, f"{command}: {done.returncode}\n{done.stderr.decode()}"
    return done


def _body_file(place: Place, ask: Ask) -> Path:
    file = place.folder / "body"
    file.write_bytes(ask.body or b"")
    return file


def _heads(text: str) -> list[tuple[int, Fields]]:
    """Final heads in what a program printed."""
    found: list[tuple[int, Fields]] = []
    for line in text.splitlines():
        if status := re.match(r"HTTP/1\.[01] (\d{3})", line):
            found.append((int(status[1]), []))
        elif ":" in line and found:
            name, _, value = line.partition(":")
            found[-1][1].append((name, value.strip()))
    return [(status, fields) for status, fields in found if status >= 200]


# --- curl ----------------------------------------------------------------------------------------


def send_by_curl(place: Place, ask: Ask, times: int) -> list[Message]:
    heads = place.folder / "heads"
    command: list[str | Path] = [
        program("curl"), "-q", "-sS", "--tlsv1.3", "--cert", place.certificate,
        "--key", place.key, "--cacert", place.trust, "-D", heads,
    ]  # fmt: skip
    command += ["-I"] if ask.method == "HEAD" else ["-X", ask.method]
    for name, value in ask.fields.items():
        command += ["-H", f"{name}: {value}"]
    if ask.chunked:
        command += ["-H", "Transfer-Encoding: chunked"]
    command += ["-H", "Expect: 100-continue" if ask.expect else "Expect:"]
    if ask.body is not None:
        command += ["--data-binary", f"@{_body_file(place, ask)}"]
    outs = [place.folder / f"out-{number}" for number in range(times)]
    for out in outs:
        out.write_bytes(b"")
        command += ["-o", out, place.url + ask.path]
    _run(command)
    bodies = [b"" if ask.method == "HEAD" else out.read_bytes() for out in outs]
    said = _heads(heads.read_text())
    return [answer(*head, body) for head, body in zip(said, bodies, strict=True)]


# --- wget ----------------------------------------------------------------------------------------

_SERVER_ERROR = 8


def send_by_wget(place: Place, ask: Ask, times: int) -> list[Message]:
    out = place.folder / "out"
    command: list[str | Path] = [
        program("wget"), "--no-config", "--no-verbose", "--server-response", "--tries=1",
        f"--timeout={PATIENCE:.0f}", "--content-on-error", "--no-hsts", "--secure-protocol=TLSv1_3",
        f"--certificate={place.certificate}", f"--private-key={place.key}",
        f"--ca-certificate={place.trust}", f"--method={ask.method}", "-O", out,
    ]  # fmt: skip
    for name, value in ask.fields.items():
        command += [f"--header={name}: {value}"]
    if ask.body is not None:
        command += [f"--body-file={_body_file(place, ask)}"]
    done = _run([*command, *[place.url + ask.path] * times], (0, _SERVER_ERROR))
    whole = out.read_bytes() if out.exists() else b""
    told = [line[2:] for line in done.stderr.decode().splitlines() if line.startswith("  ")]
    heads = _heads("\n".join(told))
    each = len(whole) // times  # the answers are alike, and one file has them all
    return [answer(*head, whole[n * each :][:each]) for n, head in enumerate(heads)]


# --- Apache Bench --------------------------------------------------------------------------------


def send_by_ab(place: Place, ask: Ask, times: int) -> list[Message]:
    both = place.folder / "both.pem"
    both.write_bytes(place.certificate.read_bytes() + place.key.read_bytes())
    command: list[str | Path] = [
        program("ab"), "-q", "-k", "-l", "-v", "4", "-n", str(times), "-c", "1",
        "-s", f"{PATIENCE:.0f}", "-f", "TLS1.3", "-E", both,
    ]  # fmt: skip
    if ask.body is not None:
        command += ["-p", _body_file(place, ask), "-T", ask.kind]
    if ask.method == "HEAD":
        command += ["-i"]
    done = _run([*command, place.url + ask.path])
    said = done.stdout
    assert b"Failed requests:        0\n" in said, said[-2000:]
    assert b"Complete requests:      %d\n" % times in said
    answers = []
    for part in said.split(b"LOG: header received:\n")[1:]:
        ((status, fields),) = _heads(part.partition(b"\r\n\r\n")[0].decode("latin-1"))
        answers.append(answer(status, fields))
    return answers


# --- Node ----------------------------------------------------------------------------------------


def _in_node(script: Path, place: Place, ask: Ask, times: int, **more: object) -> Any:
    task = {
        "cert": str(place.certificate), "key": str(place.key), "ca": str(place.trust),
        "url": place.url + ask.path, "method": ask.method, "headers": ask.fields,
        "body": None if ask.body is None else str(_body_file(place, ask)),
        "chunked": ask.chunked, "expect": ask.expect, "times": times,
    } | more  # fmt: skip
    done = _run([program("node"), script, json.dumps(task)])
    assert not done.stderr, done.stderr.decode()
    return json.loads(done.stdout)


def send_by_fetch(place: Place, ask: Ask, times: int) -> list[Message]:
    return list(map(_from_node, _in_node(FETCH, place, ask, times)))


def send_by_node(place: Place, ask: Ask, times: int) -> list[Message]:
    return list(map(_from_node, ask_by_node(place, ask, times)))


def ask_by_node(
    place: Place, ask: Ask, times: int, trailers: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """https.request: status, headers, body (base64), interim answers and trailers of each."""
    announced = {"Trailer": ", ".join(trailers)} if trailers else {}
    headers = ask.fields | announced
    found: list[dict[str, Any]] = _in_node(
        REQUEST, place, ask, times, trailers=trailers, headers=headers
    )
    return found


def _from_node(got: dict[str, Any]) -> Message:
    return answer(got["status"], list(map(tuple, got["headers"])), base64.b64decode(got["body"]))
