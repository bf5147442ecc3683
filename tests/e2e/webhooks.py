"""Every alert reaches a webhook, signed as Standard Webhooks 1.0 says, whatever dies on the way.

A receiver of its own process answers the first attempt of every tenth alert with 500 and lets that of every twentieth
time out. It is killed and started again, and so is Weir (kill -9), each while deliveries are on their way. In the end
the set of ids the receiver verified must be the alert log's. Each verified delivery is also forged twice, once with a
changed byte and once signed for a time six minutes ago, and both forgeries must be refused.

The verifier is the PyPI package `standardwebhooks` (--library), or one of hmac and base64 of the standard library.
"""
import argparse
import base64
import collections
import datetime
import hashlib
import hmac
import http.server
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import weir_process

SECRET = "whsec_" + base64.b64encode(hashlib.sha256(b"a secret of this test").digest()).decode()
VECTORS = [
    ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}',
     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
     '{"email":"test@example.com","username":"test_user"}', "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="),
]
TIMEOUT_S = 1                 # Weir's, for one attempt
ANSWER_AFTER_S = 0.15         # what the receiver takes for one request, so that there is something to interrupt
IN_TIME_S = 120               # all alerts must have arrived this long after the last event
RULES = """
create stream pings (id text not null, key text not null, at timestamp not null) event time at, unique id;
-- weir:allow W0303 one alert an event is what the test wants
create rule ping on pings partition by key when key is not null alert severity high message 'ping {key}';
"""
CONFIG = """
[delivery]
schedule = ["200 ms", "400 ms", "1 s", "2 s", "2 s", "2 s", "2 s", "2 s", "5 s", "5 s", "5 s", "5 s"]
timeout = "{timeout} s"
allow_cidrs = ["127.0.0.0/8"]

[[sinks]]
name = "receiver"
type = "webhook"
url = "http://127.0.0.1:{port}/alerts"
secret_file = "{secret_file}"
"""


class OwnVerifier:
    """Standard Webhooks by hmac and base64."""

    def __init__(self, secret):
        self.key = base64.b64decode(secret.removeprefix("whsec_"))

    def sign(self, id, unix_s, body):
        digest = hmac.new(self.key, f"{id}.{unix_s}.{body}".encode(), hashlib.sha256).digest()
        return "v1," + base64.b64encode(digest).decode()

    def accepts(self, body, headers):
        unix_s = int(headers["webhook-timestamp"])
        right = self.sign(headers["webhook-id"], unix_s, body)
        return abs(time.time() - unix_s) <= 300 and right in headers["webhook-signature"].split(" ")


class LibraryVerifier:
    def __init__(self, secret):
        import standardwebhooks
        self.webhook = standardwebhooks.Webhook(secret)
        self.refusal = standardwebhooks.webhooks.WebhookVerificationError

    def sign(self, id, unix_s, body):
        return self.webhook.sign(id, datetime.datetime.fromtimestamp(unix_s, tz=datetime.timezone.utc), body)

    def accepts(self, body, headers):
        try:
            self.webhook.verify(body, headers, json_parse=False)
            return True
        except self.refusal:
            return False


class Book:
    """What the receiver met, one JSON line each in a file: it outlives the receiver."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self.faulted = {line["id"] for line in read_book(path) if line["what"] in ("500", "timeout")}

    def write(self, what, id, body=""):
        os.write(self.file, (json.dumps({"what": what, "id": id, "body": body}) + "\n").encode())

    def first_fault(self, id):
        """True once for each id."""
        with self.lock:
            fresh = id not in self.faulted
            self.faulted.add(id)
            return fresh


def read_book(path):
    """The whole lines of the file; a receiver that was killed may have left half a line."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [json.loads(line) for line in lines]


def planned_fault(number):
    return {0: "500", 1: "500", 2: "timeout"}.get(number % 20)


def forgeries_refused(verifier, body, headers):
    at = len(body) // 2
    changed = body[:at] + chr(ord(body[at]) ^ 1) + body[at + 1:]
    past = int(time.time()) - 360
    old = dict(headers)
    old["webhook-timestamp"] = str(past)
    old["webhook-signature"] = verifier.sign(headers["webhook-id"], past, body)
    return not verifier.accepts(changed, headers) and not verifier.accepts(body, old)


def make_handler(verifier, book):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            time.sleep(ANSWER_AFTER_S)
            self.answer(self.judge(body, headers))

        def judge(self, body, headers):
            """The status to answer with; 0: none in time."""
            id = headers.get("webhook-id", "")
            if not verifier.accepts(body, headers):
                book.write("refused", id, body)
                return 400
            fault = planned_fault(int(json.loads(body)["data"]["key"]["key"]))
            if fault and book.first_fault(id):
                book.write(fault, id)
                return 500 if fault == "500" else 0
            if not forgeries_refused(verifier, body, headers):
                book.write("forged", id, body)
            book.write("ok", id, body)
            return 204

        def answer(self, status):
            if status == 0:
                time.sleep(TIMEOUT_S * 2)
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    return Handler


def receive(options):
    """The receiver's process: serves until it is killed."""
    verifier = (LibraryVerifier if options.library else OwnVerifier)(SECRET)

    class Receiver(http.server.ThreadingHTTPServer):
        request_queue_size = 256
        daemon_threads = True

        def handle_error(self, request, client_address):
            if not isinstance(sys.exc_info()[1], ConnectionError):    # Weir was killed: that is the plan
                super().handle_error(request, client_address)

    Receiver(("127.0.0.1", options.receive), make_handler(verifier, Book(options.book))).serve_forever()


