# Types of sides.py for Cython.

import cython

cdef int _BLOCK, _STATE, _SIZED

@cython.final
cdef class Sha256:
    cdef bytearray _state, _room
    cdef Py_ssize_t _size

    cpdef put(self, bytes data)
    @cython.locals(filled=Py_ssize_t)
    cpdef bytes value(self)
    @cython.locals(size=Py_ssize_t, filled=Py_ssize_t, taken=Py_ssize_t)
    cdef Py_ssize_t _begin(self, bytes data) except -1
    @cython.locals(size=Py_ssize_t, blocks=Py_ssize_t)
    cdef _end(self, bytes data, Py_ssize_t at)

@cython.final
cdef class Received:
    cdef bytes _outer, _waiting
    cdef Sha256 _inner

    cpdef update(self, bytes data)
    cpdef bytes digest(self)

@cython.final
cdef class Delivered:
    cdef Received _received
    cdef Sha256 _inner

    @cython.locals(one=Sha256, other=Sha256, waiting=bytes, at=Py_ssize_t, to=Py_ssize_t, blocks=Py_ssize_t)
    cpdef update(self, bytes data)
    cpdef bytes digest(self)
