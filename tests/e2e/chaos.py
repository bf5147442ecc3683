"""kill -9 at random moments: the alerts must be those of an uninterrupted run.

`weir serve` is started and killed again and again, with 1 and with 4 shards in turn, under four connections that send events and one
that changes rules and lists; every unanswered request is sent again, unchanged. In the end:
  * each event that was answered 202 stands in the log, and no event stands there twice;
  * the ids in the alert log, the ids a webhook receiver got, and the ids of an independent replay are the same sets: the replay feeds
    the exported log, record by record over one connection, to a fresh server that nobody kills; alerts are compared byte for byte too;
  * the part before the first rule change gives the same ids in `weir run` over that log.
The last line says what was counted; the exit status is 1 if anything is missing, invented, absent or doubled. Standard library only.
"""

import argparse
import collections
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse

from chaos_server import Failure, Receiver, Server, request
from chaos_traffic import Traffic

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = os.path.join(HERE, "chaos.weir")
REPLAY_LINES = 2_000          # events a request of the replay, at most
DELIVERY_TIMEOUT_S = 120
SHOWN = 5                     # differing ids printed of each kind


class Chaos:
    def __init__(self, weir, directory, seed):
        self.weir = weir
        self.directory = directory
        self.random = random.Random(seed)
        self.receiver = Receiver(directory, seed)
        self.server = Server(weir, directory, self.receiver.port)
        self.kills = 0
        self.recovery_kills = 0
        self.early_kills = 0      # within a second of the start
        self.traffic = None
        self.seed = seed

    # --- the kills

    def begin(self):
        self.server.start(1)
        with open(RULES, "rb") as rules:
            self.server.ask("POST", "/v1/deployments", rules.read())
        for country in ("AT", "DE"):
            self.server.ask("PUT", f"/v1/lists/watched/{country}")
        self.traffic = Traffic(self.server, self.seed)

    def life(self):
        """What is running lives on for a while, is killed, and starts again, perhaps only after more kills."""
        self.traffic.checkpoints = self.random.choice(["never", "often", "always", "always"])
        lived_s = self.random.random() if self.random.random() < 0.25 else self.random.uniform(0.3, 1.4)
        time.sleep(lived_s)
        self.kill()

    def kill(self):
        self.traffic.check()
        age_s = time.monotonic() - self.server.started
        recovering = self.server.port is None
        self.server.kill()
        self.kills += 1
        self.recovery_kills += recovering
        self.early_kills += age_s < 1

    def run(self, kills):
        until = self.kills + kills
        while self.kills < until:
            self.life()
            self.server.spawn(self.random.choice([1, 4]))
            while self.kills < until and self.random.random() < 0.12:
                if self.server.wait_ready(self.random.uniform(0, self.server.usual_start_s)):
                    break
                self.kill()
                self.server.spawn(self.random.choice([1, 4]))
            if self.server.port is None and not self.server.wait_ready():
                raise Failure("weir serve does not become ready again")

    # --- the end of a phase

    def settle(self):
        """Everything is answered, time is closed on both clocks, all is processed and stored; the server runs again afterwards."""
        self.traffic.quiet()
        close_ms = max(self.traffic.clock.close(), self.traffic.fast_clock.close())
        self.server.ask("POST", "/v1/events", json.dumps({"$watermark": close_ms}).encode())
        for clock in (self.traffic.clock, self.traffic.fast_clock):
            clock.next(close_ms - clock.next(0) + 60_000)
        self.server.stop()

    def compare_with_files(self):
        """No rule has changed yet: the log as a file must give `weir run` the same alerts."""
        events = os.path.join(self.directory, "events.ndjson")
        self.server.export_log(events, "--events-only")
        watched = os.path.join(self.directory, "watched.txt")
        with open(watched, "w", encoding="ascii") as out:
            out.write("AT\nDE\n")
        run = subprocess.run([self.weir, "run", RULES, "--events", events, "--list", f"watched={watched}"], capture_output=True, check=False)
        if run.returncode != 0:
            raise Failure(f"weir run ended with status {run.returncode}: {run.stderr.decode(errors='replace')}")
        expected = {alert["id"]: alert for alert in map(json.loads, run.stdout.splitlines())}
        self.server.start(1)
        return Comparison("weir run", expected, self.server.alerts(), None)

    def replay(self, log_path):
        """The alerts of a server that is fed the log from the beginning and never killed."""
        directory = os.path.join(self.directory, "replay")
        os.mkdir(directory)
        fresh = Server(self.weir, directory)
        try:
            fresh.start(self.random.choice([1, 2, 4]))
            feed(fresh, log_path)
            fresh.stop()
            fresh.start(1)
            alerts = fresh.alerts()
            fresh.stop()
            return alerts
        finally:
            fresh.abandon()

    def await_deliveries(self, alerts):
        until = time.monotonic() + DELIVERY_TIMEOUT_S
        while time.monotonic() < until and not alerts.keys() <= set(self.receiver.ids()):
            time.sleep(0.1)
        return self.receiver.ids()

    def close(self):
        if self.traffic is not None:
            self.traffic.close()
        self.server.abandon()
        self.receiver.close()


