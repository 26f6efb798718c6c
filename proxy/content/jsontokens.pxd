# Types of jsontokens.py for Cython.

import cython

cdef int _VALUE, _BODY
cdef bytes _LETTERS

@cython.final
cdef class Tokens:
    cdef bytes _before, _values, _checks
    cdef list _odd, _instead
    cdef Py_ssize_t _count, _next, _passed, _stop, _size

    cdef bint _is_odd(self) except -1
    cdef object _pass(self)
    @cython.locals(before=Py_ssize_t, letters="const unsigned char*")
    cdef void _put(self, unsigned char* out, Py_ssize_t place) noexcept
    @cython.locals(checks="const unsigned char*", n=int)
    cdef void _spell(self, unsigned char* out, Py_ssize_t place, const unsigned char* values, Py_ssize_t at, const unsigned char* letters) noexcept

cdef void _four(unsigned char* out, Py_ssize_t place, int one, int two, int three, const unsigned char* letters) noexcept
