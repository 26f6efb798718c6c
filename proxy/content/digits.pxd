# digits.py in C: what is compiled has this instead. 64 octets at a time, a bit for each.

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    typedef struct { uint64_t digit, letter, e; } digits_bits;

    #if defined(__SSE2__)
    #include <emmintrin.h>

    static inline digits_bits digits_of(const unsigned char *p) {
        digits_bits bits = {0, 0, 0};
        int n;
        #pragma GCC unroll 4
        for (n = 0; n < 4; n++) {
            __m128i v = _mm_loadu_si128((const __m128i *)p + n);
            __m128i low = _mm_or_si128(v, _mm_set1_epi8(0x20));
            __m128i digit = _mm_sub_epi8(v, _mm_set1_epi8('0'));
            __m128i letter = _mm_sub_epi8(low, _mm_set1_epi8('a'));
            digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
            letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(30)), letter);
            bits.digit |= (uint64_t)_mm_movemask_epi8(digit) << (16 * n);
            bits.letter |= (uint64_t)_mm_movemask_epi8(letter) << (16 * n);
            bits.e |= (uint64_t)_mm_movemask_epi8(_mm_cmpeq_epi8(low, _mm_set1_epi8('e')))
                << (16 * n);
        }
        return bits;
    }
    #else
    static inline digits_bits digits_of(const unsigned char *p) {
        digits_bits bits = {0, 0, 0};
        int n;
        for (n = 0; n < 64; n++) {
            unsigned char low = p[n] | 0x20;
            bits.digit |= (uint64_t)((unsigned char)(p[n] - '0') <= 9) << n;
            bits.letter |= (uint64_t)((unsigned char)(low - 'a') <= 30) << n;
            bits.e |= (uint64_t)(low == 'e') << n;
        }
        return bits;
    }
    #endif

    static inline digits_bits digits_at(const unsigned char *p, Py_ssize_t at, Py_ssize_t size) {
        unsigned char last[64];
        if (size - at >= 64) return digits_of(p + at);
        memset(last, 0, 64);
        memcpy(last, p + at, size - at);
        return digits_of(last);
    }

    /* The bits of `now`, each `count` later, behind those of the word before. */
    #define LATER(word, count) ((word) << (count) | word##_before >> (64 - (count)))

    static Py_ssize_t digits_place(const unsigned char *p, Py_ssize_t from, Py_ssize_t size) {
        Py_ssize_t at = from & ~(Py_ssize_t)63;
        digits_bits bits;
        uint64_t d, d_before = 0, l, l_before = 0, two, two_before = 0, four, four_before = 0;
        uint64_t eight, eight_before = 0, other_before, other, found;
        if (at > 0 && from < size) {  /* of the word before only the last octets are looked at */
            bits = digits_of(p + at - 64);
            d_before = bits.digit;
            l_before = bits.letter;
            two_before = d_before & d_before << 1;
            four_before = two_before & two_before << 2;
            eight_before = four_before & four_before << 4;
        }
        for (; at < size; at += 64) {
            bits = digits_at(p, at, size);
            d = bits.digit;
            l = bits.letter;
            other = ~d;
            other_before = ~d_before;
            two = d & LATER(d, 1);
            four = two & LATER(two, 2);
            eight = four & LATER(four, 4);
            found = (d & LATER(eight, 1))
                | (four & LATER(other, 4)
                    & (LATER(four, 5) | (LATER(other, 5) & LATER(four, 6))
                        | (LATER(two, 5) & LATER(other, 7) & LATER(d, 8))))
                | (two & LATER(l, 2) & LATER(l, 3))
                | (bits.e & LATER(d, 1));
            if (from > at) found &= ~(uint64_t)0 << (from - at);
            if (found) return at + __builtin_ctzll(found);
            d_before = d;
            l_before = l;
            two_before = two;
            four_before = four;
            eight_before = eight;
        }
        return -1;
    }
    """
    Py_ssize_t place "digits_place"(const unsigned char* text, Py_ssize_t at, Py_ssize_t size) noexcept nogil
