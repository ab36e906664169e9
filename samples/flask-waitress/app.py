"""A Flask application: a page, its process, and what it was asked with."""

import os

from flask import Flask, request

app = Flask(__name__)


@app.get("/")
def greeting():
    print("a greeting was asked for")
    return "Hello from Flask!\n"


@app.get("/process")
def process():
    return {"pid": os.getpid(), "port": os.environ["HTTP_PLATFORM_PORT"]}


@app.post("/echo")
def echo():
    return request.get_data()


@app.get("/forwarded")
def forwarded():
    return {name: request.headers.get(name) for name in ("X-Forwarded-For", "X-Forwarded-Proto")}
