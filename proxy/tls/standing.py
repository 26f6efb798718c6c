"""Whether a path that was verified is revoked, and until when the answer stands.

    standing = Revocations(lists, rule).require(path, now)    # or TlsFailure: revoked, crl

Revocation (RFC 5280, 6.3) is judged here and not by OpenSSL, whose flags know all or nothing. For
each certificate of the path there count the lists that bear its issuer's name, are in scope and
carry the issuer's signature, of each scope the newest of those whose time has come: by thisUpdate,
then by number; where both are the same they count together. One whose thisUpdate is ahead replaces
none until then, and covers nobody; whom it names is revoked already.

    named by one of them      refused, `revoked`, in every mode and however old the list is
    covered by a fresh one    accepted, until that list is fresh no more
    else                      refused, `crl`, where `mode` demands cover; reported where it is soft

`mode: leaf` demands it of the peer's own certificate, and of an authority where its issuer has
given a list at all; `hard` of every certificate below the trust anchor. Without any list nothing is
asked.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa

from proxy.errors import CredentialError, TlsFailure
from proxy.settings.trust import Revocation
from proxy.tls.identity import printable
from proxy.tls.revocation import RevocationList, Scope

_SIGNATURES = 4096
_SIGNING = (
    ec.EllipticCurvePublicKey, rsa.RSAPublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey,
    mldsa.MLDSA44PublicKey, mldsa.MLDSA65PublicKey, mldsa.MLDSA87PublicKey,
)  # fmt: skip
Path = Sequence[x509.Certificate]
"""Leaf first, trust anchor last."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An accepted path."""

    until: datetime
    """From then on it has to be judged again."""
    unknown: tuple[str, ...] = ()
    """What nothing is known of, and `mode: soft` lets pass: for log and metric."""


Unrevoked = Callable[[Path, datetime], Standing]
"""Raises `TlsFailure`: `revoked`, `crl`."""


class Revocations:
    """Lists, and what is made of them."""

    def __init__(self, lists: Sequence[RevocationList], rule: Revocation) -> None:
        self.rule = rule
        self._lists: dict[x509.Name, list[RevocationList]] = {}
        for each in lists:
            self._lists.setdefault(each.issuer, []).append(each)
        self._is_by = functools.lru_cache(maxsize=_SIGNATURES)(_is_by)

    def require(self, path: Path, now: datetime) -> Standing:
        """Raises `TlsFailure`: `revoked`, `crl`."""
        until, unknown = min([each.not_valid_after_utc for each in path]), []
        if not self._lists:
            return Standing(until)
        spoken = [self._lists_of(*pair, now) for pair in pairwise([*path, path[-1]])]
        for certificate, (current, coming) in zip(path, spoken, strict=True):
            if any(certificate.serial_number in each.serials for each in (*current, *coming)):
                raise TlsFailure("revoked", f"revoked by its issuer: {_described(certificate)}")
        for place, certificate in enumerate(path[:-1]):  # for the trust anchor nobody has to vouch
            current, coming = spoken[place]
            limits = [self.fresh_until(each) for each in current]
            later = [each.this_update for each in coming]
            fresh = max(limits, default=None)
            if fresh is not None and now <= fresh:
                until = min([until, fresh, *later])
            elif self._demands(place, certificate):
                raise TlsFailure("revocation_unknown", _uncovered(certificate, stale=bool(limits)))
            else:
                unknown.append(_uncovered(certificate, stale=bool(limits)))
                until = min([until, *later])
        return Standing(until, tuple(unknown) if self.rule.mode == "soft" else ())

    def fresh_until(self, each: RevocationList) -> datetime:
        """When a list ceases to cover anybody."""
        age = self.rule.max_age
        return (
            min(each.next_update, each.this_update + timedelta(seconds=age))
            if age
            else each.next_update
        )

    def _demands(self, place: int, certificate: x509.Certificate) -> bool:
        if self.rule.mode == "leaf":
            return place == 0 or certificate.issuer in self._lists
        return self.rule.mode == "hard"

    def _lists_of(
        self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime
    ) -> tuple[list[RevocationList], list[RevocationList]]:
        """By its issuer and about it: of each scope the newest in force, and all that are ahead."""
        current: list[RevocationList] = []
        coming: list[RevocationList] = []
        for each in self._lists.get(certificate.issuer, ()):
            if not each.speaks_of(certificate) or not self._is_by(each, issuer):
                continue
            (coming if each.this_update > now else current).append(each)
        return _newest(current), coming


def _newest(lists: Sequence[RevocationList]) -> list[RevocationList]:
    """Those of each scope that none of it follows."""
    last: dict[Scope, tuple[datetime, int]] = {}
    for each in lists:
        last[each.scope] = max(rank(each), last.get(each.scope, rank(each)))
    return [each for each in lists if rank(each) == last[each.scope]]


def rank(each: RevocationList) -> tuple[datetime, int]:
    """The greater, the newer (RFC 5280, 5.2.3)."""
    return each.this_update, each.number


def require_signed(
    lists: Sequence[RevocationList], authorities: Sequence[x509.Certificate]
) -> None:
    """Raises `CredentialError` for a list that an authority should have signed, and has not."""
    for each in lists:
        named = [one for one in authorities if one.subject == each.issuer and _fits(each, one)]
        if named and not any(_is_by(each, one) for one in named):
            raise CredentialError(
                f"a CRL bears the name of an authority that has not signed it: {each.issuer_text}"
            )


def _is_by(each: RevocationList, issuer: x509.Certificate) -> bool:
    """RFC 5280, 6.3.3 (f) and (g): the issuer may sign lists, and has signed this one."""
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.crl_sign:
            return False
    except x509.ExtensionNotFound:
        pass
    key = issuer.public_key()
    if not isinstance(key, _SIGNING) or not _fits(each, issuer):
        return False
    return each.crl.is_signature_valid(key)


def _fits(each: RevocationList, issuer: x509.Certificate) -> bool:
    """Whether the key identifiers agree; an authority may have had several keys by one name."""
    try:
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return True
    return each.key_identifier is None or each.key_identifier == own


def _uncovered(certificate: x509.Certificate, *, stale: bool) -> str:
    state = "the list of its issuer is not fresh" if stale else "there is no list of its issuer"
    return f"{state}: {printable(certificate.issuer)[:200]}"


def _described(certificate: x509.Certificate) -> str:
    return f"{printable(certificate.subject)[:200]!r}, serial {certificate.serial_number:x}"
