"""The server under test and the receiver of its webhooks, for chaos.py. Standard library only."""

import asyncio
import http.client
import json
import multiprocessing
import os
import random
import select
import signal
import subprocess
import time

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
START_TIMEOUT_S = 120
REQUEST_TIMEOUT_S = 20


class Failure(Exception):
    """The system under test did what it must not do."""


def request(connection, method, path, body=b"", headers=None):
    """One exchange over a kept connection: status and body."""
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read()


class Server:
    """`weir serve` over one data directory, started and killed many times. `port` is None while nobody listens."""

    def __init__(self, weir, directory, sink_port=None):
        self.weir = weir
        self.directory = directory
        self.data = os.path.join(directory, "data")
        self.log_path = os.path.join(directory, "serve.log")
        self.config = os.path.join(directory, "weir.toml")
        self.port = None
        self.process = None
        self.usual_start_s = 0.1
        self._write_config(sink_port)

    def _write_config(self, sink_port):
        text = f'[server]\ndata = "{self.data}"\nlog_level = "warning"\nlisten = "127.0.0.1:0"\n'
        if sink_port is not None:
            secret = os.path.join(self.directory, "secret")
            with open(secret, "w", encoding="utf-8") as out:
                out.write(SECRET + "\n")
            schedule = ", ".join(['"300 ms"'] * 12)
            text += f'[delivery]\nschedule = [{schedule}]\ntimeout = "10 s"\nallow_cidrs = ["127.0.0.0/8"]\n'
            text += f'[[sinks]]\nname = "chaos"\ntype = "webhook"\nurl = "http://127.0.0.1:{sink_port}/hook"\n'
            text += f'secret_file = "{secret}"\n'
        with open(self.config, "w", encoding="utf-8") as out:
            out.write(text)

    def spawn(self, shards):
        """Starts the process and returns at once."""
        self.port = None
        self.started = time.monotonic()
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.weir, "serve", "--config", self.config, "--shards", str(shards)], stdout=subprocess.PIPE, stderr=log
            )

    def wait_ready(self, seconds=START_TIMEOUT_S):
        """True once it listens; False if `seconds` passed before. A process that ended is a Failure."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            readable, _, _ = select.select([self.process.stdout], [], [], max(left, 0))
            if not readable:
                return False
            line = self.process.stdout.readline().decode()
            if not line:
                raise Failure(f"weir serve ended with status {self.process.wait()} at its start{self.tail()}")
            if line.startswith("listening on http://"):
                self.port = int(line.rsplit(":", 1)[1])
                self.usual_start_s = time.monotonic() - self.started
                return True

    def start(self, shards):
        self.spawn(shards)
        if not self.wait_ready():
            raise Failure(f"weir serve was not ready after {START_TIMEOUT_S} s")

    def kill(self):
        """kill -9. A process that had ended by itself is a Failure."""
        self.port = None
        if self.process.poll() is not None:
            raise Failure(f"weir serve ended by itself with status {self.process.returncode}{self.tail()}")
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """The clean way: drains, seals a checkpoint, exits 0."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("weir serve did not stop within 60 s of SIGTERM") from None
        self.port = None
        self.process.stdout.close()
        if status != 0:
            raise Failure(f"weir serve stopped with status {status}{self.tail()}")

    def abandon(self):
        """Leaves nothing running, whatever happened."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def tail(self):
        with open(self.log_path, "rb") as log:
            return "; its last words:\n" + log.read()[-3000:].decode(errors="replace")

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_TIMEOUT_S)

    def ask(self, method, path, body=b"", ok=(200, 201, 202, 204)):
        """One request that must succeed."""
        connection = self.connect()
        status, answer = request(connection, method, path, body)
        connection.close()
        if status not in ok:
            raise Failure(f"{method} {path} was answered {status}: {answer[:2000].decode(errors='replace')}")
        return answer

    def alerts(self):
        """The whole alert log: id -> alert."""
        alerts, connection, cursor = {}, self.connect(), ""
        while True:
            status, answer = request(connection, "GET", f"/v1/alerts?limit=1000{cursor}")
            if status != 200:
                raise Failure(f"GET /v1/alerts was answered {status}: {answer[:500]!r}")
            page = json.loads(answer)
            for alert in page["items"]:
                if alert["id"] in alerts:
                    raise Failure(f"alert {alert['id']} is listed twice")
                alerts[alert["id"]] = alert
            if page["next"] is None:
                connection.close()
                return alerts
            cursor = f"&cursor={page['next']}"

    def export_log(self, path, *flags):
        """Writes the log of the stopped service as NDJSON."""
        with open(path, "wb") as out:
            done = subprocess.run(
                [self.weir, "log", "export", "--data", self.data, *flags], stdout=out, stderr=subprocess.PIPE, check=False
            )
        if done.returncode != 0:
            raise Failure(f"weir log export ended with status {done.returncode}: {done.stderr.decode(errors='replace')}")


class Receiver:
    """Takes webhooks in a process of its own and writes each webhook-id on a line of a file. One request in fifty is refused."""

    def __init__(self, directory, seed):
        self.path = os.path.join(directory, "webhooks")
        ready, ready_there = multiprocessing.Pipe(False)
        self.process = multiprocessing.Process(target=self._run, args=(ready_there, seed), daemon=True)
        self.process.start()
        self.port = ready.recv()

    def _run(self, ready, seed):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        chance = random.Random(seed)
        out = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

        async def serve(reader, writer):
            try:
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                    await reader.readexactly(int(fields.get("content-length", 0)))
                    if chance.random() < 0.02:
                        writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
                        continue
                    os.write(out, fields["webhook-id"].encode() + b"\n")
                    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            ready.send(server.sockets[0].getsockname()[1])
            await server.serve_forever()

        asyncio.run(main())

    def ids(self):
        """Every webhook-id received so far, with repetitions."""
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="ascii") as received:
            return received.read().split("\n")[:-1]

    def close(self):
        self.process.terminate()
        self.process.join()
