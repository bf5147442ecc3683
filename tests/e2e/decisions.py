"""Decisions over HTTP: the verdict is the alert, the same event gets the same verdict, and kill -9 changes nothing.

The same requests go to a server with one shard that nothing disturbs, and to one with four that is killed at random moments; what is
not answered is sent again with the same Idempotency-Key. Verdicts, stored verdicts and alerts must be equal. Exit status 0: as promised.
"""
import argparse
import datetime
import json
import pathlib
import random
import sys
import tempfile
import threading

import weir_process

RULES = """
create stream tx (id text not null, card text not null, device text not null, amount decimal(12,2) not null, at timestamp not null)
    event time at delay 0 seconds, idle 1 hour, unique id;
create stream notes (card text not null, amount decimal(12,2) not null, at timestamp not null)
    event time at delay 5 seconds, idle 1 hour;
create rule testing on tx partition by card pattern probe{2,} -> big within 10 minutes
    define probe as amount < 5.00, big as amount > 100.00 suppress 1 minute
    alert severity high score 80 decision block message '{card}';
create rule device on tx partition by device when count(distinct card) over (last 5 minutes) >= 4 suppress 30 seconds
    alert score 40 decision review message '{device}';
create shadow rule strict on tx partition by card when amount > 150.00 suppress 10 seconds alert decision block message 'm';
create rule noted on notes partition by card pattern low -> high within 1 minute
    define low as amount < 5.00, high as amount > 100.00 alert decision challenge message '{card}';
"""
START = datetime.datetime(2026, 1, 5, tzinfo=datetime.timezone.utc)


def requests_of(seed, count):
    """(stream, Idempotency-Key, body) in order. Events of tx have their own id besides; those of notes only the key."""
    chance, found = random.Random(seed), []
    for number in range(count):
        at = START + datetime.timedelta(seconds=2 * number - (chance.randrange(4) if number % 3 == 0 else 0))
        event = {"card": f"c{chance.randrange(6)}", "amount": chance.choice(["1.00", "4.99", "120.00", "250.00"]),
                 "at": at.isoformat().replace("+00:00", "Z")}
        stream = "notes" if number % 3 == 0 else "tx"
        if stream == "tx":
            event |= {"id": f"e{number}", "device": f"d{chance.randrange(3)}"}
        found.append((stream, f"key-{number}", json.dumps(event).encode()))
    return found


def decide(client, stream, key, body):
    headers = [("Idempotency-Key", key)] if key else []
    status, _, answer = client.request("POST", f"/v1/streams/{stream}/decisions", body, "application/json", headers)
    return status, json.loads(answer)


def plain(verdict):
    """Without what may differ between two answers about one event."""
    return {name: value for name, value in verdict.items() if name not in ("stored", "latency_us", "stream", "received")}


def check(holds, why):
    if not holds:
        raise RuntimeError(why)


class Run:
    def __init__(self, weir, directory, shards, rules):
        settings = [("WEIR_DECISIONS_TIMEOUT", "60 s")]      # a busy machine is no reason for the default
        self.server = weir_process.Server(weir, directory, ["--rules", str(rules), "--shards", str(shards)], settings=settings)
        self.lock = threading.Lock()          # the killer and whoever restarts
        self.answers = []

    def send_all(self, requests):
        for number, (stream, key, body) in enumerate(requests):
            self.answers.append(self.send(stream, key, body))
            if number % 5 == 0:
                again = self.send(stream, key, body)
                check(again["stored"] and plain(again) == plain(self.answers[-1]), f"asked again: {again} after {self.answers[-1]}")

    def send(self, stream, key, body):
        """Until there is an answer, over whatever happens to the server."""
        while True:
            try:
                with weir_process.Client(self.server.port) as client:
                    status, answer = decide(client, stream, key, body)
                check(status == 200, f"{status} {answer}")
                check(not answer["degraded"], f"degraded: {answer}")
                return answer
            except OSError:
                with self.lock:
                    if self.server.process.poll() is not None:
                        self.server.start()

    def kill_now_and_then(self, kills, seed, is_over):
        chance, killed = random.Random(seed), 0
        while killed < kills and not is_over.wait(chance.uniform(0.05, 0.4)):
            with self.lock:
                if self.server.process.poll() is None:
                    self.server.kill()
                    killed += 1
        return killed


