"""One case of a corpus -> what `verify_path` says of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from proxy.errors import CredentialError, TlsFailure
from proxy.tls.context import read_trust
from proxy.tls.identity import UNREADABLE
from proxy.tls.offline import CLIENT, SERVER, verify_path
from proxy.tls.path import DEPTH
from proxy.tls.revocation import read_crls


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was expected of a case, and what came."""

    id: str
    valid: bool
    accepted: bool
    said: str

    @property
    def agrees(self) -> bool:
        return self.valid == self.accepted


def run(case: Mapping[str, Any]) -> Outcome:
    """`case` is a testcase of limbo.json."""
    try:
        said, accepted = _verify(case), True
    except (TlsFailure, CredentialError) as failure:
        said, accepted = str(failure), False
    except UNREADABLE as error:
        said, accepted = f"does not parse: {error}", False
    return Outcome(case["id"], case["expected_result"] == "SUCCESS", accepted, said)


def _verify(case: Mapping[str, Any]) -> str:
    trust = read_trust("".join(case["trusted_certs"]).encode())
    others = [
        x509.load_pem_x509_certificate(pem.encode()) for pem in case["untrusted_intermediates"]
    ]
    leaf = x509.load_pem_x509_certificate(case["peer_certificate"].encode())
    name = case["expected_peer_name"]
    at = case["validation_time"]
    depth = case["max_chain_depth"]
    path = verify_path(
        leaf,
        others,
        trust,
        usage=SERVER if case["validation_kind"] == "SERVER" else CLIENT,
        at=datetime.fromisoformat(at).astimezone(UTC) if at else None,
        name=name["value"] if name and name["kind"] in ("DNS", "IP") else None,
        crls=read_crls("".join(case.get("crls", ())).encode()) if case.get("crls") else (),
        depth=DEPTH if depth is None else depth,
    )
    return f"a path of {len(path)}"
