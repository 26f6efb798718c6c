# Types of near.py for Cython.

import cython

cdef int REACH, _STRIDE

@cython.locals(size=Py_ssize_t, at=Py_ssize_t, start=Py_ssize_t, end=Py_ssize_t, parts=list)
cpdef bytes near(bytes text)
