"""What a sender is told when its transfer does not cross: the public tables, and nothing of us.

`PROBLEMS` has the codes: a code, once published, keeps its meaning. `ADVICE` says what to do.
"""

from typing import Final

PROBLEMS: Final[dict[str, tuple[int, str]]] = {
    "duplicate": (200, "This transfer has been delivered already; it was answered as it was then"),
    "malformed-request": (400, "The request is not well-formed HTTP/1.1"),
    "path-not-normal": (400, "The request path is not in normal form"),
    "transfer-id-malformed": (400, "Transfer-Id is not a UUID"),
    "transfer-id-required": (400, "This route requires a Transfer-Id"),
    "content-unexpected": (400, "This route does not admit content with this method"),
    "digest-malformed": (400, "Content-Digest or Repr-Digest is not well-formed"),
    "digest-required": (400, "This route requires a Content-Digest with sha-256 or sha-512"),
    "digest-mismatch": (400, "The content does not match its Content-Digest or Repr-Digest"),
    "request-incomplete": (400, "The request ended before its content was complete"),
    "not-allowed": (403, "This peer may not use this route"),
    "certificate-revoked": (403, "The certificate of this peer has been revoked"),
    "certificate-expired": (403, "The certificate of this peer has expired"),
    "certificate-withdrawn": (403, "The certificate of this peer is not accepted any more"),
    "signature-required": (400, "This route requires a signature (RFC 9421)"),
    "signature-malformed": (400, "The signature is not well-formed"),
    "signature-refused": (403, "The signature is not one that this route admits"),
    "signature-expired": (403, "The signature is not in force: too old, or not yet"),
    "above-clearance": (403, "The content is labelled above the clearance of its destination"),
    "no-route": (404, "No route matches this request"),
    "request-timeout": (408, "The request did not arrive in time"),
    "replayed": (409, "This Transfer-Id has been delivered already"),
    "signature-replayed": (409, "This signature has been used already"),
    "id-reused": (409, "This Transfer-Id has been delivered already, with another request"),
    "undecided": (409, "An attempt with this Transfer-Id ended without a known result"),
    "in-flight": (409, "This Transfer-Id is being transferred now"),
    "condition-refused": (412, "This route does not admit conditions on entity tags in a write"),
    "content-too-large": (413, "The content is larger than this route admits"),
    "content-not-allowed": (415, "This route does not admit content of this type or coding"),
    "unparseable": (422, "The content does not parse as what this route demands"),
    "finding-rejected": (422, "The content holds data that this route does not admit"),
    "rate-limited": (429, "This peer has sent as much as it may for now"),
    "head-too-large": (431, "The request head is too large"),
    "internal": (500, "Lockgate failed; the transfer did not cross"),
    "method-refused": (501, "Lockgate does not answer or carry requests of this method"),
    "upgrade-refused": (501, "Lockgate does not switch protocols or open tunnels here"),
    "answer-refused": (502, "The answer holds what this route does not admit"),
    "upstream-unreachable": (502, "The upstream cannot be reached"),
    "upstream-identity": (502, "The upstream is not who it should be"),
    "upstream-withdrawn": (502, "The certificate of the upstream is not accepted any more"),
    "upstream-malformed": (502, "The upstream did not answer in well-formed HTTP/1.1"),
    "upstream-closed": (502, "The upstream closed the connection before it had answered"),
    "cut-off": (503, "The connection was cut off before the transfer had ended"),
    "overloaded": (503, "Lockgate is shedding load"),
    "log-unavailable": (503, "The receipt log cannot be written"),
    "tunnel-idle": (503, "The tunnel was ended because nothing moved in it for too long"),
    "tunnel-lifetime": (503, "The tunnel was ended because it had lived for as long as it may"),
    "upstream-timeout": (504, "The upstream did not answer in time"),
    "loop": (508, "This request has passed this gateway before"),
}
"""Problem code -> (HTTP status, title). The `type` on the wire is `urn:lockgate:problem:CODE`.

`duplicate` never stands on the wire: it is why an attempt did not cross whose transfer had been
delivered before, and which was answered with the status of then (docs/http.md). Nor do those of
tunnels, in which nobody can be told anything (docs/tunnels.md).
"""

