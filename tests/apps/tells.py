# Tells in JSON who it is and what it was given: `python3 -u tells.py [PORT [ARGUMENT...]]`.
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Tells(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({
            "pid": os.getpid(),
            "port": str(self.server.server_port),
            "arguments": sys.argv[1:],
            "environment": dict(os.environ),
            "directory": os.getcwd(),
            "url": self.path,
            "fields": self.headers.items(),
        }).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


port = sys.argv[1] if len(sys.argv) > 1 else os.environ["HTTP_PLATFORM_PORT"]
ThreadingHTTPServer(("127.0.0.1", int(port)), Tells).serve_forever()