def send_and_kill(run, requests, kills, seed):
    is_over, killed = threading.Event(), []
    killer = threading.Thread(target=lambda: killed.append(run.kill_now_and_then(kills, seed, is_over)))
    killer.start()
    try:
        run.send_all(requests)
    finally:
        is_over.set()
        killer.join()
    return killed[0]


def check_stored(run, requests):
    """Every verdict is kept; a final one is the alerts of the log, byte for byte."""
    check(run.send(*requests[-1])["stored"], "the last request again")      # behind it everything before is stored
    with weir_process.Client(run.server.port) as client:
        alerts = {alert["id"]: alert for alert in client.alerts()}
        for (stream, _, body), answer in zip(requests, run.answers):
            kept = client.get_json(f"/v1/decisions/{answer['id']}")
            check(plain(kept) == plain(answer) and kept["stream"] == stream, f"kept {kept}, answered {answer} for {body}")
            for alert in answer["alerts"] + answer["shadow"] if answer["final"] else []:
                if not alert.get("folded"):
                    check(alerts.get(alert["id"]) == alert, f"the alert of {body} is {alerts.get(alert['id'])}, not {alert}")
        page = client.get_json("/v1/decisions?limit=3")
        check([item["id"] for item in page["items"]] == [answer["id"] for answer in run.answers[:-4:-1]], f"the page: {page}")
        return set(alerts)


def check_refusals(run):
    """What is no decision says why."""
    late = (START + datetime.timedelta(days=1)).isoformat().replace("+00:00", "Z")
    event = {"id": "x1", "card": "c1", "device": "d", "amount": "1.00", "at": late}
    body = json.dumps(event).encode()
    wrong = json.dumps(event | {"id": "x2", "card": 7}).encode()
    cases = [("tx", "", wrong, 422, "wrong_type"), ("tx", "", body + b"\n" + body, 422, "one_event"), ("tx", "", b"{", 422, "bad_json"),
             ("tx", "", b'{"$watermark": 0}', 422, "one_event"), ("nothing", "", body, 404, "unknown_stream"),
             ("tx", "key-1", body, 409, "conflict")]
    with weir_process.Client(run.server.port) as client:
        for stream, key, sent, status, code in cases:
            got, answer = decide(client, stream, key, sent)
            check((got, answer["code"]) == (status, code), f"{sent} to {stream}: {got} {answer}, not {status} {code}")
        client.request("POST", "/v1/streams/tx/events", body)
        got, answer = decide(client, "tx", "", body)
        check((got, answer["code"]) == (409, "no_verdict"), f"an event of before: {got} {answer}")
        check(client.request("GET", "/v1/decisions/" + "0" * 32)[0] == 404, "a decision that nobody made")
        metrics = client.request("GET", "/metrics")[2].decode()
        for name in ("weir_decision_seconds_count", 'weir_decisions_total{decision="block"}', "weir_decisions_repeated_total"):
            check(name in metrics, f"no {name}")
        paths = client.get_json("/openapi.json")["paths"]
        check("post" in paths["/v1/streams/{stream}/decisions"] and "get" in paths["/v1/decisions/{id}"], "openapi.json")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True)
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    requests = requests_of(options.seed, options.events)
    with tempfile.TemporaryDirectory(prefix="weir-decisions-") as scratch:
        rules = pathlib.Path(scratch) / "rules.weir"
        rules.write_text(RULES)
        runs = []
        for shards in (1, 4):
            directory = pathlib.Path(scratch) / str(shards)
            directory.mkdir()
            runs.append(Run(options.weir, directory, shards, rules))
        calm, killed = runs
        try:
            for run in runs:
                run.server.start()
            calm.send_all(requests)
            kills = send_and_kill(killed, requests, options.kills, options.seed)
            for (stream, _, body), one, other in zip(requests, calm.answers, killed.answers):
                check(plain(one) == plain(other), f"{body} to {stream}: {one}, with kills {other}")
            check(check_stored(calm, requests) == check_stored(killed, requests), "the alerts differ")
            check_refusals(killed)
            for run in runs:
                check(run.server.stop() == 0, f"SIGTERM: {run.server.tail()}")
        except (RuntimeError, OSError, weir_process.ServerDied) as error:
            print(f"decisions: seed {options.seed}: {error}")
            return 1
        finally:
            for run in runs:
                run.server.end()
    told = {name: sum(answer["decision"] == name for answer in calm.answers) for name in ("allow", "review", "challenge", "block")}
    print(f"decisions: seed {options.seed}: {told}, {kills} kills, all equal")
    return 0 if min(told.values()) > 0 and kills > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
