# Types of jsonsplice.py for Cython.

import cython

cdef int _WIDTH, _SPARE

@cython.final
cdef class Splice:
    cdef bytes _block
    cdef bytearray _out, _rest
    cdef object _placed
    cdef Py_ssize_t _room, _length, _kept, _position, _dropping

    @cython.locals(view="const long long[::1]", octets="const unsigned char*", placed="unsigned long long[::1]", puts=Py_ssize_t, n=Py_ssize_t, place=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t)
    cpdef add(self, object hits, Py_ssize_t count, list made)
    @cython.locals(tokens=Tokens)
    cdef _replace(self, const unsigned char* octets, object one, Py_ssize_t start, Py_ssize_t end)
    cpdef finish(self, Py_ssize_t end)
    cpdef rest(self)
    cpdef placed(self)
    @cython.locals(start=Py_ssize_t)
    cdef int _copy(self, const unsigned char* octets, Py_ssize_t end) except -1
    cdef int _put(self, const unsigned char* octets, Py_ssize_t start, Py_ssize_t end) except -1
    @cython.locals(more=Py_ssize_t)
    cdef int _make_room(self, Py_ssize_t size) except -1
    cdef int _drop(self, Py_ssize_t member, Py_ssize_t end) except -1
    @cython.locals(block="const unsigned char*", last=Py_ssize_t)
    cdef Py_ssize_t _space(self, Py_ssize_t at)
    @cython.locals(block="const unsigned char*", before=Py_ssize_t)
    cdef int _drop_comma(self) except -1
