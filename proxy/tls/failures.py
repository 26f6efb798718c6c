"""OpenSSL's errors -> `TlsFailure`: the reasons that log and metric show.

pyOpenSSL raises one `Error` with a list of `(library, function, text)`. Texts are those of
OpenSSL; `alert` in one of them means that the *peer* refused us and said so (RFC 8446, 6.2).
"""

from OpenSSL import SSL

from proxy.errors import TlsFailure

_TEXTS = (
    ("peer did not return a certificate", "no_certificate"),
    ("unsupported protocol", "protocol"),
    ("wrong ssl version", "protocol"),
    ("bad legacy version", "protocol"),
    ("inappropriate fallback", "protocol"),
    ("version too low", "protocol"),
    ("no shared cipher", "cipher"),
    ("wrong cipher", "cipher"),
    ("unknown cipher", "cipher"),
    ("no suitable key share", "group"),
    ("no suitable groups", "group"),
    ("no shared group", "group"),
    ("bad key share", "group"),
    ("wrong curve", "group"),
    ("http request", "garbage"),
    ("https proxy request", "garbage"),
    ("wrong version number", "garbage"),
    ("packet length too long", "garbage"),
    ("bad record type", "garbage"),
    ("record layer failure", "garbage"),
    ("unexpected message", "garbage"),
    ("unknown protocol", "garbage"),
    ("length", "garbage"),
    ("decode error", "garbage"),
    ("decryption failed", "garbage"),
    ("bad record mac", "garbage"),
    ("data between ccs", "garbage"),
    ("certificate verify failed", "untrusted"),
    ("nested asn1 error", "garbage"),
    ("protocol is shutdown", "closed"),
)
"""What an error text holds -> reason; the first that fits. Alerts are told apart before."""


def translate(error: SSL.Error) -> TlsFailure:
    """The failure that an OpenSSL error means."""
    if isinstance(error, SSL.SysCallError):
        return TlsFailure("closed", "the peer closed the connection without close_notify")
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    texts = "; ".join(str(entry[-1]) for entry in queue) or type(error).__name__
    return TlsFailure(_reason(texts), texts)


def _reason(texts: str) -> str:
    if " alert " in texts:
        return "refused_by_peer"
    return next((reason for text, reason in _TEXTS if text in texts), "other")
