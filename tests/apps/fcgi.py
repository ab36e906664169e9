"""A FastCGI worker that behaves or misbehaves as it is asked: the query string says how, `NAME` or `NAME=ARGUMENT`.

Each function below is one behaviour, `_` in its name written `-`. Arguments and notes: see fcgi_protocol.py beside this file.
"""
import json, os, signal, sys, time
from urllib.parse import unquote

from fcgi_protocol import END, STDERR, STDOUT, Gone, fnv, note, run, whole_pairs

TYPE = b'Content-Type: text/plain\r\n'
BEHAVIOURS = {}


def behaviour(function):
    BEHAVIOURS[function.__name__.replace('_', '-')] = function
    return function


def stays_silent(seconds):
    time.sleep(seconds)

@behaviour
def hello(request, _):
    request.answer(TYPE, f'hello from {os.getpid()}')


@behaviour
def pid(request, _):
    request.answer(TYPE, str(os.getpid()))


@behaviour
def tells(request, _):
    body = request.whole_body()
    told = {'variables': request.variables(), 'length': len(body), 'hash': fnv(body) if len(body) < 300000 else None,
            'role': request.role, 'flags': request.flags, 'id': request.id, 'pid': os.getpid()}
    request.out(b'Content-Type: application/json\r\n\r\n' + json.dumps(told).encode())
    request.end()


@behaviour
def names(request, _):
    """The names of the variables, as often as they came."""
    request.answer(TYPE, json.dumps([name for name, _ in whole_pairs(request.params)]))


@behaviour
def environment(request, _):
    open_files = [f'/proc/self/fd/{number}' for number in os.listdir('/proc/self/fd')]
    request.answer(TYPE, json.dumps({
        'variables': dict(os.environ), 'arguments': sys.argv, 'folder': os.getcwd(), 'group': os.getpgid(0),
        'files': sorted(os.readlink(file) for file in open_files if os.path.islink(file))}))


@behaviour
def takes(request, seconds):
    """Busy for a while, noting when it begins and ends."""
    note('spans.log', f'{os.getpid()} begins')
    time.sleep(float(seconds))
    note('spans.log', f'{os.getpid()} ends')
    request.answer(TYPE, str(os.getpid()))


@behaviour
def header(request, argument):
    """These lines, `|` between them, and nothing of our own."""
    request.answer('\r\n'.join(unquote(argument).split('|')) + '\r\n', 'the body')


@behaviour
def to_itself(request, _):
    request.answer(b'Location: ' + request.variables()['REQUEST_URI'].encode() + b'\r\n')


@behaviour
def line_feeds(request, _):
    request.whole_body()
    request.out('Content-Type: text/plain\nX-One: 1\nSet-Cookie: a=1\nSet-Cookie: b=2\n\nonly line feeds\n')
    request.end()


@behaviour
def every_byte(request, _):
    """Each byte of the head in a record of its own, with empty records and stderr in between."""
    request.whole_body()
    for byte in b'Content-Type: text/plain\r\nX-Long: ' + b'v' * 50 + b'\r\n\r\n':
        request.send(STDOUT, bytes([byte]))
        request.send(STDERR, b'.')
    request.out('after every byte', 1)
    request.send(STDOUT)
    request.send(STDERR)
    request.end()


