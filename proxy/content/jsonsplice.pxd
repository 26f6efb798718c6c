# Types of jsonsplice.py for Cython.

import cython

cdef int _PLAIN, _ESCAPED, _OTHER, _WIDTH, _PIECES

@cython.locals(view="const long long[::1]", n=Py_ssize_t, place=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, kind=int, found=list, octets="const unsigned char*")
cpdef list texts(bytes block, object hits, Py_ssize_t count, int rule, list odd)

@cython.locals(view="const long long[::1]", n=Py_ssize_t, place=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, found=list)
cpdef list raws(bytes block, object hits, Py_ssize_t count, int rule)

@cython.locals(view="const long long[::1]", sums="long long[::1]", n=Py_ssize_t, rule=Py_ssize_t)
cpdef tally(object hits, Py_ssize_t count, object found)

cdef class Splice:
    cdef bytes _block
    cdef list _pieces, _kept, _places
    cdef object _out, _rest, _placed
    cdef Py_ssize_t _length, _position, _dropping

    @cython.locals(view="const long long[::1]", n=Py_ssize_t, place=Py_ssize_t, rule=Py_ssize_t, member=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t)
    cpdef add(self, object hits, Py_ssize_t count, object made)
    @cython.locals(rest=bytes)
    cpdef finish(self, Py_ssize_t end)
    @cython.locals(kept=bytes)
    cpdef rest(self)
    cpdef placed(self)
    @cython.locals(piece=bytes)
    cdef _copy(self, Py_ssize_t end)
    cdef _drop(self, Py_ssize_t member, Py_ssize_t end)
    @cython.locals(block="const unsigned char*", last=Py_ssize_t)
    cdef Py_ssize_t _space(self, Py_ssize_t at)
    @cython.locals(block="const unsigned char*", before=Py_ssize_t, surplus=Py_ssize_t, last=bytes)
    cdef _drop_comma(self)
