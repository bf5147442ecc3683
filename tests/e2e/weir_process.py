"""A `weir serve` process and a keep-alive HTTP client, for the end-to-end tests. Standard library only.

A Client belongs to one thread. Nothing here retries silently: what a test may repeat, it repeats itself.
"""
import json
import os
import re
import socket
import subprocess
import time

READY_S = 30
ANSWER_S = 60


class ServerDied(Exception):
    """The process ended, or was not ready in time; the text holds the end of what it wrote."""


def free_port():
    """A port nobody listens on now. For servers that must come back on the same address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`weir serve` on loopback. `directory` takes its data and what it writes; start() may follow kill() or stop()."""

    def __init__(self, weir, directory, arguments=(), port=0, settings=()):
        """`settings`: environment variables such as ("WEIR_LOG_LINGER", "0 ms")."""
        self.command = [weir, "serve", "--data", str(directory / "data"), "--listen", f"127.0.0.1:{port}", *arguments]
        self.out = directory / "serve.out"
        self.err = directory / "serve.err"
        self.process = None
        self.port = port
        self.environment = {**os.environ, **dict(settings)}

    def start(self):
        """Returns once events are taken."""
        with open(self.out, "wb") as out, open(self.err, "ab") as err:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=err, env=self.environment)
        deadline = time.monotonic() + READY_S
        while not self._is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerDied(f"not ready: {self.tail()}")
            time.sleep(0.02)

    def _is_ready(self):
        said = re.search(rb"^listening on http://127\.0\.0\.1:(\d+)", self.out.read_bytes(), re.MULTILINE)
        if not said:
            return False
        self.port = int(said.group(1))
        try:
            with Client(self.port) as client:
                return client.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def kill(self):
        """kill -9: nothing is flushed, nobody is told."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; returns the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=ANSWER_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    def end(self):
        """For the way out of a test, whatever happened."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def tail(self):
        return self.err.read_bytes()[-2000:].decode(errors="replace")


class Client:
    """One keep-alive connection. An OSError of any method leaves it closed; the next request connects again."""

    def __init__(self, port):
        self.port = port
        self.socket = None
        self.bytes = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self.bytes = b""

    def request(self, method, target, body=b"", content_type="application/x-ndjson", headers=()):
        """Returns (status, headers with lower-case names, body). `headers`: more pairs of names and values."""
        head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers)
        if body:
            head += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        elif method != "GET":
            head += "Content-Length: 0\r\n"
        try:
            if self.socket is None:
                self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_S)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(head.encode() + b"\r\n" + body)
            return self._answer()
        except OSError:
            self.close()
            raise

    def _answer(self):
        while b"\r\n\r\n" not in self.bytes:
            self._receive()
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        while len(self.bytes) < length:
            self._receive()
        body, self.bytes = self.bytes[:length], self.bytes[length:]
        if headers.get("connection", "").lower() == "close":
            self.close()
        return status, headers, body

    def _receive(self):
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise ConnectionResetError("the server closed the connection")
        self.bytes += piece

    def get_json(self, target):
        status, _, body = self.request("GET", target)
        if status != 200:
            raise RuntimeError(f"GET {target}: {status} {body[:500].decode(errors='replace')}")
        return json.loads(body)

    def alerts(self):
        """Every alert of the log, newest first."""
        found, cursor = [], ""
        while True:
            page = self.get_json(f"/v1/alerts?limit=1000{cursor}")
            found += page["items"]
            if not page["next"]:
                return found
            cursor = f"&cursor={page['next']}"

    def post_events(self, lines):
        """Bytes of lines; returns the answer's JSON. Waits as long as the server asks for when it is busy."""
        while True:
            status, headers, body = self.request("POST", "/v1/events", lines)
            if status == 429:
                time.sleep(int(headers["retry-after"]))
                continue
            if status != 202:
                raise RuntimeError(f"POST /v1/events: {status} {body[:500].decode(errors='replace')}")
            return json.loads(body)