@behaviour
def large_head(request, length):
    request.answer(TYPE + b''.join(b'X-Part-%d: %s\r\n' % (i, b'h' * 990) for i in range(int(length) // 1000)), 'small')


@behaviour
def large(request, length):
    request.answer(TYPE, b'0123456789' * (int(length) // 10))


@behaviour
def large_with_length(request, length):
    request.answer(TYPE + b'Content-Length: ' + length.encode() + b'\r\n', b'0123456789' * (int(length) // 10))


@behaviour
def declares(request, lengths):
    """Declares one length and sends another."""
    declared, sent = lengths.split(',')
    request.answer(TYPE + b'Content-Length: ' + declared.encode() + b'\r\n', b'x' * int(sent))


@behaviour
def padding(request, _):
    request.whole_body()
    for part in (TYPE, b'\r\n', b'padded ', b'well'):
        request.send(STDOUT, part, padding=255)
    request.send(STDOUT, padding=255)
    request.send(END, bytes(8), padding=255)


@behaviour
def stderr(request, where):
    """Writes to stderr before, between or after the bytes of the answer, or nothing else."""
    request.whole_body()
    said = b'PHP Notice: the secret of stderr\n'
    if where in ('before', 'only'):
        request.send(STDERR, said)
    if where != 'only':
        request.out(b'Content-Type: text/')
        if where == 'between':
            request.send(STDERR, said)
        request.out(b'plain\r\n\r\nthe page')
    if where == 'after':
        request.send(STDERR, said)
    request.send(STDOUT)
    request.send(STDERR)
    request.end()


@behaviour
def stderr_flood(request, _):
    request.whole_body()
    for _ in range(64):
        request.send(STDERR, b'e' * 65528)
    request.answer(TYPE, 'after a flood')


@behaviour
def early(request, _):
    """Answers without having read the body."""
    request.out(TYPE + b'\r\nearly')
    request.send(STDOUT)
    request.end()


@behaviour
def redirects_early(request, _):
    """Has something else served, without having read the body."""
    request.out(b'Location: /act.fcgi?tells\r\n\r\n')
    request.send(STDOUT)
    request.end()


@behaviour
def both_ways(request, _):
    """Sends back what comes, while it comes."""
    request.out(TYPE + b'\r\n')
    for part in request.body():
        request.out(part)
    request.end()


# Broken ones.

@behaviour
def garbage(request, _):
    request.whole_body()
    request.connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ngarbage')
    stays_silent(300)


@behaviour
def version(request, _):
    request.whole_body()
    request.send(STDOUT, TYPE + b'\r\nwrong version', version=9)
    request.end()


@behaviour
def wrong_id(request, _):
    request.whole_body()
    request.send(STDOUT, TYPE + b'\r\nfor somebody else', number=request.id + 7)
    request.send(END, bytes(8), number=request.id + 7)
    stays_silent(300)


@behaviour
def wrong_id_first(request, _):
    """Words for somebody else, then the answer."""
    request.whole_body()
    request.send(STDOUT, b'Status: 500\r\n\r\nfor somebody else', number=request.id + 7)
    request.out(TYPE + b'\r\nright')
    request.end()


@behaviour
def management(request, _):
    """Records that are nobody's answer, as a library may send them."""
    request.whole_body()
    request.send(11, b'\x63' + bytes(7), number=0)
    request.send(10, b'', number=0)
    request.out(TYPE + b'\r\nright')
    request.end()


@behaviour
def unknown_type(request, _):
    request.whole_body()
    request.send(99, b'what is this')
    request.out(TYPE + b'\r\nright')
    request.end()


@behaviour
def ends(request, status):
    """Refuses by a protocol status."""
    request.whole_body()
    request.end(protocol_status=int(status))


@behaviour
def app_status(request, status):
    request.whole_body()
    request.out(TYPE + b'\r\nwith a status')
    request.end(app_status=int(status))


@behaviour
def nothing(request, _):
    request.whole_body()
    request.end()


@behaviour
def no_head_end(request, _):
    request.whole_body()
    request.out(b'Content-Type: text/plain\r\nX-Half')
    request.end()


@behaviour
def endless_head(request, _):
    request.whole_body()
    for number in range(4000):
        request.out(b'X-%d: %s\r\n' % (number, b'v' * 1000))
    stays_silent(300)


@behaviour
def leaves(request, how):
    """`close` or `exit` or `kill`, then the stage."""
    way, stage = how.split(',')
    if stage not in ('begin',):
        request.whole_body()
    if stage == 'head':
        request.out(b'Content-Type: text/pl')
    if stage == 'body':
        request.out(TYPE + b'\r\n' + b'b' * 100000)
    if stage == 'counted':
        request.out(TYPE + b'Content-Length: 200000\r\n\r\n' + b'b' * 100000)
    if stage == 'all':
        request.out(TYPE + b'\r\nthe whole page')
    if way == 'exit':
        os._exit(1)
    if way == 'kill':
        os.kill(os.getpid(), signal.SIGKILL)
    raise Gone


@behaviour
def after_answer(request, code):
    """Answers well, then exits."""
    request.answer(TYPE, str(os.getpid()))
    os._exit(int(code))


@behaviour
def never_ends(request, _):
    request.whole_body()
    request.out(TYPE + b'Content-Length: 5\r\n\r\nwhole')
    stays_silent(300)


@behaviour
def silent(request, seconds):
    request.whole_body()
    stays_silent(float(seconds or 300))
    request.answer(TYPE, 'at last')


@behaviour
def silent_in_body(request, _):
    request.whole_body()
    request.out(TYPE + b'\r\nhalf')
    stays_silent(300)


@behaviour
def drips(request, _):
    """A word every so often, for ever; notes when nobody listens any more."""
    request.whole_body()
    request.out(TYPE + b'\r\n')
    try:
        while True:
            request.out('drop ')
            time.sleep(0.1)
    finally:
        note('noticed.log', os.getpid())


if __name__ == '__main__':
    run(BEHAVIOURS)
