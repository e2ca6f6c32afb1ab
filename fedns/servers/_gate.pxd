# Types of what gate.py defines, for its compiled form: the source itself is plain Python.
cimport cython

cdef long long _SECOND
cdef unsigned long long _ODD, _WORD
cdef int _NAME, _ROWS

cdef class Gate:
    cdef object _limiter
    cdef dict _accounts
    cdef unsigned char[::1] _names
    cdef unsigned int[::1] _seen
    cdef unsigned long long[::1] _exempt
    cdef unsigned long long _seed, _mask
    cdef Py_ssize_t _source, _width, _exempted
    cdef long long _due, _floor

    cpdef renew(self)
    @cython.locals(word=cython.ulonglong, row=cython.Py_ssize_t, seen=cython.uint, place=cython.Py_ssize_t, loud=list)
    cpdef list count(self, Py_ssize_t count, long long now)
    @cython.locals(at=cython.Py_ssize_t)
    cdef bint _free(self, unsigned long long word) noexcept
    @cython.locals(row=cython.Py_ssize_t)
    cdef int _sweep(self, long long now) except -1
