# Types of blake2b.py for Cython.

import cython

cdef int _BLOCK, _ROUNDS
cdef const u64[::1] _START
cdef bytes _SIGMA

cdef class Blake2b(Macs):
    cdef u64[::1] _key, _chain
    cdef bytearray _room
    cdef bytes _begin
    cdef Py_ssize_t _filled

    @cython.locals(block="unsigned char*", filled=Py_ssize_t, count=Py_ssize_t, n=int)
    cdef void put(self, unsigned char* target, Py_ssize_t place, const unsigned char* text, Py_ssize_t start, Py_ssize_t end) noexcept
    @cython.locals(
        s="const unsigned char*", n=int,
        a0=u64, a1=u64, a2=u64, a3=u64, b0=u64, b1=u64, b2=u64, b3=u64,
        c0=u64, c1=u64, c2=u64, c3=u64, d0=u64, d1=u64, d2=u64, d3=u64,
    )
    cdef void _compress(self, const unsigned char* p, Py_ssize_t count, bint last) noexcept

cdef (u64, u64, u64, u64) _mixed(u64 a, u64 b, u64 c, u64 d, u64 x, u64 y) noexcept
