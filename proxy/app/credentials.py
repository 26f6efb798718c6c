"""Every file that a configuration names: read once, and proven to be what its place demands.

A mistake is told at the key that names the file, and all of them are told at once: nothing is built
from any file before each has been tried under its own name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from cryptography import x509

from proxy.content.tokens import Tokenizer
from proxy.errors import CredentialError, EvidenceError, Problem, TlsFailure
from proxy.model import Certificate
from proxy.notary import keys as notary_keys
from proxy.notary.offer import sites
from proxy.receipt.policy import Policy, parse_policy
from proxy.settings.load import Loaded
from proxy.settings.schema import Tls
from proxy.settings.secrets import read_secret
from proxy.tls.context import read_trust, require_strong
from proxy.tls.credentials import Credentials, load_credentials, parse_chain, parse_key
from proxy.tls.identity import identify
from proxy.tls.revocation import read_crls

T = TypeVar("T")
Path = tuple[str | int, ...]
Secrets = Mapping[str, bytes]
"""Secret reference -> the octets behind it."""


@dataclass(frozen=True, slots=True, repr=False)
class ReceiptKeys:
    """What the notary opens its log with, and nobody else has."""

    keys: notary_keys.Keys
    previous: bytes | None
    """PEM of the receipt key before."""
    policy: Policy | None = None
    """Whose witnesses are offered each checkpoint."""


class Preparation:
    """Collects what is wrong while it reads and builds what is right.

    With `secrets` no file and no variable is read: what is not among them is not there.
    """

    def __init__(self, loaded: Loaded, secrets: Secrets | None = None) -> None:
        self.loaded = loaded
        self.problems: list[Problem] = []
        self.read_so_far: dict[str, bytes] = {}
        """Every reference that was read, with what it refers to."""
        self._secrets = secrets
        self._octets: dict[Path, bytes | None] = {}

    def attempt(self, path: Path, build: Callable[[], T]) -> T | None:
        """`build()`, or None and a problem at `path`."""
        try:
            return build()
        except TlsFailure as failure:
            message = failure.detail
        except (CredentialError, ValueError) as error:
            message = str(error)
        self.problems.append(self.loaded.problem(path, message))
        return None

    def read(
        self, path: Path, reference: str | None, require: Callable[[bytes], object]
    ) -> bytes | None:
        """The octets behind the reference at `path`, of which `require` makes sure; or None.

        Read once, so that all who use a file use the same one even while somebody replaces it.
        """
        if reference is not None and path not in self._octets:

            def proven() -> bytes:
                octets = self._read(reference)
                require(octets)
                return octets

            self._octets[path] = self.attempt(path, proven)
        return self._octets.get(path)

    def _read(self, reference: str) -> bytes:
        if self._secrets is None:
            octets = self.read_so_far.get(reference)
            octets = octets or read_secret(reference, self.loaded.directory)
        elif reference in self._secrets:
            octets = self._secrets[reference]
        else:
            raise CredentialError(f"{reference} is not for this process")
        self.read_so_far[reference] = octets
        return octets


def own_credentials(preparation: Preparation) -> Credentials | None:
    """The gateway's certificate and key; None where there are none, or a problem has been noted."""
    identity = preparation.loaded.settings.identity
    if identity is None:
        return None
    certificate = preparation.read(("identity", "certificate"), identity.certificate, _identified)
    key = preparation.read(("identity", "key"), identity.key, parse_key)
    if certificate is None or key is None:
        return None

    def load() -> Credentials:
        own = load_credentials(certificate, key)
        require_strong(own)
        return own

    return preparation.attempt(("identity", "key"), load)


def own_trust(preparation: Preparation) -> tuple[bytes | None, bytes | None]:
    """Trust bundle and CRL of `identity`, tried even where every listener names its own."""
    identity = preparation.loaded.settings.identity
    if identity is None:
        return None, None
    trust = preparation.read(("identity", "trust"), identity.trust, _trusted)
    return trust, preparation.read(("identity", "crl"), identity.crl, read_crls)


def trust_of(preparation: Preparation, path: Path, tls: Tls) -> tuple[bytes, bytes | None] | None:
    """Trust bundle and CRL of a listener or upstream: its own, or those of `identity`, whose CRL
    speaks of its own authorities only and says nothing where another trust is named. None where
    there is no trust, or where a problem with either has been noted."""
    trust, crl = (None, None) if tls.trust else own_trust(preparation)
    inherited = preparation.loaded.settings.identity
    named = tls.crl or (inherited.crl if inherited and not tls.trust else None)
    if tls.trust:
        trust = preparation.read((*path, "tls", "trust"), tls.trust, _trusted)
    if tls.crl:
        crl = preparation.read((*path, "tls", "crl"), tls.crl, read_crls)
    return None if trust is None or (named and crl is None) else (trust, crl)