class Comparison:
    """Two or three sets of alerts that must be one."""

    def __init__(self, name, expected, stored, received):
        self.name = name
        self.expected = expected
        self.stored = stored
        got = [set(stored)] + ([set(received)] if received is not None else [])
        wanted = set(expected)
        self.missing = sorted(set().union(*(wanted - ids for ids in got)))
        self.invented = sorted(set().union(*(ids - wanted for ids in got)))
        self.changed = sorted(id for id in wanted & set(stored) if expected[id] != stored[id]) if received is not None else []

    def is_equal(self):
        return not (self.missing or self.invented or self.changed)

    def print(self):
        for what in ("missing", "invented", "changed"):
            ids = getattr(self, what)
            if ids:
                rules = collections.Counter((self.expected.get(id) or self.stored.get(id) or {"rule": "?"})["rule"] for id in ids)
                print(f"{self.name}: {len(ids)} {what}: {dict(rules)}")
            for id in ids[:SHOWN]:
                expected, stored = self.expected.get(id), self.stored.get(id)
                print(f"  {id} expected: {brief(expected)}; stored: {'the same' if stored == expected else brief(stored)}")
                if what == "changed":
                    fields = [name for name in expected if expected[name] != stored.get(name)]
                    print("    ", {name: (expected[name], stored.get(name)) for name in fields})


def brief(alert):
    if alert is None:
        return "none"
    events = [event["event"].get("id", event["event"]["at"]) for event in alert["events"]]
    return f"{alert['rule']} version {alert['version']} key {alert['key']} at {alert['time']} events {events}"


def feed(server, log_path):
    """Every record of an exported log, in order."""
    connection = server.connect()

    def post(lines):
        if not lines:
            return
        status, answer = request(connection, "POST", "/v1/events", "\n".join(lines).encode())
        if status != 202 or json.loads(answer)["rejected"]:
            raise Failure(f"the replay's events were answered {status}: {answer[:1000]!r}")

    def edit(change):
        for one in change["edits"]:
            path = f"/v1/lists/{change['$edit']}/" + "/".join(urllib.parse.quote(part, safe="") for part in one["key"])
            server.ask("PUT" if one["now"] else "DELETE", path)

    lines = []
    with open(log_path, encoding="utf-8") as log:
        for line in log:
            line = line.rstrip("\n")
            is_event = line.startswith('{"stream"') or line.startswith('{"$watermark"')
            if is_event:
                lines.append(line)
            if lines and (not is_event or len(lines) >= REPLAY_LINES):
                post(lines)
                lines = []
            if line.startswith('{"$rules"'):
                server.ask("POST", "/v1/deployments", json.loads(line)["$rules"].encode())
            elif line.startswith('{"$edit"'):
                edit(json.loads(line))
            elif not is_event:
                raise Failure(f"the log holds what this harness did not ask for: {line[:200]}")
    post(lines)
    connection.close()


def check_log(log_path, acked):
    """Ids of events that were acknowledged and are not there, and of events that are there more than once."""
    found = collections.Counter()
    with open(log_path, encoding="utf-8") as log:
        for line in log:
            if line.startswith('{"stream"'):
                found[json.loads(line)["event"]["id"]] += 1
    absent = [id for id in acked if id not in found]
    doubled = [id for id, count in found.items() if count > 1]
    return absent, doubled


def chaos(options, directory):
    began = time.monotonic()
    run = Chaos(options.weir, directory, options.seed)
    failed = False
    acked, alerts, comparison, duplicates = [], {}, None, 0
    try:
        run.begin()
        run.run(options.kills // 2)
        run.settle()
        files = run.compare_with_files()
        files.print()
        run.traffic.may_change = True
        run.traffic.loud()
        run.run(options.kills - options.kills // 2)
        run.settle()
        run.server.start(1)
        alerts = run.server.alerts()
        received = run.await_deliveries(alerts)
        duplicates = len(received) - len(set(received))
        run.server.stop()
        acked = run.traffic.acked
        log_path = os.path.join(directory, "log.ndjson")
        run.server.export_log(log_path)
        absent, doubled = check_log(log_path, acked)
        print(f"requests={run.traffic.requests} sent_again={run.traffic.retries} changes={run.traffic.changes} "
              f"early_kills={run.early_kills} absent={len(absent)} doubled={len(doubled)} files={len(files.expected)} "
              f"kills_s={time.monotonic() - began:.0f}")
        for what, ids in (("acknowledged but not in the log", absent), ("in the log twice", doubled)):
            if ids:
                print(f"{len(ids)} events {what}: {ids[:SHOWN]}")
        comparison = Comparison("replay", run.replay(log_path), alerts, received)
        comparison.print()
        failed = bool(absent or doubled) or not comparison.is_equal() or not files.is_equal()
    except Failure as failure:
        print(f"failed: {failure}")
        failed = True
    finally:
        run.close()
    missing = len(comparison.missing) if comparison else 0
    invented = len(comparison.invented) if comparison else 0
    if failed:
        print(f"seed {options.seed}; kept: {directory}" if options.keep else f"seed {options.seed}")
    print(f"chaos kills={run.kills} acked={len(acked)} alerts={len(alerts)} missing={missing} invented={invented} "
          f"duplicates={duplicates} recovery_kills={run.recovery_kills}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=400)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--weir", default=os.environ.get("WEIR", "build/release/weir"))
    parser.add_argument("--directory", help="where the data goes (default: a new one in the temporary directory)")
    parser.add_argument("--no-keep", dest="keep", action="store_false", help="remove the directory after a failure too")
    options = parser.parse_args()
    directory = tempfile.mkdtemp(prefix="weir-chaos-", dir=options.directory)
    print(f"chaos: {options.kills} kills, seed {options.seed}, in {directory}", flush=True)
    failed = chaos(options, directory)
    if not (failed and options.keep):
        shutil.rmtree(directory, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
