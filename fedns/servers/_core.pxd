# Types of what core.py defines, for its compiled form: the source itself is plain Python.
cimport cython

from fedns.servers._gate cimport Gate

cdef int ROW, ROWS, WAYS
cdef unsigned long long _WORD, _ADDED, _QUESTION, _DO
cdef int _LEAST, _OPT, _HEAD, _COMMON, _ANCOUNT, _START, _END, _TURN, _UNIT, _AAAA_SLOT, _LEFT
cdef int _SLOT, _HEADER, _MAX_NAME, _CLASSIC, _OWN, _A, _AAAA, _OPT_TYPE, _NXDOMAIN, _PLAIN, _ROTATE, _NODATA
cdef int _PLACED, _BY_PLACE, _PLACES
cdef int _NAMED, _AUTHORITY, _RCODE, _UNITS, _ANSWERS, _BODY, _TURNS, _AGE
cdef int _SIZE

cdef class Rows:
    cdef unsigned char[::1] octets
    cdef unsigned char[::1] name
    cdef unsigned long long[::1] _tags
    cdef const unsigned long long[:] _marks
    cdef unsigned long long _seed, _mark
    cdef long long _stamp
    cdef int _age
    cdef bint _opened, _marked, _ready, signed
    cdef object _tables
    cdef dict _denials, _below
    cdef object atlas
    cdef tuple _flats

    cpdef renew(self)
    @cython.locals(mark=cython.ulonglong)
    cdef int begin(self) except -1
    cdef int end(self) except -1
    @cython.locals(stamp=cython.longlong)
    cdef int _open(self) except -1
    @cython.locals(at=cython.Py_ssize_t)
    cdef Py_ssize_t find(self, Py_ssize_t size, unsigned long long rtype) except? -2
    @cython.locals(tag=cython.ulonglong, row=cython.Py_ssize_t, place=cython.Py_ssize_t, at=cython.Py_ssize_t)
    cdef Py_ssize_t _known(self, Py_ssize_t size, unsigned long long rtype) noexcept
    @cython.locals(tag=cython.ulonglong)
    cdef unsigned long long foresee(self, Py_ssize_t size, int rtype) noexcept
    @cython.locals(row=cython.Py_ssize_t, place=cython.Py_ssize_t)
    cdef void fetch(self, unsigned long long tag) noexcept
    @cython.locals(tag=cython.ulonglong, row=cython.Py_ssize_t, place=cython.Py_ssize_t)
    cdef Py_ssize_t _place(self, Py_ssize_t size, unsigned long long rtype) noexcept
    @cython.locals(slot=cython.Py_ssize_t, kind=cython.int, start=cython.Py_ssize_t, turn=cython.Py_ssize_t,
                   unit=cython.int,
                   value=bytes, body=bytes)
    cdef bint _learn(self, Py_ssize_t at, bytes name, unsigned long long rtype) except -1
    cdef bint _missing(self, Py_ssize_t at, bytes name) except -1
    @cython.locals(size=cython.Py_ssize_t, length=cython.Py_ssize_t)
    cdef bint _keep(self, Py_ssize_t at, bytes name, bytes body, int rcode) except -1

cdef class Core:
    cdef Rows _rows
    cdef Gate _gate
    cdef object _hand
    cdef bint _do, _wildcard
    cdef unsigned long long[::1] _cells
    cdef long long[::1] _counted, _sized, _bounds
    cdef Py_ssize_t _asked, _told, _latency, _total, _batches
    cdef unsigned char[::1] _requests, _replies, _names
    cdef unsigned int[:] _received
    cdef unsigned long long[::1] _foreseen
    cdef unsigned long long[:] _lengths
    cdef int _fd
    cdef size_t _in, _out
    cdef Py_ssize_t _end, _limit
    cdef int _rtype, _opt

    @cython.locals(count=cython.Py_ssize_t, left=cython.Py_ssize_t, dropped=cython.Py_ssize_t,
                   sent=cython.Py_ssize_t, now=cython.longlong, loud=list)
    cpdef Py_ssize_t turn(self) except -1
    @cython.locals(left=cython.Py_ssize_t, place=cython.Py_ssize_t, length=cython.Py_ssize_t)
    cpdef Py_ssize_t answer(self, Py_ssize_t count) except -1
    @cython.locals(place=cython.Py_ssize_t, at=cython.Py_ssize_t, named=cython.Py_ssize_t)
    cdef void _foresee(self, Py_ssize_t count) noexcept
    @cython.locals(kind=cython.int, size=cython.Py_ssize_t)
    cdef void _count(self, Py_ssize_t place, Py_ssize_t length) noexcept
    @cython.locals(microseconds=cython.longlong, bucket=cython.Py_ssize_t)
    cdef void _took(self, long long nanoseconds, Py_ssize_t count) noexcept
    @cython.locals(named=cython.Py_ssize_t, row=cython.Py_ssize_t, length=cython.Py_ssize_t,
                   there=cython.ulonglong)
    cdef Py_ssize_t _reply(self, Py_ssize_t at, Py_ssize_t size) except -1
    @cython.locals(asked="unsigned char[::1]")
    cdef bint _plain(self, Py_ssize_t at, Py_ssize_t stop) noexcept
    @cython.locals(asked="unsigned char[::1]", end=cython.Py_ssize_t)
    cdef bint _asks(self, Py_ssize_t at, Py_ssize_t stop) noexcept
    @cython.locals(asked="unsigned char[::1]", size=cython.Py_ssize_t, rest=cython.ulonglong)
    cdef bint _bare(self, Py_ssize_t at, Py_ssize_t stop) noexcept
    @cython.locals(told="unsigned char[::1]", kept="unsigned char[::1]", end=cython.Py_ssize_t,
                   size=cython.Py_ssize_t, body=cython.Py_ssize_t, unit=cython.Py_ssize_t,
                   turn=cython.Py_ssize_t, cut=cython.Py_ssize_t)
    cdef Py_ssize_t _compose(self, Py_ssize_t at, Py_ssize_t row) noexcept
