# sha256.py in C: what is compiled has this, inlined, instead.
# By the processor's own instructions where it has them, which is asked when it runs.

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    static const unsigned char SHA256_START[33] =
        "\\x6a\\x09\\xe6\\x67\\xbb\\x67\\xae\\x85\\x3c\\x6e\\xf3\\x72\\xa5\\x4f\\xf5\\x3a"
        "\\x51\\x0e\\x52\\x7f\\x9b\\x05\\x68\\x8c\\x1f\\x83\\xd9\\xab\\x5b\\xe0\\xcd\\x19";

    static const uint32_t SHA256_K[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2,
    };

    static uint32_t sha256_word(const unsigned char *p) {
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }

    #define TURN(x, n) ((x) >> (n) | (x) << (32 - (n)))
    #define ROUND(a, b, c, d, e, f, g, h, n) \\
        h += (TURN(e, 6) ^ TURN(e, 11) ^ TURN(e, 25)) + ((e & f) ^ (~e & g)) + SHA256_K[n] + w[n]; \\
        d += h; \\
        h += (TURN(a, 2) ^ TURN(a, 13) ^ TURN(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))

    static void sha256_block(unsigned char *state, const unsigned char *block) {
        uint32_t w[64], v[8], a, b, c, d, e, f, g, h;
        int n;
        for (n = 0; n < 16; n++) w[n] = sha256_word(block + 4 * n);
        for (; n < 64; n++)
            w[n] = w[n - 16] + w[n - 7]
                + (TURN(w[n - 15], 7) ^ TURN(w[n - 15], 18) ^ w[n - 15] >> 3)
                + (TURN(w[n - 2], 17) ^ TURN(w[n - 2], 19) ^ w[n - 2] >> 10);
        for (n = 0; n < 8; n++) v[n] = sha256_word(state + 4 * n);
        a = v[0]; b = v[1]; c = v[2]; d = v[3]; e = v[4]; f = v[5]; g = v[6]; h = v[7];
        for (n = 0; n < 64; n += 8) {
            ROUND(a, b, c, d, e, f, g, h, n); ROUND(h, a, b, c, d, e, f, g, n + 1);
            ROUND(g, h, a, b, c, d, e, f, n + 2); ROUND(f, g, h, a, b, c, d, e, n + 3);
            ROUND(e, f, g, h, a, b, c, d, n + 4); ROUND(d, e, f, g, h, a, b, c, n + 5);
            ROUND(c, d, e, f, g, h, a, b, n + 6); ROUND(b, c, d, e, f, g, h, a, n + 7);
        }
        v[0] = a; v[1] = b; v[2] = c; v[3] = d; v[4] = e; v[5] = f; v[6] = g; v[7] = h;
        for (n = 0; n < 8; n++) {
            uint32_t sum = sha256_word(state + 4 * n) + v[n];
            state[4 * n] = (unsigned char)(sum >> 24);
            state[4 * n + 1] = (unsigned char)(sum >> 16);
            state[4 * n + 2] = (unsigned char)(sum >> 8);
            state[4 * n + 3] = (unsigned char)sum;
        }
    }

    static void sha256_plain(unsigned char *state, const unsigned char *p, Py_ssize_t blocks) {
        for (; blocks > 0; blocks--, p += 64) sha256_block(state, p);
    }

    #if defined(__x86_64__) && defined(__GNUC__)
    #include <cpuid.h>
    #include <immintrin.h>

    static int sha256_has(void) {
        static int known = -1;
        unsigned int a, b = 0, c = 0, d;
        if (known < 0) {
            int shuffles = __get_cpuid(1, &a, &b, &c, &d) && (c & 1 << 9) && (c & 1 << 19);
            known = shuffles && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1 << 29);
        }
        return known;
    }

    typedef struct { __m128i abef, cdgh, abef0, cdgh0, m[4]; } sha256_lane;
    #define FAST __attribute__((target("sha,sse4.1,ssse3"), always_inline)) static inline
    #define SWAP _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL)

    FAST void sha256_load(sha256_lane *lane, const unsigned char *state) {
        const __m128i *h = (const __m128i *)state;
        __m128i low = _mm_shuffle_epi32(_mm_shuffle_epi8(_mm_loadu_si128(h), SWAP), 0xB1);
        __m128i high = _mm_shuffle_epi32(_mm_shuffle_epi8(_mm_loadu_si128(h + 1), SWAP), 0x1B);
        lane->abef = _mm_alignr_epi8(low, high, 8);
        lane->cdgh = _mm_blend_epi16(high, low, 0xF0);
    }

    FAST void sha256_save(const sha256_lane *lane, unsigned char *state) {
        __m128i *h = (__m128i *)state;
        __m128i low = _mm_shuffle_epi32(lane->abef, 0x1B);
        __m128i high = _mm_shuffle_epi32(lane->cdgh, 0xB1);
        _mm_storeu_si128(h, _mm_shuffle_epi8(_mm_blend_epi16(low, high, 0xF0), SWAP));
        _mm_storeu_si128(h + 1, _mm_shuffle_epi8(_mm_alignr_epi8(high, low, 8), SWAP));
    }

    FAST void sha256_begin(sha256_lane *lane, const unsigned char *block) {
        int n;
        for (n = 0; n < 4; n++)
            lane->m[n] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block + n), SWAP);
        lane->abef0 = lane->abef;
        lane->cdgh0 = lane->cdgh;
    }

    FAST void sha256_four(sha256_lane *lane, int n) {
        __m128i *m = lane->m, k;
        if (n >= 4)
            m[n & 3] = _mm_sha256msg2_epu32(
                _mm_add_epi32(
                    _mm_sha256msg1_epu32(m[n & 3], m[(n + 1) & 3]),
                    _mm_alignr_epi8(m[(n + 3) & 3], m[(n + 2) & 3], 4)),
                m[(n + 3) & 3]);
        k = _mm_add_epi32(m[n & 3], _mm_loadu_si128((const __m128i *)SHA256_K + n));
        lane->cdgh = _mm_sha256rnds2_epu32(lane->cdgh, lane->abef, k);
        lane->abef = _mm_sha256rnds2_epu32(lane->abef, lane->cdgh, _mm_shuffle_epi32(k, 0x0E));
    }

    FAST void sha256_end(sha256_lane *lane) {
        lane->abef = _mm_add_epi32(lane->abef, lane->abef0);
        lane->cdgh = _mm_add_epi32(lane->cdgh, lane->cdgh0);
    }

    __attribute__((target("sha,sse4.1,ssse3")))
    static void sha256_fast(unsigned char *state, const unsigned char *p, Py_ssize_t blocks) {
        sha256_lane lane;
        int n;
        sha256_load(&lane, state);
        for (; blocks > 0; blocks--, p += 64) {
            sha256_begin(&lane, p);
            #pragma GCC unroll 16
            for (n = 0; n < 16; n++) sha256_four(&lane, n);
            sha256_end(&lane);
        }
        sha256_save(&lane, state);
    }

    __attribute__((target("sha,sse4.1,ssse3"), unused))
    static void sha256_two(
        unsigned char *one, const unsigned char *p, unsigned char *other, const unsigned char *q,
        Py_ssize_t blocks
    ) {
        sha256_lane a, b;
        int n;
        sha256_load(&a, one);
        sha256_load(&b, other);
        for (; blocks > 0; blocks--, p += 64, q += 64) {
            sha256_begin(&a, p);
            sha256_begin(&b, q);
            #pragma GCC unroll 16
            for (n = 0; n < 16; n++) {
                sha256_four(&a, n);
                sha256_four(&b, n);
            }
            sha256_end(&a);
            sha256_end(&b);
        }
        sha256_save(&a, one);
        sha256_save(&b, other);
    }
    #else
    #define sha256_has() 0
    #define sha256_fast sha256_plain
    static void sha256_two(
        unsigned char *one, const unsigned char *p, unsigned char *other, const unsigned char *q,
        Py_ssize_t blocks
    ) {
        sha256_plain(one, p, blocks);
        sha256_plain(other, q, blocks);
    }
    #endif

    #if defined(__GNUC__)
    __attribute__((unused))
    #endif
    static void sha256_steps(unsigned char *state, const unsigned char *p, Py_ssize_t at,
                             Py_ssize_t blocks, int own) {
        if (own && sha256_has()) sha256_fast(state, p + at, blocks);
        else sha256_plain(state, p + at, blocks);
    }

    #if defined(__GNUC__)
    __attribute__((unused))
    #endif
    static void sha256_both(unsigned char *one, const unsigned char *p, Py_ssize_t at,
                            unsigned char *other, const unsigned char *q, Py_ssize_t to,
                            Py_ssize_t blocks) {
        sha256_two(one, p + at, other, q + to, blocks);
    }
    """
    const unsigned char* START "SHA256_START"
    bint quick "sha256_has"() noexcept nogil
    void two "sha256_both"(unsigned char* one, const unsigned char* p, Py_ssize_t at, unsigned char* other, const unsigned char* q, Py_ssize_t to, Py_ssize_t blocks) noexcept nogil
    void steps "sha256_steps"(unsigned char* state, const unsigned char* p, Py_ssize_t at, Py_ssize_t blocks, bint own) noexcept nogil
