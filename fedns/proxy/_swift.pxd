# Types of what swift.py defines, for its compiled form: the source itself is plain Python.
cimport cython

cdef class Place:
    cdef public object location, service

cdef class Ride:
    cdef public object inbound, hall, pieces, outbound, location, service, endpoint, _full
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
    cpdef set_out(self, Place place, object endpoint, object outbound)
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
    cdef dict _hosts

    @cython.locals(ride=Ride)
    cpdef bint takes(self, object inbound, bytes data) except -1
    cdef _renew(self, object table)
    cdef tuple _learn(self, object table, bytes raw)
