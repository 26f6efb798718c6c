# Types of jsonscan.py for Cython. Indexes are in range by construction: see its docstring.

import cython

cdef int WIDTH, ROOM, PLAIN, ESCAPED, NUMBER, OTHER, BROKEN, DEEP, LONG
cdef int _VALUE, _ELEMENT, _MEMBER, _KEY, _AFTER

@cython.final
cdef class Machine:
    cdef object _tables
    cdef const int[::1] _accept, _other, _first, _next, _starts, _lengths, _leads, _spelt
    cdef int[::1] _stack
    cdef long long[::1] _room
    cdef readonly object hits
    cdef bytes _names, _block
    cdef Py_ssize_t _depth, _record, _size, _at, _count, _member, _start, _origin
    cdef int _root, _lines, _feed, _level, _state, _expected, _escaped, _rule, _masking
    cdef readonly Py_ssize_t records, ended, line
    cdef readonly int error
    cdef readonly bint done

    @cython.locals(octets='const unsigned char*', at=Py_ssize_t)
    cpdef Py_ssize_t run(self) except -9
    cdef int _fail(self) except -9
    cdef inline Py_ssize_t _step(self, const unsigned char* p, Py_ssize_t at) except -9
    cdef inline Py_ssize_t _after(self, const unsigned char* p, Py_ssize_t at) noexcept
    cdef inline Py_ssize_t _comma(self, Py_ssize_t at) noexcept
    cdef inline Py_ssize_t _end(self, const unsigned char* p, Py_ssize_t at, bint full) noexcept
    cdef inline Py_ssize_t _open(self, Py_ssize_t at, bint row) noexcept
    cdef inline Py_ssize_t _close(self, Py_ssize_t at) noexcept
    cdef void _hit(self, int rule, Py_ssize_t member, Py_ssize_t start, Py_ssize_t end, int kind) noexcept
    cdef inline Py_ssize_t _value(self, const unsigned char* p, Py_ssize_t at) noexcept
    cdef inline Py_ssize_t _key(self, const unsigned char* p, Py_ssize_t at) except -9
    cdef inline int _child(self, const unsigned char* p, int state, Py_ssize_t start, Py_ssize_t end) except -9
    cdef inline bint _same(self, const unsigned char* p, Py_ssize_t start, Py_ssize_t name, Py_ssize_t length) noexcept
    cdef inline Py_ssize_t _string(self, const unsigned char* p, Py_ssize_t at) noexcept
    @cython.locals(kind=int)
    cdef Py_ssize_t _rest(self, const unsigned char* p, Py_ssize_t at) noexcept
    cdef int _decoded(self, const unsigned char* p, int state, Py_ssize_t start, Py_ssize_t end) except -9
