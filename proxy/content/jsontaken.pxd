# Types of jsontaken.py for Cython.

import cython

cdef int _PLAIN, _ESCAPED, _NUMBER, _OTHER, _WIDTH, _DIGEST

@cython.locals(view="const long long[::1]", n=Py_ssize_t, place=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, kind=int, found=list, octets="const unsigned char*")
cpdef list texts(bytes block, object hits, Py_ssize_t count, int rule, list odd)

@cython.locals(first=int)
cdef bint _is_odd(const unsigned char* octets, Py_ssize_t start) noexcept

@cython.locals(view="const long long[::1]", n=Py_ssize_t, place=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, kind=int, octets="const unsigned char*", size=Py_ssize_t, made=bytearray, out="unsigned char*", text=bytes)
cpdef bytes values(bytes block, object hits, Py_ssize_t count, int rule, list odd, Macs macs)

@cython.locals(view="const long long[::1]", n=Py_ssize_t, place=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, found=list)
cpdef list raws(bytes block, object hits, Py_ssize_t count, int rule)

@cython.locals(view="const long long[::1]", sums="long long[::1]", n=Py_ssize_t, rule=Py_ssize_t)
cpdef tally(object hits, Py_ssize_t count, object found)
