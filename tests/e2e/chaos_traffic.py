"""What goes on around the kills, for chaos.py: four connections that send events, one that changes rules and lists, one that asks for
checkpoints. Every request that is not answered is sent again, unchanged, until it is."""

import http.client
import json
import random
import threading
import time

from chaos_server import Failure, request

START_MS = 1_767_571_200_000  # 2026-01-05T00:00:00Z: far from the wall clock, which must not matter
DELAY_MS = 30_000
ACCOUNTS = 30
STEP_MS = 35  # of event time, on average, from one event to the next
COUNTRIES = ["AT", "BE", "CH", "DE", "ES", "FR"]
PAUSES_S = [0.0, 0.002, 0.02, 0.06]


class EventClock:
    """Event time, moved on by whoever makes an event."""

    def __init__(self):
        self._lock = threading.Lock()
        self._now_ms = START_MS

    def next(self, step_ms):
        with self._lock:
            self._now_ms += step_ms
            return self._now_ms

    def close(self):
        """A time after which nothing that was sent before is open: later events begin there."""
        return self.next(10 * 60_000)


class Traffic:
    """All clients. `quiet` lets them finish what is open and then wait."""

    def __init__(self, server, seed):
        self.server = server
        self.random = random.Random(seed)
        self.clock = EventClock()
        self.fast_clock = EventClock()
        self.acked = []          # ids of events answered 202
        self.requests = 0        # answered 202
        self.retries = 0
        self.failure = None
        self.changes = 0         # of rules and lists, answered
        self.may_change = False
        self.checkpoints = "never"  # or "often", "always"
        self._lock = threading.Lock()
        self._quiet = threading.Event()
        self._stop = threading.Event()
        self._idle = 0
        self._threads = [threading.Thread(target=self._guard, args=(run, self.random.random()), daemon=True) for run in
                         (self._send_tx, self._send_mixed, self._send_mixed, self._send_fast, self._change, self._checkpoint)]
        for thread in self._threads:
            thread.start()

    def quiet(self, timeout_s=60):
        """Returns when every request begun was answered; nothing new begins until `loud`."""
        self._quiet.set()
        until = time.monotonic() + timeout_s
        while self._idle < len(self._threads):
            self.check()
            if time.monotonic() > until:
                raise Failure(f"requests were not answered within {timeout_s} s")
            time.sleep(0.01)

    def loud(self):
        self._quiet.clear()

    def close(self):
        self._stop.set()
        self._quiet.clear()
        for thread in self._threads:
            thread.join(5)

    def check(self):
        if self.failure is not None:
            raise self.failure

    # --- the threads

    def _guard(self, run, seed):
        try:
            run(random.Random(seed))
        except Failure as failure:
            self.failure = failure
        except Exception as error:  # pylint: disable=broad-except
            self.failure = Failure(f"a client failed: {error!r}")

    def _between(self, pause_s):
        """False when the traffic ends. Waits out a quiet time."""
        if self._quiet.is_set() and not self._stop.is_set():
            with self._lock:
                self._idle += 1
            while self._quiet.is_set():
                time.sleep(0.005)
            with self._lock:
                self._idle -= 1
        if pause_s > 0 and not self._stop.is_set():
            self._stop.wait(pause_s)
        return not self._stop.is_set()

    def _until_answered(self, link, method, path, body, headers, final):
        """Sends until an answer is one of `final`, over any number of kills; returns status and body."""
        tries = 0
        while not self._stop.is_set():
            port = self.server.port
            if port is None:
                time.sleep(0.002)
                continue
            try:
                if link.get("port") != port:
                    link.update(port=port, connection=http.client.HTTPConnection("127.0.0.1", port, timeout=20))
                tries += 1
                status, answer = request(link["connection"], method, path, body, headers)
            except (OSError, http.client.HTTPException):
                link["port"] = None
                continue
            if status in final:
                self.retries += tries - 1
                return status, answer
            if status not in (429, 503):
                raise Failure(f"{method} {path} was answered {status}: {answer[:2000].decode(errors='replace')}\n{body[:500]!r}")
            time.sleep(0.02)
        return 0, b""

    def _send(self, link, rng, path, events, lines, keyed):
        headers = {"Content-Type": "application/x-ndjson"}
        if keyed:
            headers["Idempotency-Key"] = f"{rng.getrandbits(96):024x}"
        status, answer = self._until_answered(link, "POST", path, "\n".join(lines).encode(), headers, (202,))
        if status != 202:
            return
        answer = json.loads(answer)
        if answer["rejected"] or answer["accepted"] + answer["duplicates"] != len(events):
            raise Failure(f"{len(events)} good events were answered {answer}")
        with self._lock:
            self.acked.extend(event["id"] for event in events)
            self.requests += 1

    # --- events

    def _event_time(self, rng):
        """Mostly out of order by less than the delay, often by almost all of it; one in fifty is late."""
        now = self.clock.next(rng.randrange(2 * STEP_MS))
        kind = rng.random()
        if kind < 0.4:
            return now - rng.randrange(1_000)
        if kind < 0.98:
            return now - rng.randrange(DELAY_MS - 4_000)
        return now - DELAY_MS - rng.randrange(DELAY_MS)

    def _tx(self, rng):
        return {"id": f"t{rng.getrandbits(64):016x}", "acct": f"a{rng.randrange(ACCOUNTS)}", "country": rng.choice(COUNTRIES),
                "amount": f"{rng.randrange(100_000) / 100:.2f}", "at": self._event_time(rng)}

    def _login(self, rng):
        return {"id": f"l{rng.getrandbits(64):016x}", "acct": f"a{rng.randrange(ACCOUNTS)}",
                "kind": rng.choice(["in", "in", "out", "failed"]), "at": self._event_time(rng)}

    @staticmethod
    def _size(rng):
        return rng.randrange(200, 400) if rng.random() < 0.004 else rng.randrange(1, 13)

    def _send_tx(self, rng):
        link = {}
        while self._between(rng.choice(PAUSES_S)):
            events = [self._tx(rng) for _ in range(self._size(rng))]
            self._send(link, rng, "/v1/streams/tx/events", events, [json.dumps(e) for e in events], rng.random() < 0.5)

    def _send_mixed(self, rng):
        link = {}
        while self._between(rng.choice(PAUSES_S)):
            pairs = [("tx", self._tx(rng)) if rng.random() < 0.4 else ("logins", self._login(rng)) for _ in range(self._size(rng))]
            lines = [json.dumps({"stream": stream, "event": event}) for stream, event in pairs]
            self._send(link, rng, "/v1/events", [event for _, event in pairs], lines, rng.random() < 0.6)

    def _send_fast(self, rng):
        link = {}
        while self._between(rng.choice(PAUSES_S)):
            events = []
            for _ in range(self._size(rng)):
                at = self.fast_clock.next(rng.randrange(4 * STEP_MS)) - (rng.randrange(3) if rng.random() < 0.05 else 0)
                events.append({"id": f"f{rng.getrandbits(64):016x}", "k": f"k{rng.randrange(10)}",
                               "kind": rng.choice("abbc"), "v": rng.randrange(30), "at": at})
            self._send(link, rng, "/v1/streams/fast/events", events, [json.dumps(e) for e in events], rng.random() < 0.3)

    # --- what else changes

    def _change(self, rng):
        link, version = {}, 0
        while self._between(rng.uniform(0.1, 1.0)):
            if not self.may_change:
                continue
            version += 1
            what = rng.random()
            if what < 0.3:
                self._put_rule(link, RETUNED.format(limit=7000 + self._limit * 500, version=version))
            elif what < 0.5:
                self._limit = rng.randrange(6)
                self._put_rule(link, RETUNED.format(limit=7000 + self._limit * 500, version=version))
            elif what < 0.55:
                self._put_rule(link, RAISED_TWICE.format(seconds=rng.choice([25, 30])), "raised_twice")
            elif what < 0.63:
                self._until_answered(link, "DELETE", "/v1/rules/comes_and_goes", b"", {}, (204, 404))
                self.changes += 1
                if self._between(rng.uniform(0, 0.5)):
                    self._put_rule(link, COMES_AND_GOES.format(seconds=rng.choice([15, 20])), "comes_and_goes")
            else:
                method = "PUT" if what < 0.85 else "DELETE"
                path = f"/v1/lists/watched/{rng.choice(COUNTRIES)}"
                self._until_answered(link, method, path, b"", {}, (200, 201, 204, 404))
                self.changes += 1

    _limit = 0

    def _put_rule(self, link, text, name="retuned"):
        self._until_answered(link, "PUT", f"/v1/rules/{name}", text.encode(), {"Content-Type": "text/plain"}, (200, 201))
        self.changes += 1

    def _checkpoint(self, rng):
        """A kill finds a checkpoint half written only if there are many of them."""
        link = {}
        while self._between(0.002 if self.checkpoints == "always" else rng.uniform(0.02, 0.2)):
            if self.checkpoints != "never":
                self._until_answered(link, "POST", "/v1/checkpoints", b"", {}, (200, 202, 409))


RETUNED = """create rule retuned on tx partition by acct
    when sum(amount) over (last 20 seconds) > {limit}
    suppress 5 seconds
    into raised
    alert message '{{acct}} spends a lot, version {version}';"""

COMES_AND_GOES = """create rule comes_and_goes on logins, tx
    partition by logins.acct, tx.acct
    pattern failed{{2}} -> pay within {seconds} seconds
    define failed as logins where kind = 'failed', pay as tx where amount > 500
    after match skip past last row
    alert message '{{acct}} pays after two failures';"""

RAISED_TWICE = """create rule raised_twice on raised partition by acct
    pattern one -> other within {seconds} seconds
    define one as true, other as rule <> one.rule
    measures count(*) as n
    after match skip past last row
    into paired
    alert message '{{acct}} raised twice';"""
