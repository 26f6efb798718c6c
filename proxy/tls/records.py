"""Records between OpenSSL and memory of ours, many at a time.

pyOpenSSL's own calls take a record each, with a buffer, a copy and an exception for the end: of a
large transfer that was an eighth of all CPU. So this one module asks its `_util` and `_ssl`, which
every call of its own is made of.

Rules
- Right after a call that failed, and before any other, OpenSSL is asked why: its errors are kept
  for the thread until then.
- What is handed out is a copy, or memory that nobody else knows of.
"""

from typing import Final

from OpenSSL import SSL
from OpenSSL._util import ffi, lib

RECORD: Final = 16384
"""Octets of plaintext that one TLS record holds at most (RFC 8446, 5.1)."""
_room = ffi.new_allocator(should_clear_after_alloc=False)


def feed(connection: SSL.Connection, ciphertext: bytes | bytearray | memoryview) -> object:
    """Have OpenSSL read `ciphertext` where it lies, after all that it was given before.

    What is returned has to be kept until all of that has been read. Memory that OpenSSL has of its
    own would grow with what comes, and would never be given back.
    """
    if left := unread(connection):
        rest = _room("char[]", left)
        lib.BIO_read(connection._into_ssl, rest, left)
        ciphertext = b"".join((ffi.buffer(rest), ciphertext))
    kept = ffi.from_buffer(ciphertext)
    source = lib.BIO_new_mem_buf(kept, len(kept))
    if source == ffi.NULL:
        raise MemoryError("OpenSSL has no memory")
    lib.BIO_set_mem_eof_return(source, -1)
    lib.SSL_set_bio(connection._ssl, source, connection._from_ssl)
    connection._into_ssl = source
    return kept


def unread(connection: SSL.Connection) -> int:
    """Octets of what it was given that OpenSSL has not read."""
    return int(lib.BIO_get_mem_data(connection._into_ssl, ffi.NULL))


def read(connection: SSL.Connection, size: int) -> tuple[bytes, int]:
    """The plaintext of all records that have come, `size` octets at most, and what the last call
    said: above zero where there may be more, else see `require_more`."""
    handle, call = connection._ssl, lib.SSL_read
    buffer, at, said = _room("char[]", size), 0, 1
    while at < size and (said := call(handle, buffer + at, size - at)) > 0:
        at += said
    return ffi.buffer(buffer, at)[:], said


def require_more(connection: SSL.Connection, said: int) -> None:
    """Returns where more ciphertext is all that is missing, after a call that `said` so.

    Raises SSL.ZeroReturnError at close_notify, and SSL.Error.
    """
    if lib.SSL_get_error(connection._ssl, said) != lib.SSL_ERROR_WANT_READ:
        connection._raise_ssl_error(connection._ssl, said)


def leaving(connection: SSL.Connection) -> memoryview:
    """All ciphertext that is to be sent, which OpenSSL forgets."""
    source = connection._from_ssl
    size = lib.BIO_get_mem_data(source, ffi.NULL)
    buffer = _room("char[]", size)
    lib.BIO_read(source, buffer, size)
    return memoryview(ffi.buffer(buffer))
