"""HTTP/1.1 without sockets: what may be said, who said it, and how it is passed on.

events      what a connection reports
grammar     the strict grammar of heads and trailers, and the one parse of them
lines       their lines, read and written         names      what field names mean in any spelling
judge       h11, which has to agree on heads that are not plain, and on trailers
framing     where a body ends: chunked, until close
inbound     octets in, and bodies by length       outbound   octets out
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
