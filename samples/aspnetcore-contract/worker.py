"""What an ASP.NET Core application does out of process, without .NET: it listens where ASPNETCORE_PORT says, answers only
requests that carry its pairing token, and ends when it is asked to."""

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = os.environ["ASPNETCORE_TOKEN"]
BASE = os.environ["ASPNETCORE_APPL_PATH"].rstrip("/")


class Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text=""):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.headers.get("MS-ASPNETCORE-TOKEN") != TOKEN:
            return self.answer(400)
        client = self.headers.get("X-Forwarded-For", "").rsplit(":", 1)[0]
        self.answer(200, f"Hello, {client}! {self.path} is mine, the base is '{BASE}'.\n")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("MS-ASPNETCORE-TOKEN") != TOKEN:
            return self.answer(400)
        if self.path == f"{BASE}/iisintegration" and self.headers.get("MS-ASPNETCORE-EVENT", "").lower() == "shutdown":
            self.answer(202)
            print("asked to end", flush=True)
            threading.Thread(target=self.server.shutdown).start()
        else:
            self.answer(200, "posted\n")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["ASPNETCORE_PORT"])), Application)
server.serve_forever()
