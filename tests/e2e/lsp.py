"""Drives `weir lsp` over a pipe as an editor does. Usage: lsp.py WEIR DIRECTORY (empty, for the rule files)."""
import json
import pathlib
import subprocess
import sys

weir, directory = sys.argv[1], pathlib.Path(sys.argv[2])
server = subprocess.Popen([weir, "lsp", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
last_id = 0


def write(message):
    body = (message if isinstance(message, str) else json.dumps(message)).encode()
    server.stdin.write(b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n" % len(body) + body)
    server.stdin.flush()


def read():
    length = None
    while (line := server.stdout.readline().strip()):
        name, value = line.split(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return json.loads(server.stdout.read(length))


def request(method, **params):
    global last_id
    last_id += 1
    write({"jsonrpc": "2.0", "id": last_id, "method": method, "params": params})
    answer = read()
    assert answer["id"] == last_id, answer
    return answer["result"]


def notify(method, **params):
    write({"jsonrpc": "2.0", "method": method, "params": params})


def cut(text, span):
    """The text of a range, whose columns count units of UTF-16."""
    def place(at):
        line = text.split("\n")[at["line"]].encode("utf-16-le")[: 2 * at["character"]].decode("utf-16-le")
        return sum(len(it) + 1 for it in text.split("\n")[: at["line"]]) + len(line)
    return text[place(span["start"]) : place(span["end"])]


def position(text, mark, skip=0):
    """Just behind the first `mark`, less `skip` characters."""
    before = text[: text.index(mark) + len(mark) - skip]
    line = before.split("\n")[-1]
    return {"line": before.count("\n"), "character": len(line.encode("utf-16-le")) // 2}


def diagnostics(uri):
    while True:
        message = read()
        assert message["method"] == "textDocument/publishDiagnostics", message
        if message["params"]["uri"] == uri:
            return message["params"]["diagnostics"]


(directory / "streams.weir").write_text(
    "create stream transactions (card text not null, amount decimal(12,2), merchant text, at timestamp not null)"
    " event time at delay 0 seconds;\n")
(directory / "lists.weir").write_text("create list known of text;\n")
(directory / "cards").mkdir()
path = directory / "cards" / "card rule.weir"
uri = path.as_uri()
assert "%20" in uri
text = """-- \N{GRINNING FACE} rules
create rule testing on transactions partition by card
    pattern probe -> cashout within 1 hour
    define probe as merchant = '\N{GRINNING FACE}' and amout < 5.00, cashout as amount > 100 * probe.amount
    alert message '{card}';
"""
path.write_text("this is not what the editor has")

result = request("initialize", processId=None, rootUri=None, capabilities={})
assert result["capabilities"]["hoverProvider"] and result["serverInfo"]["name"] == "weir", result
notify("initialized")

notify("textDocument/didOpen", textDocument={"uri": uri, "languageId": "weir", "version": 1, "text": text})
found = diagnostics(uri)
assert [it["code"] for it in found] == ["E0103"], found
assert cut(text, found[0]["range"]) == "amout", found
assert "did you mean `amount`?" in found[0]["message"] and found[0]["severity"] == 1, found

text = text.replace("amout", "amount")
notify("textDocument/didChange", textDocument={"uri": uri, "version": 2}, contentChanges=[{"text": text}])
found = diagnostics(uri)
assert [(it["code"], it["severity"], cut(text, it["range"])) for it in found] == [("W0103", 2, "'{card}'")], found


def hover(mark, skip=0):
    answer = request("textDocument/hover", textDocument={"uri": uri}, position=position(text, mark, skip))
    return answer and (answer["contents"]["value"], cut(text, answer["range"]))


assert hover("-> cashout", 2) == ("variable `cashout`: `amount > 100 * probe.amount`", "cashout"), hover("-> cashout", 2)
assert hover("probe.amo") == ("`amount decimal(12,2)`, a field of stream `transactions`", "amount")
assert hover("part")[0].startswith("`partition by card`")
assert hover("on trans")[0].startswith("stream `transactions`") and "merchant text" in hover("on trans")[0]
assert hover("> 10") is None


def completion(mark):
    answer = request("textDocument/completion", textDocument={"uri": uri}, position=position(text, mark))
    return {it["label"]: it["kind"] for it in answer}


everything = completion("probe as ")
for label, kind in {"amount": 5, "probe": 6, "transactions": 7, "known": 13, "speed_kmh": 3, "count": 14, "within": 14}.items():
    assert everything.get(label) == kind, (label, everything.get(label))
assert set(completion("probe.")) == {"card", "amount", "merchant", "at"}
broken = text.replace("merchant = '\N{GRINNING FACE}' and", "card in @")
notify("textDocument/didChange", textDocument={"uri": uri, "version": 3}, contentChanges=[{"text": broken}])
assert diagnostics(uri)
text = broken
assert completion("in @") == {"known": 13}, completion("in @")
assert request("textDocument/formatting", textDocument={"uri": uri}, options={}) == []

# What a document leans on may be open and unsaved.
streams = (directory / "streams.weir").as_uri()
text = "create rule r on transactions partition by card when device = 'x' suppress 1 hour alert message 'm';\n"
notify("textDocument/didChange", textDocument={"uri": uri, "version": 4}, contentChanges=[{"text": text}])
assert [it["code"] for it in diagnostics(uri)] == ["E0103"]
notify("textDocument/didOpen", textDocument={"uri": streams, "languageId": "weir", "version": 1,
       "text": (directory / "streams.weir").read_text().replace("merchant text", "merchant text, device text")})
assert diagnostics(uri) == []
assert diagnostics(streams) == []

edits = request("textDocument/formatting", textDocument={"uri": uri}, options={})
assert len(edits) == 1 and cut(text, edits[0]["range"]) == text, edits
shell = subprocess.run([weir, "fmt", "-"], input=text.encode(), capture_output=True, check=True).stdout.decode()
assert edits[0]["newText"] == shell and shell != text, edits

write('{"jsonrpc": "2.0", "id": 1, "method": ')
assert read()["error"]["code"] == -32700
notify("textDocument/didClose", textDocument={"uri": uri})
assert diagnostics(uri) == []
assert diagnostics(streams) == []
assert request("shutdown") is None
notify("exit")
assert server.wait(10) == 0

# Without an order to shut down, and behind something that is no frame.
assert subprocess.run([weir, "lsp"], input=b"", capture_output=True).returncode == 1
bad = subprocess.run([weir, "lsp"], input=b"GET / HTTP/1.1\r\n\r\n", capture_output=True)
assert bad.returncode == 2 and b"Content-Length" in bad.stderr, bad
print("lsp: passed")