class Proof:
    def __init__(self, options, directory):
        self.options = options
        self.book = directory / "book"
        self.receiver_port = weir_process.free_port()
        self.receiver = None
        self.posted = 0
        rules, config, secret = directory / "rules.weir", directory / "weir.toml", directory / "secret"
        rules.write_text(RULES)
        secret.write_text(SECRET)
        config.write_text(CONFIG.format(port=self.receiver_port, secret_file=secret, timeout=TIMEOUT_S))
        self.server = weir_process.Server(options.weir, directory, ["--config", str(config), "--rules", str(rules)])

    def start_receiver(self):
        command = [sys.executable, "-B", __file__, "--receive", str(self.receiver_port), "--book", str(self.book)]
        self.receiver = subprocess.Popen(command + (["--library"] if self.options.library else []))

    def kill_receiver(self):
        self.receiver.kill()
        self.receiver.wait()

    def post(self, count):
        now = datetime.datetime.now(tz=datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines = [json.dumps({"stream": "pings", "event": {"id": f"e{n}", "key": str(n), "at": now}})
                 for n in range(self.posted, self.posted + count)]
        self.posted += count
        with weir_process.Client(self.server.port) as client:
            answer = client.post_events("\n".join(lines).encode() + b"\n")
        if answer["accepted"] != count:
            raise RuntimeError(f"{count} events were sent: {json.dumps(answer)[:500]}")

    def await_deliveries(self, count):
        """Until so many ids were delivered, or too much time has gone."""
        deadline = time.monotonic() + IN_TIME_S
        while len(self.delivered()) < count and time.monotonic() < deadline:
            time.sleep(0.02)

    def delivered(self):
        return {line["id"] for line in read_book(self.book) if line["what"] == "ok"}

    def run(self):
        """Returns the alerts of the log."""
        parts = 2 * self.options.restarts + 1
        sizes = [self.options.alerts * (part + 1) // parts - self.options.alerts * part // parts for part in range(parts)]
        self.start_receiver()
        self.server.start()
        for part, size in enumerate(sizes):
            before = len(self.delivered())
            self.post(size)
            self.await_deliveries(before + max(1, size // 10))    # now some have arrived and others are on their way
            if part == parts - 1:
                break
            if part % 2 == 0:
                self.kill_receiver()
                time.sleep(0.5)
                self.start_receiver()
            else:
                self.server.kill()
                self.server.start()
        self.await_deliveries(self.posted)
        with weir_process.Client(self.server.port) as client:
            return client.alerts()

    def end(self):
        self.server.end()
        if self.receiver is not None:
            self.kill_receiver()


def summarise(options, alerts, book):
    met = collections.Counter(line["what"] for line in book)
    bodies = {line["id"]: json.loads(line["body"]) for line in book if line["what"] == "ok"}
    logged = {alert["id"]: alert for alert in alerts}
    missing = len(logged.keys() - bodies.keys()) + max(0, options.alerts - len(logged))
    surplus = len(bodies.keys() - logged.keys())
    wrong = sum(body["type"] != "alert.fired" or body["data"]["id"] != id or body["data"] != logged.get(id)
                for id, body in bodies.items())
    verifier = f"standardwebhooks-{importlib.metadata.version('standardwebhooks')}" if options.library else "hmac"
    print(f"webhooks alerts={len(logged)} delivered={len(bodies)} missing={missing} surplus={surplus} other_body={wrong}"
          f" repeated={met['ok'] - len(bodies)} answered_500={met['500']} timed_out={met['timeout']}"
          f" not_verified={met['refused']} forgeries_accepted={met['forged']} receiver_restarts={options.restarts}"
          f" weir_kills={options.restarts} verifier={verifier}")
    faults = met["500"] == sum(planned_fault(n) == "500" for n in range(options.alerts)) and \
        met["timeout"] == sum(planned_fault(n) == "timeout" for n in range(options.alerts))
    if not faults:
        print("webhooks: the faults that were met are not those that were planned")
    fine = missing + surplus + wrong + met["refused"] + met["forged"] == 0 and len(logged) == options.alerts
    return 0 if fine and faults else 1


def failed_vectors(options):
    make = LibraryVerifier if options.library else OwnVerifier
    return [id for secret, id, unix_s, body, signature in VECTORS if make(secret).sign(id, unix_s, body) != signature]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir")
    parser.add_argument("--alerts", type=int, default=1000)
    parser.add_argument("--restarts", type=int, default=2, help="of the receiver, and of Weir")
    parser.add_argument("--library", action="store_true", help="verify by the package standardwebhooks")
    parser.add_argument("--receive", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--book", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receive:
        return receive(options)
    if bad := failed_vectors(options):
        print(f"webhooks: the vectors {', '.join(bad)} do not hold")
        return 1
    with tempfile.TemporaryDirectory(prefix="weir-webhooks-") as directory:
        proof = Proof(options, pathlib.Path(directory))
        try:
            alerts = proof.run()
            return summarise(options, alerts, read_book(proof.book))
        except (RuntimeError, OSError, weir_process.ServerDied) as error:
            print(f"webhooks: {error}")
            return 1
        finally:
            proof.end()


if __name__ == "__main__":
    sys.exit(main())
