"""Why Lockgate says something else than a corpus expects: each is a row of docs/identity.md.

Two kinds. Rules of the public web that are not asked of private authorities: such a certificate is
let in, and RFC 5280 has nothing against it. And certificates that somebody could let in, which are
refused: each by a rule that is stricter than RFC 5280, or since OpenSSL builds one path and does
not go back. A difference that is not here fails the run.
"""

import re

from tests.limbo.vectors import Outcome

WEB_ONLY = {
    r"webpki::cn::": "the common name has to be one of the alternative names",
    r"webpki::eku::(ee-anyeku|ee-critical-eku|root-has-eku)": "forms of extendedKeyUsage",
    r"webpki::san::public-suffix-": "no wildcard on a public suffix",
    r"webpki::san::san-critical-with-nonempty-subject": "criticality of subjectAltName",
}
"""Id -> the rule of the public web that is not applied."""

_ONE_PATH = "OpenSSL builds one path and does not go back"
STRICTER = {
    (r"crl::issuer-no-keyusage", r"without keyUsage"): "an authority has keyUsage",
    (r"(pathlen|rfc5280)::", r"stands for no peer"): "an authority is no peer",
    (r"rfc5280::eku::ee-without-eku", r"no extendedKeyUsage"): "extendedKeyUsage is written",
    (r"rfc5280::root-and-inter", r"get issuer cert"): "a trust anchor is self-signed",
    (r"bettertls::pathbuilding::tc2$", r"get issuer cert"): "a trust anchor is self-signed",
    (r"webpki::nc::permitted-dns-match-noncritical", r"critical"): "nameConstraints are critical",
    (r"cve::cve-2024-0567", r"get issuer cert"): "a trust anchor is self-signed",
    (r"rfc5280::nc::nc-forbids-(alternate|same)-chain", r"."): _ONE_PATH,
    (r"bettertls::pathbuilding::", r"."): _ONE_PATH,
    (
        r"bettertls::nameconstraints::",
        r"(permitted|excluded) violation, depth 0",
    ): "a common name that looks like a host is held against constraints on hosts",
}
"""Id and what was said -> the rule that is stricter than RFC 5280."""


def explanation(outcome: Outcome) -> str | None:
    """The rule that a difference comes from; None for a defect."""
    if outcome.accepted:
        return next((why for case, why in WEB_ONLY.items() if re.match(case, outcome.id)), None)
    for (case, said), why in STRICTER.items():
        if re.match(case, outcome.id) and re.search(said, outcome.said):
            return why
    return None
