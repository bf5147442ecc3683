"""One set of alerts, however the events come in.

The shipped rules over the same generated events: from NDJSON, from one CSV file a stream, compressed, with 1 and with 4
shards, and over HTTP in batches of 1 and of 1,000. Each way must give the same alerts, by id and byte for byte, and every
way is closed by the same watermark line. Exit status 0: all equal; 1: not, and the first differences are named.

Generated events hardly ever share an instant. Those of the first seed stay as they are; those of every second seed have
their times cut to whole seconds, so that most share one. The merge of several files takes lines of one instant in the
order of the files, so before anything else the lines of each instant are put into that order, and all ways read the
result. The order within a stream stays. Every thousandth event is sent twice.
"""
import argparse
import collections
import datetime
import hashlib
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import weir_process

FROM = "2026-01-05T00:00:00Z"
CLOSED_AFTER = datetime.timedelta(days=30)    # longer than any deadline of the rules
ALERTS_PER_RULE_MIN = 20
NEVER_GENERATED = {"dormant_account"}         # it sleeps for 90 days
FULL_EVENTS = 1_000_000                       # from here on every rule must have its alerts
DIFFERENCES_SHOWN = 5
REPEATED_EVERY = 1000                         # events: this one comes again
REPEATED_AFTER = 20                           # instants later
QUIET_S = 10                                  # no further alert for so long: none will come
CUSTOMERS = 10_000                            # u0 to u9999, as events are generated; every third was born before 1955
SKIPS = ("no skip", "skip past last row", "skip to next row", "skip to first", "skip to last")


class Events:
    """The events of one seed in every form, inside `directory`."""

    def __init__(self, directory, weir, seed, count, whole_seconds):
        self.directory = directory
        self.whole_seconds = whole_seconds
        generated = directory / "generated.ndjson"
        with open(generated, "wb") as out:
            subprocess.run([weir, "gen", "--seed", str(seed), "--events", str(count), "--from", FROM], stdout=out,
                           stderr=subprocess.DEVNULL, check=True)
        self.ndjson = directory / "events.ndjson"
        self.columns = {}
        self.moved = 0
        last = self._arrange(generated)
        generated.unlink()
        end = datetime.datetime.fromisoformat(last.replace("Z", "+00:00")) + CLOSED_AFTER
        self.watermark = json.dumps({"$watermark": end.isoformat().replace("+00:00", "Z")}) + "\n"
        with open(self.ndjson, "a", encoding="utf-8") as out:
            out.write(self.watermark)
        self.close_only = directory / "close.ndjson"
        self.close_only.write_text(self.watermark)

    def _arrange(self, generated):
        """Writes the lines, those of one instant by stream; returns the last instant."""
        keys = re.compile(r'"(\w+)":')
        head = re.compile(r'\{"stream":"(\w+)","event":\{.*"at":"([^"]+)"')
        fraction = re.compile(r'("at":"[^".]+)\.\d+Z"')
        at, written = "", 0
        repeats = collections.deque()             # (when, line)
        with open(generated, encoding="utf-8") as lines, open(self.ndjson, "w", encoding="utf-8") as out:
            if self.whole_seconds:
                lines = (fraction.sub(r'\1Z"', line) for line in lines)
            parsed = ((*head.match(line).groups(), line) for line in lines)
            for instant, (at, group) in enumerate(itertools.groupby(parsed, key=lambda one: one[1])):
                group = list(group)
                ordered = sorted(group, key=lambda one: one[0])
                self.moved += sum(a is not b for a, b in zip(group, ordered))
                for stream, _, line in ordered:
                    self.columns.setdefault(stream, {}).update(dict.fromkeys(keys.findall(line)[2:]))
                    out.write(line)
                    written += 1
                    if written % REPEATED_EVERY == 0:
                        repeats.append((instant + REPEATED_AFTER, line))
                while repeats and repeats[0][0] <= instant:
                    out.write(repeats.popleft()[1])
        return at

    def csv(self):
        """One file a stream, in the order of their names; then the file with the watermark."""
        files = {stream: open(self.directory / f"{stream}.csv", "w", encoding="utf-8") for stream in sorted(self.columns)}
        for stream, out in files.items():
            out.write(",".join(self.columns[stream]) + "\n")
        with open(self.ndjson, encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line, parse_float=str, parse_int=str)
                if "stream" in record:
                    event = record["event"]
                    row = ",".join([csv_field(event.get(name)) for name in self.columns[record["stream"]]])
                    files[record["stream"]].write(row + "\n")
        for out in files.values():
            out.close()
        return [f"{stream}={self.directory / stream}.csv" for stream in files] + [str(self.close_only)]

    def first(self, count):
        """The first events alone, closed alike."""
        path = self.directory / "first.ndjson"
        with open(self.ndjson, encoding="utf-8") as lines, open(path, "w", encoding="utf-8") as out:
            out.writelines(itertools.islice((line for line in lines if not line.startswith('{"$')), count))
            out.write(self.watermark)
        return path


