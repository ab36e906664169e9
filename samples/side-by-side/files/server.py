"""Lists the files of `shared` and their sizes, at /files/, and sends one, at /files/NAME."""
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHARED = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'shared')


class Files(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        name = self.path.split('?')[0].removeprefix('/files').strip('/')
        names = sorted(os.listdir(SHARED))
        if not name:
            self.answer(200, ''.join(f'{n} {os.path.getsize(os.path.join(SHARED, n))}\n' for n in names).encode())
        elif name in names:
            with open(os.path.join(SHARED, name), 'rb') as file:
                self.answer(200, file.read())
        else:
            self.answer(404, b'not shared\n')

    def answer(self, status, body):
        self.send_response(status)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(body)))
        self.send_header('X-Process', str(os.getpid()))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(('127.0.0.1', int(os.environ['HTTP_PLATFORM_PORT'])), Files).serve_forever()
