"""All are below an authority as SPIRE makes them: it is checked, run, and carries transfers."""

from pathlib import Path

import pytest

from tests.scenarios.client import request
from tests.scenarios.gateway import Gateway, lockgate
from tests.scenarios.parties import make_parties, put
from tests.scenarios.receiver import Receiver
from tests.tls.spire import spire_intermediate, spire_root, workload

EXPIRY = "lockgate_certificate_expiry_timestamp_seconds"


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, root = make_parties(tmp_path_factory.mktemp("spire")), spire_root()
    issuer = spire_intermediate(root)
    (folder / "ca.pem").write_bytes(root.pem)
    for name in ("gateway", "client", "receiver"):
        put(folder, name, workload(issuer, name))
    return folder


def test_a_root_and_an_intermediate_of_a_trust_domain_are_ours_like_any_other(
    gateway: Gateway, receiver: Receiver
) -> None:
    checked = lockgate("check", gateway.path)
    assert checked.returncode == 0, checked.stderr
    with gateway.connect() as client:
        assert client.ask(request()).status == 200
    assert gateway.admin("/reload", method="POST")[0] == 200
    roles = {sample.labels["role"] for sample in gateway.samples(EXPIRY)}
    assert roles == {"identity", "trust"}