def csv_field(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value == "" or any(c in value for c in ',"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


class Alerts:
    """What one way gave: ids and whole alerts, each sorted."""

    def __init__(self, alerts, seconds):
        self.bodies = {}
        self.ids = sorted(alert["id"] for alert in alerts)
        for alert in alerts:
            self.bodies[alert["id"]] = json.dumps(alert, sort_keys=True)
        self.rules = collections.Counter(alert["rule"] for alert in alerts)
        self.seconds = seconds

    def digest(self):
        return hashlib.sha256("".join(one + "\n" for one in self.ids).encode()).hexdigest()

    def differences(self, other):
        """Complaints about this one where `other` is right."""
        mine, theirs = collections.Counter(self.ids), collections.Counter(other.ids)
        found = [f"missing {id}: {other.bodies[id]}" for id in sorted((theirs - mine).elements())]
        found += [f"surplus {id}: {self.bodies[id]}" for id in sorted((mine - theirs).elements())]
        found += [f"other   {id}: {self.bodies[id]}\n   instead of {other.bodies[id]}"
                  for id in sorted(theirs) if id in mine and self.bodies[id] != other.bodies[id]]
        return found


def customers_file(directory):
    """Rows of the table that rules look customers up in, known before the first event."""
    path = directory / "customers.csv"
    with open(path, "w", encoding="utf-8") as out:
        out.write("user,segment,birth_year,opened\n")
        out.writelines(f"u{number},retail,{1940 if number % 3 == 0 else 1985},2020-01-01T00:00:00Z\n" for number in range(CUSTOMERS))
    return path


class Comparison:
    def __init__(self, weir, rules):
        self.weir = weir
        self.rules = rules
        self.customers = None    # a file: what all_ways writes for its seed
        self.failures = 0

    def run(self, files, shards):
        started = time.monotonic()
        command = [self.weir, "run", str(self.rules), "--shards", str(shards), f"--table=customers={self.customers}"]
        done = subprocess.run(command + [f"--events={file}" for file in files], capture_output=True, check=False)
        if done.returncode != 0 or b" 0 rejected, 0 late" not in done.stderr or b"as duplicates" not in done.stderr:
            raise RuntimeError(f"weir run: status {done.returncode}: {done.stderr.decode()[-2000:]}")
        return Alerts([json.loads(line) for line in done.stdout.splitlines()], time.monotonic() - started)

    def serve(self, file, shards, batch, expected):
        """`expected` only says how many alerts to wait for; then a second of quiet must follow."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix="serve-", dir=file.parent))
        settings = [("WEIR_LOG_LINGER", "0 ms")] if batch == 1 else []    # one client alone has nobody to wait for
        arguments = ["--rules", str(self.rules), "--shards", str(shards)]
        server = weir_process.Server(self.weir, directory, arguments, settings=settings)
        try:
            server.start()
            started = time.monotonic()
            subprocess.run([self.weir, "tables", "import", "customers", str(self.customers), "--by", "equal@test",
                            "--server", f"http://127.0.0.1:{server.port}"], check=True, stdout=subprocess.DEVNULL)
            with weir_process.Client(server.port) as client:
                send(client, file, batch)
                seconds = time.monotonic() - started
                alerts = settled(client, expected)
            status = server.stop()
            if status != 0:
                raise RuntimeError(f"weir serve ended with status {status}: {server.tail()}")
            return Alerts(alerts, seconds)
        finally:
            server.end()
            shutil.rmtree(directory)

    def report(self, name, alerts, reference):
        differences = alerts.differences(reference)
        print(f"  {name:32} alerts={len(alerts.ids)} sha256={alerts.digest()} {alerts.seconds:.1f} s", flush=True)
        for line in differences[:DIFFERENCES_SHOWN]:
            print(f"    {line}")
        if differences:
            print(f"    {len(differences)} differences", flush=True)
            self.failures += 1

    def check_rules(self, alerts):
        names = re.findall(r"^create (?:shadow )?rule (\w+)", rule_texts(self.rules), re.MULTILINE)
        names = [name for name in names if name not in NEVER_GENERATED]
        for name in names:
            if alerts.rules[name] < ALERTS_PER_RULE_MIN:
                print(f"    rule {name} has {alerts.rules[name]} alerts, fewer than {ALERTS_PER_RULE_MIN}")
                self.failures += 1
        print(f"  {len(names)} rules, least alerts of one: {min(alerts.rules[name] for name in names)}")

    def all_ways(self, directory, seed, count, single_count, whole_seconds):
        self.customers = customers_file(directory)
        events = Events(directory, self.weir, seed, count, whole_seconds)
        times = "in whole seconds" if whole_seconds else "to the millisecond"
        print(f"seed {seed}: {count} events, times {times}, {events.moved} moved within their instant", flush=True)
        reference = self.run([events.ndjson], 1)
        self.report("run, NDJSON, 1 shard", reference, reference)
        if count >= FULL_EVENTS:
            self.check_rules(reference)
        self.report("run, NDJSON, 4 shards", self.run([events.ndjson], 4), reference)
        files = events.csv()
        self.report("run, CSV a stream, 1 shard", self.run(files, 1), reference)
        self.report("run, CSV a stream, 4 shards", self.run(files, 4), reference)
        subprocess.run(["zstd", "-q", "-3", str(events.ndjson)], check=True)
        self.report("run, zstd, 1 shard", self.run([f"{events.ndjson}.zst"], 1), reference)
        for shards in (1, 4):
            served = self.serve(events.ndjson, shards, 1000, len(reference.ids))
            self.report(f"serve, batches of 1000, {shards} shard(s)", served, reference)
        first = events.first(single_count)
        reference = self.run([first], 1)
        self.report(f"run, first {single_count}", reference, reference)
        for shards in (1, 4):
            served = self.serve(first, shards, 1, len(reference.ids))
            self.report(f"serve, batches of 1, {shards} shard(s)", served, reference)


def send(client, file, batch):
    """Also checks what was answered: a line that was sent before is a duplicate, every other is accepted."""
    seen = set()
    with open(file, "rb") as lines:
        while piece := list(itertools.islice(lines, batch)):
            answer = client.post_events(b"".join(piece))
            events = [hash(line) for line in piece if not line.startswith(b'{"$')]
            before = len(seen)
            seen.update(events)
            fresh = len(seen) - before
            if answer != {"accepted": fresh, "duplicates": len(events) - fresh, "rejected": []}:
                raise RuntimeError(f"{fresh} of {len(events)} events were new: {json.dumps(answer)[:1000]}")


def settled(client, expected):
    """The alerts once no more come: a second after the expected number is there, else after QUIET_S."""
    seen, since = -1, time.monotonic()
    while True:
        alerts = client.alerts()
        if len(alerts) != seen:
            seen, since = len(alerts), time.monotonic()
        elif time.monotonic() - since > (1 if seen >= expected else QUIET_S):
            return alerts
        time.sleep(0.1)


def rule_texts(rules):
    return "\n".join(path.read_text() for path in sorted(rules.rglob("*.weir")))


def missing_coverage(rules):
    """What the rules must hold for the comparison to say something about it."""
    texts = rule_texts(rules)
    missing = [f"`after match {skip}`" for skip in SKIPS if f"after match {skip}" not in texts]
    if not re.search(r"pattern .*-> not \w+ for ", texts):
        missing.append("an absence")
    return missing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True)
    parser.add_argument("--rules", required=True, type=pathlib.Path)
    parser.add_argument("--events", type=int, default=FULL_EVENTS)
    parser.add_argument("--singles", type=int, default=50_000, help="events sent one by one")
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8])
    options = parser.parse_args()
    missing = missing_coverage(options.rules)
    if missing:
        print(f"equal: no rule has {', '.join(missing)}")
        return 1
    comparison = Comparison(options.weir, options.rules)
    try:
        for number, seed in enumerate(options.seeds):
            with tempfile.TemporaryDirectory(prefix="weir-equal-") as directory:
                singles = min(options.singles, options.events)
                comparison.all_ways(pathlib.Path(directory), seed, options.events, singles, number % 2 == 1)
    except (RuntimeError, OSError, weir_process.ServerDied) as error:
        print(f"equal: {error}")
        return 1
    print(f"equal: {'all equal' if comparison.failures == 0 else f'{comparison.failures} of the comparisons failed'}")
    return 0 if comparison.failures == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
