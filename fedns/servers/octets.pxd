# The functions of octets.py in C: same names, same meaning.
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcmp, memcpy

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <stdint.h>
    #include <string.h>
    #include <sys/socket.h>
    #include <time.h>
    static inline int octets_receive(int fd, uintptr_t at, unsigned count) {
        return recvmmsg(fd, (struct mmsghdr *)at, count, MSG_DONTWAIT, 0);
    }
    static inline int octets_send(int fd, uintptr_t at, unsigned count) {
        return sendmmsg(fd, (struct mmsghdr *)at, count, MSG_DONTWAIT);
    }
    static inline void octets_lower(unsigned char *to, const unsigned char *from, size_t size) {
        for (size_t i = 0; i < size; i++) {
            unsigned char c = from[i];
            to[i] = c + (((unsigned char)(c - 'A') < 26) << 5);
        }
    }
    static inline uint64_t octets_digest(const unsigned char *from, size_t size, uint64_t value) {
        size_t at = 0;
        uint64_t word;
        for (; at < size; at += 8) {
            size_t left = size - at;
            if (left >= 8) {
                memcpy(&word, from + at, 8);
            } else {
                word = 0;
                memcpy(&word, from + at, left);
            }
            value = (value ^ word) * 0x9E3779B97F4A7C15ULL;
            value ^= value >> 29;
        }
        value = (value ^ size) * 0x9E3779B97F4A7C15ULL;
        return value ^ value >> 32;
    }
    static inline uint64_t octets_number(const char *from, size_t size) {
        uint64_t word = 0;
        memcpy(&word, from, size);
        return word;
    }
    static inline void octets_fetch(const void *at) {
        __builtin_prefetch(at);
    }
    static inline long long octets_clock(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1000000000LL + now.tv_nsec;
    }
    """
    void octets_fetch(const void *) noexcept nogil
    long long clock "octets_clock" () noexcept nogil
    int receive "octets_receive" (int fd, size_t headers, unsigned int count) noexcept nogil
    int send "octets_send" (int fd, size_t headers, unsigned int count) noexcept nogil
    void octets_lower(unsigned char *, const unsigned char *, size_t) noexcept nogil
    unsigned long long octets_digest(const unsigned char *, size_t, unsigned long long) noexcept nogil
    unsigned long long octets_number(const char *, size_t) noexcept nogil

cdef inline void copy(
    unsigned char[::1] to, Py_ssize_t at, unsigned char[::1] source, Py_ssize_t start, Py_ssize_t size
) noexcept nogil:
    memcpy(&to[at], &source[start], size)

cdef inline void put(
    unsigned char[::1] to, Py_ssize_t at, bytes data, Py_ssize_t start, Py_ssize_t size
) noexcept:
    memcpy(&to[at], PyBytes_AS_STRING(data) + start, size)

cdef inline bytes take(unsigned char[::1] source, Py_ssize_t start, Py_ssize_t size):
    return PyBytes_FromStringAndSize(<char *>&source[start], size)

cdef inline bint same(
    unsigned char[::1] one, Py_ssize_t at, unsigned char[::1] other, Py_ssize_t start, Py_ssize_t size
) noexcept nogil:
    return memcmp(&one[at], &other[start], size) == 0

cdef inline void lower(
    unsigned char[::1] to, Py_ssize_t at, unsigned char[::1] source, Py_ssize_t start, Py_ssize_t size
) noexcept nogil:
    octets_lower(&to[at], &source[start], size)

cdef inline unsigned long long digest(
    unsigned char[::1] source, Py_ssize_t size, unsigned long long seed
) noexcept nogil:
    return octets_digest(&source[0], size, seed)

cdef inline unsigned long long number(bytes data, Py_ssize_t at, Py_ssize_t size) noexcept:
    return octets_number(PyBytes_AS_STRING(data) + at, size)

cdef inline unsigned long long word(unsigned char[::1] source, Py_ssize_t at, Py_ssize_t size) noexcept nogil:
    return octets_number(<char *>&source[at], size)

cdef inline void fetch(unsigned char[::1] source, Py_ssize_t at) noexcept nogil:
    octets_fetch(&source[at])

cdef inline void fetch_word(unsigned long long[::1] words, Py_ssize_t at) noexcept nogil:
    octets_fetch(&words[at])
