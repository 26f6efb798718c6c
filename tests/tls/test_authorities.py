"""What is above a leaf is described and not identified: its names are no peer's."""

import json
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.cli import main
from proxy.errors import CredentialError, TlsFailure
from proxy.tls.context import read_trust
from proxy.tls.credentials import parse_chain
from proxy.tls.identity import describe_authority, identify, identify_each
from proxy.tls.pki import Authority
from tests.tls import paths
from tests.tls.makers import odd_authority
from tests.tls.pump import client_side, connected, reasons, server_side
from tests.tls.spire import DOMAIN, spire_intermediate, spire_root, workload


def with_alternative(*names: str) -> Authority:
    held = x509.SubjectAlternativeName([paths.general(name) for name in names])
    return paths.authority("Named", None, extensions=[held])


def test_authorities_of_a_trust_domain_let_their_workloads_in() -> None:
    root = spire_root()
    below = spire_intermediate(root)
    one, other = workload(below, "one"), workload(below, "other")
    server, _ = connected(server_side(one, trust=root.pem), client_side(other, trust=root.pem))
    assert server.certificate is not None
    assert server.certificate.spiffe == f"{DOMAIN}/other"


def test_a_leaf_without_a_path_is_still_nobody() -> None:
    root = spire_root()
    lone = paths.leaf(root, names=[DOMAIN])
    server = server_side(workload(root, "one"), trust=root.pem)
    assert reasons(server, client_side(lone, trust=root.pem))[0] == "identity"
    with pytest.raises(TlsFailure, match="SPIFFE ID is not valid"):
        identify(parse_chain(lone.certificate)[0])


@pytest.mark.parametrize(
    ("names", "known"),
    [
        ((DOMAIN,), DOMAIN),
        ((DOMAIN, "spiffe://other.example"), None),
        (("spiffe://Lockgate.Example",), None),
        (("https://acme.example", "two words.example", "10.0.0.1"), None),
        ((), None),
    ],
)
def test_of_the_names_of_an_authority_only_that_of_its_trust_domain_is_told(
    names: tuple[str, ...], known: str | None
) -> None:
    authority = with_alternative(*names) if names else paths.root()
    described = describe_authority(authority.certificate)
    assert (described.spiffe, described.sans) == (known, (known,) if known else ())
    assert described.serial == authority.certificate.serial_number
    assert described.not_after == authority.certificate.not_valid_after_utc
    assert described.der == authority.certificate.public_bytes(Encoding.DER)


def test_a_chain_of_ones_own_is_a_leaf_and_its_authorities() -> None:
    below = spire_intermediate(spire_root())
    chain = parse_chain(workload(below, "gateway").certificate)
    assert [each.spiffe for each in identify_each(chain)] == [f"{DOMAIN}/gateway", DOMAIN]
    with pytest.raises(TlsFailure):
        identify_each(chain[::-1])


def test_an_authority_that_cannot_be_read_is_refused_wherever_it_is_given(tmp_path: Path) -> None:
    odd = odd_authority()
    with pytest.raises(CredentialError, match="does not parse"):
        read_trust(odd.pem)
    with pytest.raises(TlsFailure, match="does not parse"):
        describe_authority(odd.certificate)
    path = tmp_path / "odd.pem"
    path.write_bytes(odd.pem)
    assert main(["certs", "inspect", str(path)]) == 1


def test_inspect_and_verify_show_authorities_of_a_trust_domain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = spire_root()
    chain, bundle = tmp_path / "chain.pem", tmp_path / "root.pem"
    chain.write_bytes(workload(spire_intermediate(root), "one").certificate)
    bundle.write_bytes(root.pem)
    assert main(["certs", "inspect", "--json", str(chain), str(bundle)]) == 0
    shown = [json.loads(line)["certificates"] for line in capsys.readouterr().out.splitlines()]
    assert [each["names"][0] for said in shown for each in said] == [
        f"{DOMAIN}/one",
        DOMAIN,
        DOMAIN,
    ]
    words = ["--trust", str(bundle), "--usage", "client", "--json", str(chain)]
    assert main(["certs", "verify", *words]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["path"]) == 3
