"""Remote checkpoints: kill -9 and rm -rf of the data directory cost no alert, and of two owners the older one is fenced.

The same events go to a server that nothing disturbs and to one that loses its disk halfway; what may have been lost is sent again. The ids
of all alerts must be equal. Then both machines run at once, then the old one comes back. Exit status 0: as promised.
"""
import argparse
import datetime
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import weir_process

RULES = """
create stream tx (id text not null, card text not null, amount decimal(12,2) not null, at timestamp not null)
    event time at delay 5 seconds, idle 1 hour, unique id;
create rule testing on tx partition by card pattern probe{2,} -> big within 10 minutes
    define probe as amount < 5.00, big as amount > 100.00 suppress 1 minute alert severity high message '{card}';
create rule often on tx partition by card when count(*) over (last 5 minutes) >= 12 suppress 30 seconds alert message '{card}';
"""
START = datetime.datetime(2026, 1, 5, tzinfo=datetime.timezone.utc)
WAIT_S = 30


def lines_of(seed, count):
    chance, lines = random.Random(seed), []
    for number in range(count):
        at = START + datetime.timedelta(seconds=number - chance.randrange(4))
        event = {"id": f"e{number}", "card": f"c{chance.randrange(20)}", "amount": chance.choice(["1.00", "4.99", "20.00", "250.00"]),
                 "at": at.isoformat().replace("+00:00", "Z")}
        lines.append(json.dumps({"stream": "tx", "event": event}))
    return lines


def check(holds, why):
    if not holds:
        print(f"FAILED: {why}", file=sys.stderr)
        sys.exit(1)


class Machine:
    """A server with a directory of its own that shares the copies with others."""

    all = []

    def __init__(self, weir, work, name, copies):
        self.weir, self.directory, self.url = weir, work / name, f"file://{copies}"
        self.directory.mkdir()
        rules = self.directory / "rules.weir"
        rules.write_text(RULES)
        settings = [("WEIR_REMOTE_URL", self.url), ("WEIR_REMOTE_INTERVAL", "1 s"), ("WEIR_REMOTE_KEEP", "2")] if copies else []
        self.server = weir_process.Server(weir, self.directory, ["--rules", str(rules), "--shards", "2"], settings=settings)
        Machine.all.append(self)

    def send(self, lines):
        with weir_process.Client(self.server.port) as client:
            for first in range(0, len(lines), 100):
                client.post_events("\n".join(lines[first:first + 100]).encode() + b"\n")

    def alert_ids(self):
        """Once no more came for a second."""
        with weir_process.Client(self.server.port) as client:
            known = None
            while True:
                ids = sorted(alert["id"] for alert in client.alerts())
                if ids == known:
                    return ids
                known = ids
                time.sleep(1)

    def log_end(self):
        with weir_process.Client(self.server.port) as client:
            return client.get_json("/healthz")["log"]["next_offset"]

    def ready(self):
        with weir_process.Client(self.server.port) as client:
            status, _, body = client.request("GET", "/readyz")
            return status, json.loads(body)

    def metric(self, name):
        with weir_process.Client(self.server.port) as client:
            text = client.request("GET", "/metrics")[2].decode()
        found = [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith(name)]
        check(found, f"no metric {name}")
        return float(found[0])

    def checkpoints(self, verb, *arguments, status=0):
        done = subprocess.run([self.weir, "checkpoints", verb, *arguments], capture_output=True, text=True, timeout=60, check=False)
        check(done.returncode == status, f"checkpoints {verb} {arguments}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def newest(self):
        items = json.loads(self.checkpoints("list", "--remote", self.url, "--json")[0])["items"]
        return next((item for item in items if item["newest"]), None)


def wait_for(what, holds):
    deadline = time.monotonic() + WAIT_S
    while not holds():
        check(time.monotonic() < deadline, f"{what} within {WAIT_S} s")
        time.sleep(0.2)


def lose_and_restore(weir, work, lines, expected):
    first = Machine(weir, work, "first", work / "copies")
    first.server.start()
    half = len(lines) // 2
    first.send(lines[:half])
    # Everything acknowledged so far is in a copy that began later.
    end = first.log_end()
    wait_for("a remote checkpoint", lambda: (first.newest() or {"log_end": 0})["log_end"] >= end)
    first.send(lines[half:half + half // 4])
    first.server.kill()
    shutil.rmtree(first.directory / "data")

    out, _ = first.checkpoints("verify", "--remote", first.url, "--json")
    check(json.loads(out)["sound"], out)
    fresh = Machine(weir, work, "fresh", work / "copies")
    try:
        fresh.server.start()
        check(False, "an empty directory replaced the copies")
    except weir_process.ServerDied as died:
        check("holds checkpoints of another data directory" in str(died), f"refused for another reason: {died}")

    second = Machine(weir, work, "second", work / "copies")
    data = str(second.directory / "data")
    second.checkpoints("restore", "--remote", second.url, "--data", data)
    _, told = second.checkpoints("restore", "--remote", second.url, "--data", data, status=3)
    check("is not empty" in told, told)
    _, told = second.checkpoints("restore", "--remote", second.url, "--data", str(work / "never"), "9-9", status=3)
    check("there are: " in told, told)
    second.server.start()
    second.send(lines[half:])            # from where the copy may end; what is in it already counts once
    wait_for(f"the {len(expected)} alerts of the server that nothing disturbed", lambda: second.alert_ids() == expected)
    return second


def fence(weir, work, older):
    def settled():
        before = older.newest()["id"]
        time.sleep(2.5)
        return older.newest()["id"] == before
    wait_for("a copy of everything", settled)
    check(older.ready()[0] == 200, "ready before")
    third = Machine(weir, work, "third", work / "copies")
    third.checkpoints("restore", "--remote", third.url, "--data", str(third.directory / "data"))
    third.server.start()
    wait_for("the older one is fenced", lambda: older.ready()[0] == 503)
    check(older.ready()[1]["code"] == "fenced", older.ready())
    check(older.metric("weir_remote_fenced") == 1, "the metric says so")
    check(third.ready()[0] == 200 and third.metric("weir_remote_fenced") == 0, "the younger one is the owner")
    epoch = third.newest()["epoch"]
    more = lines_of(99, 50)
    third.send([line.replace('"e', '"more') for line in more])
    wait_for("the younger one uploads", lambda: third.newest()["epoch"] > epoch)
    older.server.kill()
    try:
        older.server.start()
        check(False, "the old machine came back")
    except weir_process.ServerDied as died:
        check("holds checkpoints of another data directory" in str(died), f"refused for another reason: {died}")
    check(third.server.stop() == 0, "stops")
    check(json.loads(third.checkpoints("list", "--data", str(third.directory / "data"), "--json")[0])["items"], "local ones are listed")
    third.checkpoints("verify", "--data", str(third.directory / "data"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weir", required=True)
    parser.add_argument("--events", type=int, required=True)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        (work / "copies").mkdir()
        lines = lines_of(7, given.events)
        try:
            undisturbed = Machine(given.weir, work, "undisturbed", None)
            undisturbed.server.start()
            undisturbed.send(lines)
            expected = undisturbed.alert_ids()
            check(len(expected) > 50, f"too few alerts to compare: {len(expected)}")
            undisturbed.server.stop()
            second = lose_and_restore(given.weir, work, lines, expected)
            fence(given.weir, work, second)
        finally:
            for machine in Machine.all:
                machine.server.end()
    print(f"remote checkpoints: {len(expected)} alerts, equal after the loss of the disk; the older owner was fenced")


if __name__ == "__main__":
    main()
