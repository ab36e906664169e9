# Forks two processes that answer with their pid, and one that ignores SIGTERM and does nothing.
import os
import signal
import socket
import sys
import time

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))


def answer():
    while True:
        client, _ = listener.accept()
        client.recv(65536)
        body = str(os.getpid()).encode()
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        client.sendall(head + body)
        client.close()


def stay():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    listener.close()
    while True:
        time.sleep(60)


for work in (answer, answer, stay):
    if os.fork() == 0:
        work()
while True:
    os.wait()