ADVICE: Final[dict[str, str]] = {
    "duplicate": "Nothing is left to do.",
    "malformed-request": "Send it with a library that writes HTTP/1.1; the same octets will be "
    "refused again.",
    "path-not-normal": "Take dot segments, doubled slashes and needless escapes out of the path; "
    "write escapes in capitals.",
    "transfer-id-malformed": "Send one Transfer-Id, a UUID such as "
    "f81d4fae-7dec-41d0-a765-00a0c91e6bf6, or none.",
    "transfer-id-required": "Send a Transfer-Id: a new UUID for each transfer, the same for every "
    "attempt at it.",
    "content-unexpected": "Send it without content, or with POST, PUT or PATCH.",
    "digest-malformed": "Write Content-Digest and Repr-Digest as RFC 9530 has them: "
    "sha-256=:BASE64:. What comes in the trailers has to be announced in Trailer.",
    "digest-required": "Send Content-Digest: sha-256=:BASE64:, in the head or announced for the "
    "trailers.",
    "digest-mismatch": "Take the digest of the content as it is sent, codings included, and send "
    "both again: one of them changed.",
    "request-incomplete": "Send it again whole, with the same Transfer-Id; nothing of it counts.",
    "not-allowed": "Ask the gateway's operator for admission and name the instance: sending it "
    "again does not help.",
    "certificate-revoked": "Get a new certificate, with a new key; sending it again does not help.",
    "certificate-expired": "Renew the certificate, with a new key, and send it again.",
    "certificate-withdrawn": "Ask the gateway's operator which certificates are accepted, and name "
    "the instance.",
    "signature-required": "Sign the request as Accept-Signature says, with a key of yours that the "
    "gateway knows; lockgate send --sign does it.",
    "signature-malformed": "Write Signature-Input and Signature as RFC 9421 has them, and one "
    "signature with the tag that Accept-Signature names.",
    "signature-refused": "Sign with a key that the gateway has for you, all that Accept-Signature "
    "names, and change nothing of it afterwards.",
    "signature-expired": "Look at the clock, and sign again with created and expires of now.",
    "above-clearance": "Do not send this here; ask the gateway's operator where it may go, and "
    "name the instance.",
    "no-route": "Look at method and path; if they are right, ask the gateway's operator and name "
    "the instance.",
    "request-timeout": "Send it again with the same Transfer-Id, without pauses.",
    "replayed": "It is there, as far as is known; if this is another transfer, send it with a "
    "Transfer-Id of its own. A repetition that is to be compared needs a Content-Digest.",
    "signature-replayed": "Sign each attempt anew, with a nonce of its own and the same "
    "Transfer-Id.",
    "id-reused": "If this is another transfer, send it with a Transfer-Id of its own; if not, "
    "nothing is left to do.",
    "undecided": "Ask the receiver whether it arrived. If not, send it with a new Transfer-Id; the "
    "same one is refused until the window of the route has passed.",
    "in-flight": "Wait as long as Retry-After says, then send it again with the same Transfer-Id.",
    "condition-refused": "Send it without If-Match and If-None-Match on tags: content that is "
    "masked has tags of its own.",
    "content-too-large": "Send it in smaller parts, each a transfer of its own.",
    "content-not-allowed": "Look at Content-Type and Content-Encoding; ask the gateway's operator "
    "what may cross here.",
    "unparseable": "Make the content valid in the format that its Content-Type names, and send it "
    "again.",
    "finding-rejected": "Take out what may not cross, or ask the gateway's operator and name the "
    "instance; the same content will be refused again.",
    "rate-limited": "Wait as long as Retry-After says, then send it again with the same "
    "Transfer-Id; what is larger than a whole share never fits.",
    "head-too-large": "Send fewer or shorter fields, or a shorter target.",
    "internal": "Tell the gateway's operator, and name the instance; it may be sent again with the "
    "same Transfer-Id.",
    "method-refused": "Use another method.",
    "upgrade-refused": "Send it as an HTTP/1.1 request, without CONNECT and without WebSocket.",
    "answer-refused": "The receiver answered, and its answer is withheld; the receipt says whether "
    "it was delivered. Name the instance to the gateway's operator.",
    "upstream-unreachable": "Send it again later, with the same Transfer-Id; it did not arrive.",
    "upstream-identity": "It did not arrive. Tell the gateway's operator, and name the instance.",
    "upstream-withdrawn": "It did not arrive whole. Tell the gateway's operator, and name the "
    "instance.",
    "upstream-malformed": "It may have arrived. Send it again with the same Transfer-Id; if that "
    "is undecided, ask the receiver.",
    "upstream-closed": "It may have arrived. Send it again with the same Transfer-Id; if that is "
    "undecided, ask the receiver.",
    "cut-off": "Send it again with the same Transfer-Id; if that is undecided, ask the receiver.",
    "overloaded": "Wait as long as Retry-After says, then send it again with the same Transfer-Id.",
    "log-unavailable": "Wait as long as Retry-After says, then send it again with the same "
    "Transfer-Id: without a receipt nothing crosses.",
    "tunnel-idle": "Connect again when there is something to send.",
    "tunnel-lifetime": "Connect again.",
    "upstream-timeout": "It may have arrived. Send it again with the same Transfer-Id; if that is "
    "undecided, ask the receiver.",
    "loop": "Tell the gateway's operator, and name the instance: its upstream leads back to it.",
}
"""Problem code -> what the sender can do: the `detail` on the wire, the same for everybody."""
