# Types of hmacsha256.py for Cython.

import cython

cdef int _SHA_BLOCK, _SHA_STATE, _SHA_SIZED

cdef class HmacSha256(Macs):
    cdef bytes _inner, _outer, _begin
    cdef bytearray _state, _room
    cdef Py_ssize_t _filled
    cdef bint _own

    cdef bytes _keyed(self, bytes padded)
    @cython.locals(block="unsigned char*", state="unsigned char*", filled=Py_ssize_t, size=Py_ssize_t)
    cdef void put(self, unsigned char* target, Py_ssize_t place, const unsigned char* text, Py_ssize_t start, Py_ssize_t end) noexcept
    cdef void _last(self, unsigned char* state, unsigned char* block, Py_ssize_t filled, Py_ssize_t size) noexcept
