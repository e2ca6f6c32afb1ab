# Types of what swift.py defines, for its compiled form: the source itself is plain Python.
cimport cython

cdef class Place:
    cdef public object location, pool
    cdef public bint plain
    cdef str _one, _other
    cdef Py_ssize_t _at, _beside

    @cython.locals(found=cython.Py_ssize_t)
    cpdef Py_ssize_t row(self, object tally, str member) except -2

cdef class Way:
    cdef public bint plain
    cdef dict _exact, _prefix, _starts
    cdef Py_ssize_t _longest
    cdef tuple _lengths

    @cython.locals(found=Place, longer=Place, key=bytes, length=cython.Py_ssize_t, size=cython.Py_ssize_t)
    cpdef Place find(self, bytes path)

cdef class Ride:
    cdef public object inbound, hall, pieces, outbound, service, endpoint, _full
    cdef public Place place
    cdef public bint ended, started, tunnel, keep
    cdef public bytes target, query, path, host, request_id
    cdef public list lines
    cdef public int status
    cdef public double begun

    @cython.locals(rows=list, count=cython.Py_ssize_t, first=bytes)
    cpdef bint read(self, bytes data) except -1
    @cython.locals(lines=list, at=cython.Py_ssize_t, row=bytes, colon=cython.Py_ssize_t, name=bytes, kind=bytes,
                   said=bytes)
    cdef bint _fields(self, list rows, Py_ssize_t count) except -1
    cpdef set_out(self, Place place, object service, object endpoint, object outbound)
    @cython.locals(lines=list)
    cdef bytes _wire(self)
    @cython.locals(told=bytes)
    cpdef bint answered(self, object outbound, bytes data) except -1
    @cython.locals(end=cython.Py_ssize_t, head=bytes, rows=list, count=cython.Py_ssize_t, length=cython.Py_ssize_t,
                   size=bytes, lines=list, at=cython.Py_ssize_t, row=bytes, colon=cython.Py_ssize_t, kind=bytes,
                   said=bytes)
    cdef bytes _told(self, bytes data)
    cdef _settle(self, Py_ssize_t sent)

cdef class Lane:
    cdef object _hall, _table
    cdef bint _usual, _vouched
    cdef dict _hosts, _ways, _pools

    @cython.locals(ride=Ride, way=Way, place=Place)
    cpdef bint takes(self, object inbound, bytes data) except -1
    cdef _renew(self, object table)
    cdef Way _learn(self, object table, bytes raw)
