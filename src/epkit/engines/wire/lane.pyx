# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Transports that answer for their connections as long as replies are like known ones; compiled, and optional.

Theory of operation. A `LaneTransport` is a transport on a plain TCP socket, as `TlsTransport` is on a TLS one: bytes go
to the connection, which parses them. One `Lane` reads for all transports of a run, with its own epoll. For each payload
it knows one reply: the last whole one that a connection has accepted and the driver has judged to be good. A reply with
the same bytes needs no parser and no judge. For such a reply the lane does itself what the connection and the driver
would do: it stores a row, takes the next arrival, and sends the request. It does so with the numbers of the driver,
which it borrows for a turn of the loop. Everything else goes to the connection: another reply, a part of one, an error,
the end of the phase. Before that, the connection gets the points of time of the request in flight, and the driver its
numbers.

Times are `time.perf_counter_ns`, which is CLOCK_MONOTONIC on Linux.
"""

import os

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR, errno
from libc.string cimport memcmp
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, itimerspec, timespec
from posix.unistd cimport read as read_from

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        void* ptr
    cdef struct epoll_event:
        unsigned int events
        epoll_data_t data
    enum: EPOLLIN, EPOLL_CTL_ADD, EPOLL_CLOEXEC
    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int fd, epoll_event* event)
    int epoll_wait(int epoll, epoll_event* events, int most, int patience_ms)

cdef extern from "<sys/timerfd.h>" nogil:
    enum: TFD_CLOEXEC, TFD_NONBLOCK
    int timerfd_create(int clock, int flags)
    int timerfd_settime(int timer, int flags, const itimerspec* new, itimerspec* old)

cdef extern from "<sys/socket.h>" nogil:
    enum: MSG_NOSIGNAL
    ssize_t recv(int fd, void* buffer, size_t size, int flags)
    ssize_t send(int fd, const void* buffer, size_t size, int flags)

ctypedef long long ns

cdef struct Row:  # epkit.core.samples.rows.SAMPLE
    ns start, sent, first, end
    unsigned int received, body, payload
    unsigned short status
    unsigned char failure, deployment
    ns due, tcp, connected, server

cdef enum:
    EVENTS = 256
    READ_BYTES = 262144
    KNOWN_BYTES = 16777216  # greatest size of all known replies
    TURN_NS = 1000000  # for so long other callbacks of the loop may wait


cdef inline ns clock() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec * <ns>1000000000 + now.tv_nsec


cdef object last_error():
    return OSError(errno, os.strerror(errno))


cdef class LaneTransport:
    """A transport on a socket that the lane reads.

    A request that the lane has sent is in flight while `flying`; its times are here, and not in the connection.
    """

    cdef Lane lane
    cdef object sock, connection
    cdef int fd
    cdef bint flying, closed
    cdef list pending
    cdef ns start, sent
    cdef Py_ssize_t payload

    def get_extra_info(self, name, default=None):
        """Return the socket for `socket`."""
        return self.sock if name == "socket" else default

    def get_write_buffer_size(self):
        """Return how many bytes wait to be written."""
        return sum(map(len, self.pending))

    def set_write_buffer_limits(self, high=None, low=None):
        """Do nothing: written data is never held back."""

    def is_closing(self):
        """Tell whether the transport is closed."""
        return self.closed

    def write(self, bytes data):
        """Send *data*: now if the socket accepts it, otherwise as soon as it does."""
        if self.pending:
            self.pending.append(data)
            return
        cdef ssize_t sent = send(self.fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_NOSIGNAL)
        if sent != PyBytes_GET_SIZE(data):
            self._keep(data, sent)

    def close(self):
        """Close the connection. Waiting bytes are dropped: a connection with a request in flight is never closed."""
        self._lose(None)

    abort = close

    cdef _keep(self, bytes data, ssize_t sent):
        """Keep the bytes that the socket did not accept."""
        if sent < 0 and errno != EAGAIN:
            # Nothing of it was written; the size of the buffer shows this.
            self.lane.loop.call_soon(self._break_off, last_error())
        else:
            self.lane.loop.add_writer(self.fd, self._writable)
        self.pending.append(data[max(sent, 0):])

    def _writable(self):
        cdef bytes data
        cdef ssize_t sent
        while self.pending:
            data = self.pending[0]
            sent = send(self.fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), MSG_NOSIGNAL)
            if sent < 0:
                if errno != EAGAIN:
                    self._break_off(last_error())
                return
            if sent < len(data):
                self.pending[0] = data[sent:]
            else:
                del self.pending[0]
        self.lane.loop.remove_writer(self.fd)

    def _break_off(self, error):
        """Handle a connection that can no longer be written to. Data from the server (413) is read first."""
        if not self.closed:
            self.lane.loop.remove_writer(self.fd)
            self.lane.read(self)
            self._lose(error)

    cdef _lose(self, error):
        if not self.closed:
            self.closed = True
            self.lane.loop.remove_writer(self.fd)
            self.lane.transports.discard(self)
            self.sock.close()
            self.lane.loop.call_soon(self.connection.connection_lost, error)
            self.connection = None  # garbage is not collected in a run, and a cycle would keep the last reply

    cdef bint _take(self):
        """Take the request in flight from the connection, if it is on a kept connection and has no reply yet."""
        x = self.connection
        if x.complete or x.received or x.due != x.connected:
            return False
        self.start, self.sent, self.payload = x.start, x.sent, x.payload
        self.flying = True
        return True

    cdef _give_back(self):
        """Give the request in flight back to the connection."""
        if self.flying:
            x = self.connection
            x.due = x.start = x.tcp = x.connected = self.start
            x.sent, x.payload, x.request = self.sent, self.payload, self.lane.requests[self.payload]
            x.received, x.body, x.complete = 0, b"", False
            self.flying = False


cdef class Lane:
    """Reads for all transports of a run of an engine."""

    cdef readonly object loop
    cdef object engine, driver
    cdef int epoll, timer
    cdef bint closed, watched
    cdef ns ended  # when the last turn did
    cdef epoll_event events[EVENTS]
    cdef char buffer[READ_BYTES]
    cdef set transports
    cdef list replies, bodies  # for each payload, the known reply, or None, and the size of its body
    cdef Py_ssize_t known  # size of all known replies
    # What the driver lends for a turn: its rows, and the arrivals of a closed phase.
    cdef bint turning, lent, alone
    cdef bytearray rows
    cdef Row* first
    cdef Row* row
    cdef Row* last
    cdef ns flush_at, until, left
    cdef Py_ssize_t payload, step
    cdef tuple requests, wires

    def __init__(self, loop, engine, driver):
        """Begin to read.

        Raises:
            OSError: no descriptor is left.
        """
        cdef epoll_event event
        self.loop, self.engine, self.driver = loop, engine, driver
        self.transports = set()
        self.requests = self.wires = ()
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        self.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)
        event.events, event.data.ptr = EPOLLIN, NULL
        if epoll_ctl(self.epoll, EPOLL_CTL_ADD, self.timer, &event) < 0:
            error = last_error()
            for fd in (self.epoll, self.timer):
                if fd >= 0:
                    os.close(fd)
            raise error
        self._watch(True)

    def open(self, sock, connection):
        """Make the transport of a connected socket."""
        cdef LaneTransport made = LaneTransport()
        cdef epoll_event event
        made.lane, made.sock, made.connection, made.fd, made.pending = self, sock, connection, sock.fileno(), []
        event.events, event.data.ptr = EPOLLIN, <void*>made
        if epoll_ctl(self.epoll, EPOLL_CTL_ADD, made.fd, &event) < 0:
            raise last_error()
        self.transports.add(made)
        connection.connection_made(made)

    def sync(self):
        """Give all requests in flight back to their connections."""
        for transport in self.transports:
            (<LaneTransport>transport)._give_back()

    def close(self):
        """Read no more."""
        self.closed = True
        self.loop.remove_reader(self.epoll)
        os.close(self.epoll)
        os.close(self.timer)

    cdef _watch(self, bint watched):
        """Let the loop call `_turn` when there is something to read; otherwise let the timer end each turn.

        A busy lane has its turn in each turn of the loop: if the loop's epoll watched the lane's, each reply would wake
        both. A timer costs less than a timeout of each wait, for which the kernel would set its clock twice.
        """
        cdef itimerspec turns
        if watched == self.watched:
            return
        self.watched = watched
        if watched:
            self.loop.add_reader(self.epoll, self._turn)
        else:
            self.loop.remove_reader(self.epoll)
        turns.it_value.tv_sec = turns.it_interval.tv_sec = 0
        turns.it_value.tv_nsec = turns.it_interval.tv_nsec = 0 if watched else TURN_NS
        timerfd_settime(self.timer, 0, &turns, NULL)

    def _turn(self):
        """Read as long as replies come, but not longer than a turn of the loop may take."""
        cdef int ready, patience_ms, i
        cdef bint over = False, read = False, busy
        cdef ns begun = clock()
        if self.closed:
            return
        self.turning = True
        try:
            self._borrow()
            while not over:
                # Only the timer and the lane's own sockets end the wait, so all of the engine's must be here.
                patience_ms = -1 if self.lent and self.alone and not self.watched else 0
                with nogil:
                    ready = epoll_wait(self.epoll, self.events, EVENTS, patience_ms)
                over = ready <= 0 or self.watched  # only the timer bounds further batches
                for i in range(ready):
                    if self.events[i].data.ptr == NULL:
                        over = True
                        read_from(self.timer, self.buffer, 8)  # the timer goes on only when its count has been read
                    else:
                        read = True
                        self.read(<LaneTransport>self.events[i].data.ptr)
            # A lane that has its turn for the first time in a while is not busy yet.
            busy = read and self.lent and self.alone and begun - self.ended < TURN_NS
            self._settle()
            self._watch(not busy)
            self.ended = clock()
            if not self.watched:
                self.loop.call_soon(self._turn)
        except BaseException as error:
            self._settle()
            self.engine.crash(error)
        finally:
            self.turning = False

    cdef _borrow(self):
        loan = self.engine.lend() if self.turning else None
        self.lent = loan is not None
        if not self.lent:
            return
        self.rows, offset, self.flush_at, self.left, self.until, self.payload, self.step, requests = loan
        self.first = <Row*>PyByteArray_AS_STRING(self.rows)
        self.row = self.first + <Py_ssize_t>offset // <Py_ssize_t>sizeof(Row)
        self.last = self.first + len(self.rows) // sizeof(Row)
        self.alone = len(self.transports) == self.engine.slots
        if requests is not self.requests:
            self.requests, self.wires = requests, tuple([request.wire for request in requests])
            self._forget()

    cdef _settle(self):
        if self.lent:
            self.lent = False
            self.driver.settle((self.row - self.first) * sizeof(Row), self.left, self.payload)

    cdef read(self, LaneTransport to):
        """Read what has come for a transport."""
        cdef ssize_t got
        cdef ns now
        cdef bytes known = None
        if to.closed:
            return
        got = recv(to.fd, self.buffer, READ_BYTES, 0)
        now = clock()
        if got > 0 and self.lent and not to.pending and (to.flying or to._take()):
            known = <bytes>self.replies[to.payload]
        if known is None or got != PyBytes_GET_SIZE(known) or memcmp(self.buffer, PyBytes_AS_STRING(known), got):
            self._pass_on(to, got)
            return
        self._store(to, now, got, self.bodies[to.payload])
        now = clock()
        if self.lent and self.left > 0 and now < self.until:
            self._send(to, now)
            return
        to._give_back()
        self._settle()
        self.engine.follow(to.connection)
        self._borrow()

    cdef _store(self, LaneTransport to, ns end, ssize_t received, Py_ssize_t body):
        """Store the row of a good reply; `epkit.core.samples.rows.complete` fills in the rest."""
        cdef Row* row = self.row
        row.start, row.sent, row.first, row.end = to.start, to.sent, end, end
        row.received, row.body, row.payload = <unsigned int>received, <unsigned int>body, <unsigned int>to.payload
        row.status, row.failure, row.deployment = 200, 0, 0
        self.row += 1
        if self.row == self.last or end > self.flush_at:
            self._settle()
            self.driver.flush()
            self._borrow()

    cdef _send(self, LaneTransport to, ns now):
        """Send the next request."""
        cdef bytes wire = <bytes>self.wires[self.payload]
        self.left -= 1
        to.start, to.payload = now, self.payload
        self.payload = (self.payload + self.step) % len(self.wires) if len(self.wires) > 1 else 0
        cdef ssize_t sent = send(to.fd, PyBytes_AS_STRING(wire), PyBytes_GET_SIZE(wire), MSG_NOSIGNAL)
        to.sent = clock()
        if sent != PyBytes_GET_SIZE(wire):
            to._keep(wire, sent)
            to._give_back()

    cdef _pass_on(self, LaneTransport to, ssize_t got):
        """Pass what has come on to the connection; learn a good reply."""
        x = to.connection
        if got < 0 and (errno == EAGAIN or errno == EINTR):
            return
        error = last_error() if got < 0 else None
        to._give_back()
        self._settle()
        if got > 0:
            data = PyBytes_FromStringAndSize(self.buffer, got)
            payload, whole = x.payload, not x.complete and not x.received
            x.data_received(data)
            self._borrow()
            if self.lent and whole and x.like_bytes == got and x.status == 200 and data.startswith(x.like):
                self._learn(payload, data, data[len(x.like):])
        else:
            if error is None:
                x.eof_received()
            to._lose(error)
            self._borrow()

    cdef _learn(self, Py_ssize_t payload, bytes reply, bytes body):
        if self.driver.is_good(payload, body):
            self.known += len(reply) - len(self.replies[payload] or b"")
            if self.known > KNOWN_BYTES:
                self._forget()
                self.known = len(reply)
            self.replies[payload], self.bodies[payload] = reply, len(body)

    cdef _forget(self):
        self.replies, self.bodies = [None] * len(self.requests), [0] * len(self.requests)
        self.known = 0
