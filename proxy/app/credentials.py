"""Certificates, authorities and masking keys of a configuration, each proven to be one."""

from collections.abc import Container

from cryptography import x509

from proxy.app.preparation import Path, Preparation
from proxy.app.references import public_references
from proxy.content.cipher import Cipher
from proxy.content.tokens import Tokenizer
from proxy.errors import CredentialError
from proxy.model import Certificate, ListInForce
from proxy.policy.hygiene import name_of, too_long
from proxy.settings.check_masks import keys_that_encrypt
from proxy.settings.schema import Tls
from proxy.tls.context import make_judge, read_trust, require_strong
from proxy.tls.credentials import Credentials, load_credentials, parse_chain, parse_key
from proxy.tls.identity import describe_authority, identify, identify_each
from proxy.tls.judge import Judge
from proxy.tls.revocation import read_crls, read_lists
from proxy.tls.standing import Revocations, rank, require_signed


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
    if trust is None or (named and crl is None):
        return None
    place: Path = (*path, "tls", "crl") if tls.crl else ("identity", "crl")
    return _paired(preparation, place, trust, crl)


def route_judge(preparation: Preparation, position: int) -> Judge | None:
    """Who may use a route that narrows the trust of its listener; None where it does not, or a
    problem has been noted."""
    route, path = preparation.loaded.settings.routes[position], ("routes", position)
    trust = preparation.read((*path, "trust"), route.trust, _trusted)
    crl = preparation.read((*path, "crl"), route.crl, read_crls)
    if trust is None or (route.crl and crl is None):
        return None
    if _paired(preparation, (*path, "crl"), trust, crl) is None:
        return None
    rule = preparation.loaded.settings.revocation
    return preparation.attempt(path, lambda: make_judge(trust, crl, rule, server=True))


def _paired(
    preparation: Preparation, place: Path, trust: bytes, crl: bytes | None
) -> tuple[bytes, bytes | None] | None:
    """Both, unless a list bears the name of an authority that has not signed it."""
    if crl is None:
        return trust, crl
    lists, authorities = read_lists(crl), read_trust(trust)
    before = len(preparation.problems)
    preparation.attempt(place, lambda: require_signed(lists, authorities))
    return (trust, crl) if len(preparation.problems) == before else None


def lists(preparation: Preparation) -> tuple[tuple[ListInForce, ...], ...]:
    """Every revocation list: those of a file, an issuer and a scope together, the oldest first."""
    settings = preparation.loaded.settings
    named: list[tuple[Path, str | None]] = [
        (("identity", "crl"), settings.identity.crl if settings.identity else None)
    ]
    for section, members in (("listeners", settings.listeners), ("upstreams", settings.upstreams)):
        named += [((section, name, "tls", "crl"), each.tls.crl) for name, each in members.items()]
    named += [(("routes", at, "crl"), route.crl) for at, route in enumerate(settings.routes)]
    rule = Revocations((), settings.revocation)
    found: dict[object, list[ListInForce]] = {}
    for reference, path in {reference: path for path, reference in named if reference}.items():
        content = preparation.read(path, reference, read_crls)
        for each in sorted(read_lists(content), key=rank) if content else ():
            begin, end, until = each.this_update, each.next_update, rule.fresh_until(each)
            listed = ListInForce(reference, each.issuer_text, begin, end, until)
            found.setdefault((reference, each.issuer, each.scope), []).append(listed)
    return tuple(map(tuple, found.values()))


def own_hygiene(preparation: Preparation, own: Credentials | None) -> tuple[tuple[str, str], ...]:
    """(kind, what) of all that is reported of our own certificate; what is refused is a problem."""
    settings = preparation.loaded.settings
    if own is None or settings.identity is None:
        return ()
    leaf, rules = identify(parse_chain(own.certificate)[0]), settings.hygiene
    found = {"lifetime": too_long(leaf, settings.identity.max_lifetime)}
    authorities = {each.spki_sha256 for role, each in certificates(preparation) if role == "trust"}
    if leaf.spki_sha256 in authorities:
        found["two_identities"] = f"{name_of(leaf)} has the key of an authority"
    reported = []
    for kind, what in found.items():
        care = getattr(rules, kind)
        if what is not None and care == "refuse":
            path = ("identity", "certificate")
            preparation.problems.append(preparation.loaded.problem(path, f"{kind}: {what}"))
        elif what is not None and care == "report":
            reported.append((kind, what))
    return tuple(reported)


def masking_keys(
    preparation: Preparation, only: Container[str] | None = None
) -> dict[str, list[tuple[str, bytes]]]:
    """Name -> (key id, secret), newest first; `only` of these names, where they are given."""
    keys: dict[str, list[tuple[str, bytes]]] = {}
    encrypting = keys_that_encrypt(preparation.loaded.settings)
    for name, versions in preparation.loaded.settings.keys.items():
        if only is not None and name not in only:
            continue
        keys[name] = []
        for position, version in enumerate(versions):

            def require(octets: bytes, name: str = name, key_id: str = version.id) -> None:
                if b"-----BEGIN" in octets:
                    raise CredentialError("a PEM file is no masking secret: it may be public")
                Tokenizer(name, [(key_id, octets.strip())])
                if name in encrypting:
                    Cipher(name, [(key_id, octets.strip())], None, "")

            path = ("keys", name, position, "secret")
            secret = preparation.read(path, version.secret, require)
            if secret is not None:
                keys[name].append((version.id, secret.strip()))
    return keys


def certificates(preparation: Preparation) -> tuple[tuple[str, Certificate], ...]:
    """(role, certificate) of all that expires: our own chain (`identity`, leaf first) and every
    authority that anything here trusts (`trust`), each once."""
    found: dict[bytes, tuple[str, Certificate]] = {}
    for place, reference in public_references(preparation.loaded.settings):
        pem = preparation.read_so_far.get(reference)
        if place[-1] == "crl" or pem is None:
            continue
        role = "identity" if place[-1] == "certificate" else "trust"
        chain = parse_chain(pem)
        known = identify_each(chain) if role == "identity" else map(describe_authority, chain)
        for certificate in known:
            found.setdefault(certificate.sha256, (role, certificate))
    return tuple(found.values())


def _identified(pem: bytes) -> list[Certificate]:
    return identify_each(parse_chain(pem))


def _trusted(pem: bytes) -> list[x509.Certificate]:
    authorities = read_trust(pem)
    for authority in authorities:
        describe_authority(authority)
    return authorities
