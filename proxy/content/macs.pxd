# Types of macs.py for Cython.

cdef int DIGEST

cdef class Macs:
    cpdef bytes digest(self, bytes text)
    cdef void put(self, unsigned char* target, Py_ssize_t place, const unsigned char* text, Py_ssize_t start, Py_ssize_t end) noexcept
