"""TLS without sockets: OpenSSL's memory buffers, and nothing of OpenSSL leaves this package.

    credentials   a certificate chain and its key, proven to belong together
    context       policy (versions, suites, trust, CRLs, pins) -> what engines are made from
    verify        what is asked of a peer's certificate, and the reason when it fails
    path          the certification path, judged once more: RFC 5280, strictly
    profile       one certificate by itself; over `algorithms` and `der`
    constraints   name constraints, over `names`; `policies` beside it
    offline       the same judgement without a connection
    engine        ciphertext in, plaintext out, and back
    records       the octets of it, many records in one call
    identity      DER -> `proxy.model.Certificate`, SPIFFE IDs, pins
    revocation    reading CRLs
    standing      whether a path is revoked, and until when the answer stands
    judge         who a trust bundle accepts, at any time after a handshake
    failures      OpenSSL's errors -> the reasons of `TlsFailure`
    book          what a small authority has issued and revoked
    look          a handshake that judges nothing, for `certs inspect`
    keys, pki     make keys, certificates and CRLs, for development and tests

What is checked, in which order and why: `docs/identity.md`.
"""
