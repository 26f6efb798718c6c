# Types of jsonlex.py for Cython.

import cython

cdef bytes CLASSES, _HEX, _ESCAPABLE

cdef Py_ssize_t space(const unsigned char* p, Py_ssize_t at, int feed) noexcept
cdef Py_ssize_t escape(const unsigned char* p, Py_ssize_t at) noexcept
cdef int _unit(const unsigned char* p, Py_ssize_t at) noexcept
@cython.locals(lead=int, second=int, wrong=bint)
cdef Py_ssize_t sequence(const unsigned char* p, Py_ssize_t at) noexcept
cdef Py_ssize_t number(const unsigned char* p, Py_ssize_t at) noexcept
cdef Py_ssize_t _digits(const unsigned char* p, Py_ssize_t at) noexcept
@cython.locals(good=bint)
cdef Py_ssize_t word(const unsigned char* p, Py_ssize_t at) noexcept
