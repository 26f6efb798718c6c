"""OpenSSL's errors -> `TlsFailure`: the reasons that log and metric show.

pyOpenSSL raises one `Error` with a list of `(library, function, text)`. Texts are those of
OpenSSL; `alert` in one of them means that the *peer* refused us and said so (RFC 8446, 6.2).
"""

import re

from OpenSSL import SSL

from proxy.errors import TlsFailure

_TEXTS = (
    ("peer did not return a certificate", "no_certificate"),
    ("unsupported protocol", "protocol"),
    ("wrong ssl version", "protocol"),
    ("bad legacy version", "protocol"),
    ("inappropriate fallback", "protocol"),
    ("version too low", "protocol"),
    ("unsafe legacy renegotiation", "protocol"),
    ("no application protocol", "protocol"),
    ("bad signature", "unproven"),
    ("provider signature failure", "unproven"),
    ("no shared signature algorithms", "cipher"),
    ("no suitable signature algorithm", "cipher"),
    ("missing sigalgs extension", "cipher"),
    ("no ciphers specified", "cipher"),
    ("no shared cipher", "cipher"),
    ("wrong cipher", "cipher"),
    ("unknown cipher", "cipher"),
    ("no suitable key share", "group"),
    ("no suitable groups", "group"),
    ("no shared group", "group"),
    ("bad key share", "group"),
    ("wrong curve", "group"),
    ("http request", "plain_http"),
    ("https proxy request", "plain_http"),
    ("certificate verify failed", "untrusted"),
    ("protocol is shutdown", "closed"),
)
"""What an error text holds -> reason; the first that fits. Alerts are told apart before.

Whatever else OpenSSL finds is a message that no TLS library would send: `garbage`."""
_OURS = ("internal error", "malloc failure", "null parameter", "should not call", "uninitialized")
"""Not the peer's doing: `other`."""


OPENING = 64
"""Octets from the beginning of a connection that `translate` asks for: no more, to know HTTP by."""
_METHODS = tuple(
    method + b" "
    for method in (
        b"GET HEAD POST PUT DELETE PATCH OPTIONS TRACE CONNECT QUERY PRI PURGE "
        b"ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK MERGE MKACTIVITY "
        b"MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE ORDERPATCH PROPFIND PROPPATCH REBIND "
        b"REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL"
    ).split()
)
"""Known by a part of their name, where no more has come (the registry of RFC 9110, 16.1)."""
_REQUEST = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ (?:[/*]|[A-Za-z][A-Za-z0-9+.-]*:)")
"""RFC 9112, 3: any method, in any case, and what a target begins with. Other protocols begin with a
word and a space as well."""
_FEWEST = 5
"""A TLS record's header: OpenSSL judges no sooner."""


def translate(error: SSL.Error, opening: bytes = b"") -> TlsFailure:
    """The failure that an OpenSSL error means; `opening` is what the peer began with."""
    if isinstance(error, SSL.SysCallError):
        return TlsFailure("closed", "the peer closed the connection without close_notify")
    if isinstance(error, SSL.ZeroReturnError):
        return TlsFailure("closed", "the peer ended the connection")
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    texts = "; ".join(str(entry[-1]) for entry in queue)
    if not texts:
        return TlsFailure("other", type(error).__name__)
    reason = _reason(texts)
    if reason == "garbage" and _is_http(opening):
        reason = "plain_http"
    if reason == "unproven":
        texts = f"nothing proves that the peer is whose certificate it presented: {texts}"
    return TlsFailure(reason, texts)


def _reason(texts: str) -> str:
    if " alert " in texts:
        return "refused_by_peer"
    rest = "other" if any(text in texts for text in _OURS) else "garbage"
    return next((reason for text, reason in _TEXTS if text in texts), rest)


def _is_http(opening: bytes) -> bool:
    """A request, or the answer of an upstream; the octets may have come one by one."""
    if len(opening) < _FEWEST:
        return False
    shouted = opening.upper()
    begun = (method.startswith(shouted[: len(method)]) for method in _METHODS)
    return opening.startswith(b"HTTP/") or any(begun) or _REQUEST.match(opening) is not None