def masking_keys(preparation: Preparation) -> dict[str, list[tuple[str, bytes]]]:
    """Name -> (key id, secret), newest first."""
    keys: dict[str, list[tuple[str, bytes]]] = {}
    for name, versions in preparation.loaded.settings.keys.items():
        keys[name] = []
        for position, version in enumerate(versions):

            def require(octets: bytes, name: str = name, key_id: str = version.id) -> Tokenizer:
                if b"-----BEGIN" in octets:
                    raise CredentialError("a PEM file is no masking secret: it may be public")
                return Tokenizer(name, [(key_id, octets.strip())])

            path = ("keys", name, position, "secret")
            secret = preparation.read(path, version.secret, require)
            if secret is not None:
                keys[name].append((version.id, secret.strip()))
    return keys


def receipt_keys(preparation: Preparation) -> ReceiptKeys | None:
    """The keys of the notary, each proven to be one; None when a problem has been noted."""
    receipts = preparation.loaded.settings.receipts
    key = _ed25519(preparation, "key", receipts.key, "the receipt key")
    log_key = _ed25519(preparation, "log_key", receipts.log_key, "the log key")
    previous = _ed25519(
        preparation, "previous_key", receipts.previous_key, "the previous receipt key"
    )
    pq = preparation.read(("receipts", "log_pq_key"), receipts.log_pq_key, notary_keys.load_mldsa44)
    missing = (receipts.log_pq_key and pq is None) or (receipts.previous_key and previous is None)
    file = preparation.read(("receipts", "policy"), receipts.policy, _policy)
    if key is None or log_key is None or missing or (receipts.policy and file is None):
        return None
    together = partial(notary_keys.load, receipts.origin, key, log_key, pq)
    keys = preparation.attempt(("receipts", "log_key"), together)
    if keys is None:
        return None
    if previous is not None and not preparation.attempt(
        ("receipts", "previous_key"), partial(_require_other, previous, keys)
    ):
        return None
    policy = None if file is None else _policy(file)
    if policy is not None and not preparation.attempt(
        ("receipts", "policy"), partial(_require_named, policy, keys)
    ):
        return None
    return ReceiptKeys(keys, previous, policy)


def _policy(octets: bytes) -> Policy:
    try:
        policy = parse_policy(octets)
        sites(policy)
    except EvidenceError as error:
        raise CredentialError(str(error)) from None
    return policy


def _require_named(policy: Policy, keys: notary_keys.Keys) -> bool:
    """A policy that names logs and not this one was meant for another gateway."""
    if policy.logs and not set(policy.logs) & set(keys.vkeys()):
        raise CredentialError("names other logs, but not this one under its key")
    return True


def _require_other(previous: bytes, keys: notary_keys.Keys) -> bool:
    """Two files may hold one key."""
    if keys.before(previous).receipt.private_bytes_raw() == keys.receipt.private_bytes_raw():
        raise CredentialError("the same key as `key`: name the one that it replaces, or none")
    return True


def _ed25519(preparation: Preparation, name: str, reference: str | None, what: str) -> bytes | None:
    require = partial(notary_keys.load_ed25519, what=what)
    return preparation.read(("receipts", name), reference, require)


def certificates(preparation: Preparation) -> tuple[tuple[str, Certificate], ...]:
    """(role, certificate) of all that expires: our own chain (`identity`, leaf first) and every
    authority that anything here trusts (`trust`), each once."""
    settings = preparation.loaded.settings
    identity = settings.identity
    found: dict[bytes, tuple[str, Certificate]] = {}

    def note(role: str, pem: bytes | None) -> None:
        for each in parse_chain(pem) if pem else ():
            certificate = identify(each)
            found.setdefault(certificate.sha256, (role, certificate))

    if identity is not None:
        path: Path = ("identity", "certificate")
        note("identity", preparation.read(path, identity.certificate, _identified))
        note("trust", preparation.read(("identity", "trust"), identity.trust, _trusted))
    for section, members in (("listeners", settings.listeners), ("upstreams", settings.upstreams)):
        for name, member in members.items():
            if member.tls.trust is not None:
                path = (section, name, "tls", "trust")
                note("trust", preparation.read(path, member.tls.trust, _trusted))
    return tuple(found.values())


def _identified(pem: bytes) -> Certificate:
    return identify(parse_chain(pem)[0])


def _trusted(pem: bytes) -> list[x509.Certificate]:
    authorities = read_trust(pem)
    for authority in authorities:
        identify(authority)
    return authorities
