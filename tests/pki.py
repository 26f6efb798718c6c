"""A throwaway PKI for every test: made once a process, in memory, never written unless asked.

from tests.pki import pki, write

pki().gateway.certificate      # PEM chain, leaf first
write(tmp_path)                # the folder that `lockgate certs init` makes, plus strangers
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.cli.certs import make_folder, write_private, write_public
from proxy.tls.credentials import Credentials, parse_chain
from proxy.tls.pki import BOTH, CLIENT, SERVER, SKEW, Authority, issue, make_authority


@dataclass(frozen=True, slots=True)
class Pki:
    """A CA and everybody below it; and a foreign CA whose client looks just like ours."""

    authority: Authority
    gateway: Credentials
    client: Credentials
    receiver: Credentials
    stranger: Credentials
    """Another client of the same CA, `spiffe://lockgate.example/stranger`."""
    foreign: Authority
    impostor: Credentials
    """The same names as `client`, from the foreign CA."""

    @property
    def trust(self) -> bytes:
        """PEM bundle with our CA only."""
        return self.authority.pem


@functools.cache
def pki() -> Pki:
    """The one PKI of this process."""
    authority, foreign = make_authority("Test CA"), make_authority("Foreign CA")
    return Pki(
        authority=authority,
        gateway=issue(authority, "gateway", usages=BOTH),
        client=issue(authority, "client", usages=CLIENT),
        receiver=issue(authority, "receiver", usages=SERVER),
        stranger=issue(authority, "stranger", usages=CLIENT),
        foreign=foreign,
        impostor=issue(foreign, "client", usages=CLIENT),
    )


def write(folder: Path) -> Path:
    """What `lockgate certs init` writes, plus a stranger, a foreign CA and an impostor."""
    authority = make_folder(folder)
    foreign = make_authority("Foreign CA")
    stranger = issue(authority, "stranger", usages=CLIENT)
    impostor = issue(foreign, "client", usages=CLIENT)
    write_public(folder / "foreign-ca.pem", foreign.pem)
    for name, credentials in (("stranger", stranger), ("impostor", impostor)):
        write_public(folder / f"{name}.pem", credentials.certificate)
        write_private(folder / f"{name}.key", credentials.key)
    return folder


def make_crl(
    authority: Authority,
    revoked: Sequence[Credentials | Authority] = (),
    *,
    this_update: datetime | None = None,
    lifetime: timedelta = timedelta(days=30),
) -> bytes:
    """A PEM CRL of `authority` that revokes the leaves (or authorities) given."""
    own = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)
    begin = this_update or datetime.now(UTC) - SKEW
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(begin)
        .next_update(begin + lifetime)
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(issuer, critical=False)
    )
    for each in revoked:
        leaf = each.certificate if isinstance(each, Authority) else parse_chain(each.certificate)[0]
        entry = x509.RevokedCertificateBuilder().serial_number(leaf.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(begin).build())
    crl = builder.sign(authority.signer, hashes.SHA256())
    return crl.public_bytes(Encoding.PEM)
