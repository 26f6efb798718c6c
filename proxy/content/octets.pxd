# octets.py in C: what is compiled has these, inlined, instead.

from libc.string cimport memcpy, memset

ctypedef unsigned long long u64

cdef extern from *:
    """
    /* The high bit of the lowest octet that is a control, a quote, a backslash or no ASCII; a
       borrow can make others only above it. */
    #define ONES 0x0101010101010101ULL
    #define SPECIAL(w) ((((w) - 0x20 * ONES) | (w) \\
        | ((((w) ^ 0x22 * ONES) - ONES) & ~((w) ^ 0x22 * ONES)) \\
        | ((((w) ^ 0x5C * ONES) - ONES) & ~((w) ^ 0x5C * ONES))) & 0x80 * ONES)

    typedef unsigned long long u64_t;

    #if defined(__SSE2__)
    #include <emmintrin.h>
    #define WIDE 16

    /* The same of sixteen, a bit for each. */
    static inline u64_t special_wide(const unsigned char *p) {
        __m128i v = _mm_loadu_si128((const __m128i *)p);
        __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x22));
        __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x5C));
        __m128i odd = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));  /* what is no ASCII is negative */
        return (u64_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, slash), odd));
    }
    #define LOWEST(bits) __builtin_ctzll(bits)
    #else
    #define WIDE 8

    static inline u64_t special_wide(const unsigned char *p) {
        u64_t w = 0;
        int n;
        for (n = 0; n < 8; n++) w |= (u64_t)p[n] << 8 * n;
        return SPECIAL(w);
    }
    #define LOWEST(bits) (__builtin_ctzll(bits) >> 3)
    #endif
    """
    int WIDE
    u64 special_wide(const unsigned char*) noexcept nogil
    int LOWEST(u64) noexcept nogil

cdef inline void copy(unsigned char* target, Py_ssize_t place, const unsigned char* source, Py_ssize_t start, Py_ssize_t end) noexcept:
    memcpy(target + place, source + start, end - start)

cdef inline void clear(unsigned char* target, Py_ssize_t start, Py_ssize_t end) noexcept:
    memset(target + start, 0, end - start)

cdef inline u64 eight(const unsigned char* source, Py_ssize_t at) noexcept:
    cdef const unsigned char* p = source + at
    return (<u64>p[0] | <u64>p[1] << 8 | <u64>p[2] << 16 | <u64>p[3] << 24
            | <u64>p[4] << 32 | <u64>p[5] << 40 | <u64>p[6] << 48 | <u64>p[7] << 56)

cdef inline void store(unsigned char* target, Py_ssize_t at, u64 value) noexcept:
    cdef int n
    for n in range(8):
        target[at + n] = (value >> (8 * n)) & 0xFF

cdef inline void big(unsigned char* target, Py_ssize_t at, u64 value) noexcept:
    cdef int n
    for n in range(8):
        target[at + n] = (value >> (56 - 8 * n)) & 0xFF

cdef inline u64 plus(u64 one, u64 other) noexcept:
    return one + other

cdef inline u64 turned(u64 value, int count) noexcept:
    return (value >> count) | (value << (64 - count))

cdef inline u64 inverted(u64 value) noexcept:
    return ~value

cdef inline Py_ssize_t plain(const unsigned char* source, Py_ssize_t at, Py_ssize_t size) noexcept:
    cdef u64 found
    while at + WIDE <= size:
        found = special_wide(source + at)
        if found:
            return at + LOWEST(found)
        at += WIDE
    return at
