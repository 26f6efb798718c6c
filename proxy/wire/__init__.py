"""HTTP/1.1 without sockets: what may be said, who said it, and how it is passed on.

events      what a connection reports
grammar     the strict grammar of heads and trailers, before h11
framing     where a body ends: by length, chunked, until close
inbound     octets in; the grammar and h11 must agree on them     outbound   octets out
server      a client's connection        client   a connection to an upstream
crossing    the fields that cross and those that do not
headers     the fields of a message on the other side; problems
identity    the fields that say who the sender is
proxyheader the same for a receiver of a tunnel: PROXY protocol, version 2
digests     Content-Digest (RFC 9530)    structured   lists and dictionaries (RFC 9651)
sfv         all of RFC 9651, read; sfv_write   and written strictly
signature   message signatures (RFC 9421): signature_base is what is signed, signature_algorithms by
            what, jwk and signing_key with which key
"""
