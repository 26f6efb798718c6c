"""HTTP/1.1 without sockets: what may be said, who said it, and how it is passed on.

grammar     the strict grammar of heads and trailers, before h11
framing     where a body ends: by length, chunked, until close
inbound     bytes in; the grammar and h11 must agree on them
server      a client's connection        client   a connection to an upstream
headers     the fields that cross and those that do not; problems
digests     Content-Digest (RFC 9530)    structured   lists and dictionaries (RFC 9651)
"""
