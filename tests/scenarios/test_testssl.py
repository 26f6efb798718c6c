"""testssl.sh against a listener: no weakness, and forward secrecy only.

Two listeners: as they are by default, and with TLS 1.2 for older clients. The quick part asks the
one that offers more for protocols and key exchange; all of it, vulnerabilities and simulated
clients too, takes minutes (`make test-large`).
"""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from tests.scenarios.gateway import Gateway
from tests.scenarios.parties import authority_of, put
from tests.scenarios.policy import policy
from tests.tls.paths import leaf

Finding = dict[str, str]
PLACE = x509.UniformResourceIdentifier("http://ca.lockgate.example/ca.crl")
POINT = x509.DistributionPoint([PLACE], None, None, None)
LISTENERS = ["ingest", "older"]
QUICK = ["--protocols", "--pfs"]
HARMLESS = {"OK", "INFO", "DEBUG"}
OF_THIS_MACHINE = {"engine_problem", "scanTime"}
"""What testssl.sh says of its own openssl."""


@pytest.fixture(scope="module")
def gateway(parties: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """With a certificate that says where its CRL is, whose absence would be a finding."""
    points = [x509.CRLDistributionPoints([POINT])]
    now = datetime.now(UTC)
    period = (now - timedelta(days=1), now + timedelta(days=300))
    listed = leaf(authority_of(parties), names=["localhost"], extensions=points, period=period)
    put(parties, "listed", listed)
    config = policy(parties, "https://localhost:1")
    for kind, suffix in (("certificate", "pem"), ("key", "key")):
        config["identity"][kind] = f"file:{parties / 'listed'}.{suffix}"
    config["listeners"]["older"] = config["listeners"]["ingest"] | {"tls": {"minimum": "1.2"}}
    running = Gateway(tmp_path_factory.mktemp("gateway"), parties, config | {"workers": 2})
    yield running
    running.close()


def findings(gateway: Gateway, listener: str, folder: Path, *arguments: str) -> list[Finding]:
    """Everything that testssl.sh has to say."""
    told, address = folder / "findings.json", gateway.address(listener)
    command = [
        "testssl", "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none",
        "--ip", address[0], "--add-ca", str(gateway.pki / "ca.pem"), "--jsonfile", str(told),
        *arguments, f"localhost:{address[1]}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert told.exists(), done.stdout + done.stderr
    found: list[Finding] = json.loads(told.read_text())
    return found


def require_strong(found: list[Finding], listener: str) -> None:
    """No weakness; and the suites and protocols that were offered are those of the manual."""
    weak = [
        each
        for each in found
        if each["severity"] not in HARMLESS and each["id"] not in OF_THIS_MACHINE
    ]
    assert not weak
    said = {each["id"]: each["finding"] for each in found}
    assert said["PFS"].startswith("offered")
    offered = {name: said[name] for name in said if name.startswith(("TLS1", "SSLv"))}
    taken = {name for name, text in offered.items() if text.startswith("offered")}
    assert taken == {"TLS1_3"} | ({"TLS1_2"} if listener == "older" else set())
    suites = [
        word
        for name, text in said.items()
        if name.startswith(("PFS_ciphers", "cipherorder_"))
        for word in text.split()
    ]
    assert suites
    assert all(suite.startswith(("TLS_", "ECDHE-")) for suite in suites)


def test_a_listener_offers_forward_secrecy_only(gateway: Gateway, tmp_path: Path) -> None:
    require_strong(findings(gateway, "older", tmp_path, *QUICK), "older")


@pytest.mark.large
@pytest.mark.parametrize("listener", LISTENERS)
def test_testssl_reports_no_weakness(gateway: Gateway, listener: str, tmp_path: Path) -> None:
    require_strong(findings(gateway, listener, tmp_path), listener)
