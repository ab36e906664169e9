"""The side of a FastCGI worker, written from the specification of 1996 and strict about what a host sends.

Arguments: the folder for notes. `starts.log` gets the pid of each start, `requests.log` a line for each request,
`violations.log` what a host must never do: a request for a worker that is busy, or bytes after the end of a request.
"""
import os, select, signal, socket, struct, sys

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR = 1, 2, 3, 4, 5, 6, 7
NOTES = sys.argv[1]
listener = socket.socket(fileno=os.dup(0))


def note(name, text):
    with open(f'{NOTES}/{name}', 'a') as file:
        file.write(f'{text}\n')


def fnv(data):
    value = 0xcbf29ce484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001b3) & 0xffffffffffffffff
    return f'{value:016x}'


class Gone(Exception):
    """The host has closed the connection."""


class Request:
    """One request on a connection, and every way to answer it."""

    def __init__(self, connection):
        self.connection, self.params, self.unread, self.id = connection, b'', True, 0

    def exactly(self, length):
        data = bytearray()
        while len(data) < length:
            part = self.connection.recv(min(1 << 16, length - len(data)))
            if not part:
                raise Gone
            data += part
        return bytes(data)

    def record(self):
        version, kind, number, length, padding, _ = struct.unpack('>BBHHBB', self.exactly(8))
        content = self.exactly(length + padding)[:length]
        if version != 1:
            note('violations.log', f'version {version}')
        return kind, number, content

    def begin(self):
        kind, self.id, content = self.record()
        if kind == STDIN:
            # The rest of a body that nobody read: the host may not have known. php-cgi closes here, too.
            raise Gone
        if kind != BEGIN:
            note('violations.log', f'record of type {kind} where a request should begin')
            raise Gone
        self.role, self.flags = struct.unpack('>HB', content[:3])
        while True:
            kind, number, content = self.record()
            if (kind, number) != (PARAMS, self.id):
                note('violations.log', f'type {kind} id {number} among the parameters')
                raise Gone
            if not content:
                return
            whole_pairs(content)
            self.params += content

    def variables(self):
        return dict(whole_pairs(self.params))

    def body(self):
        """Pieces of the body; a request to abort ends it."""
        while self.unread:
            kind, number, content = self.record()
            if kind == ABORT:
                note('aborts.log', os.getpid())
                raise Gone
            if (kind, number) != (STDIN, self.id):
                note('violations.log', f'type {kind} id {number} within the body')
                raise Gone
            self.unread = bool(content)
            yield content

    def whole_body(self):
        return b''.join(self.body())

    def send(self, kind, content=b'', padding=None, number=None, version=1):
        padding = -len(content) % 8 if padding is None else padding
        head = struct.pack('>BBHHBB', version, kind, self.id if number is None else number, len(content), padding, 0)
        self.connection.sendall(head + content + b'\xff' * padding)

    def out(self, text, size=65528):
        data = text.encode() if isinstance(text, str) else text
        for at in range(0, len(data), size):
            self.send(STDOUT, data[at:at + size])

    def end(self, protocol_status=0, app_status=0):
        # What waits now came while this worker was busy.
        for ready in select.select([listener, self.connection], [], [], 0)[0]:
            if ready is listener:
                note('violations.log', f'{os.getpid()} is busy and a connection waits')
            else:
                waiting = self.connection.recv(8, socket.MSG_PEEK)
                if not self.unread and waiting and waiting[1] != ABORT:
                    note('violations.log', f'{os.getpid()} is busy and a record of type {waiting[1]} came')
        self.send(END, struct.pack('>LB3s', app_status, protocol_status, b'abc'))

    def answer(self, head, body=''):
        self.whole_body()
        self.out(head)
        self.out(b'\r\n')
        self.out(body)
        self.send(STDOUT)
        self.end()


def whole_pairs(data):
    """The pairs; fails where one is cut off, so that no record may end inside of a pair."""
    pairs, at = [], 0

    def number():
        nonlocal at
        if data[at] < 128:
            at += 1
            return data[at - 1]
        at += 4
        return struct.unpack('>L', data[at - 4:at])[0] & 0x7fffffff
    try:
        while at < len(data):
            name, value = number(), number()
            end = at + name + value
            if end > len(data):
                raise IndexError
            pairs.append((data[at:at + name].decode('latin-1'), data[at + name:end].decode('latin-1')))
            at = end
    except IndexError:
        note('violations.log', 'a pair is split over two records')
        raise Gone
    return pairs


def serve(connection, behaviours):
    while True:
        request = Request(connection)
        request.begin()
        query = request.variables().get('QUERY_STRING', '')
        name, _, argument = query.partition('=')
        note('requests.log', f'{os.getpid()} {query}')
        behaviours[name or 'hello'](request, argument)
        if not request.flags & 1:
            return


busy = False


def run(behaviours):
    """Serves one connection after the other, for ever; the query string names a behaviour."""
    global busy
    # As with php-cgi: asked to end, it ends with the connection it has.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0) if not busy else None)
    signal.signal(signal.SIGUSR1, lambda *_: os._exit(0) if not busy else None)
    note('starts.log', os.getpid())
    while True:
        connection, _ = listener.accept()
        connection.setblocking(True)
        busy = True
        try:
            serve(connection, behaviours)
        except (Gone, ConnectionError):
            pass
        finally:
            busy = False
            connection.close()
