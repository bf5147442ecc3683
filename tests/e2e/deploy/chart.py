"""Renders a Helm chart: as much of the template language as deploy/helm/weir uses, and an error for everything else.

It stands in for helm, which a machine that runs the tests need not have; where there is one, deploy_test.sh compares the two.
"""
import hashlib
import json
import os
import re

import yaml

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[()|]|[^\s()|]+')


class ChartError(Exception):
    pass


def tokens_of(template):
    """Texts and actions in turns, with the white space gone that the marks of actions take."""
    found, at = [], 0
    for action in re.finditer(r"\{\{(-?)\s*(.*?)\s*(-?)\}\}", template, re.S):
        text = template[at:action.start()]
        if at and found[-1][2]:
            text = text.lstrip()
        if action.group(1):
            text = text.rstrip()
        found.append(("text", text, False))
        found.append(("action", action.group(2), bool(action.group(3))))
        at = action.end()
    text = template[at:]
    found.append(("text", text.lstrip() if at and found[-1][2] else text, False))
    return found


class Block:
    """The body of an if, with, range or define, and what comes instead of it."""

    def __init__(self, head):
        self.head, self.body, self.otherwise = head, [], []


def parse(template, name):
    root = Block("")
    stack = [(root, root.body)]
    for kind, value, _ in tokens_of(template):
        block, body = stack[-1]
        word = value.split(" ", 1)[0] if kind == "action" else ""
        if kind == "text" or word.startswith("/*"):
            body.append(value if kind == "text" else "")
        elif word in ("if", "with", "range", "define"):
            inner = Block(value)
            body.append(inner)
            stack.append((inner, inner.body))
        elif word == "else":
            rest = value[len("else"):].strip()
            if rest:      # else if: a block of its own, which ends with this one
                inner = Block(rest)
                block.otherwise.append(inner)
                stack[-1] = (block, block.otherwise)
                stack.append((inner, inner.body))
                inner.chained = True
            else:
                stack[-1] = (block, block.otherwise)
        elif word == "end":
            while getattr(stack.pop()[0], "chained", False):
                pass
            if not stack:
                raise ChartError(f"{name}: an end without a beginning")
        else:
            body.append(("value", value))
    if len(stack) != 1:
        raise ChartError(f"{name}: {stack[-1][0].head!r} has no end")
    return root.body


def to_yaml(value):
    return yaml.safe_dump(value, default_flow_style=False, sort_keys=True).rstrip("\n").removesuffix("\n...")


class Chart:
    def __init__(self, directory, values, release="weir", namespace="default"):
        self.directory = directory
        with open(os.path.join(directory, "Chart.yaml")) as file:
            chart = yaml.safe_load(file)
        self.root = {"Values": values, "Chart": {key[0].upper() + key[1:]: value for key, value in chart.items()},
                     "Release": {"Name": release, "Namespace": namespace, "Service": "Helm"}}
        self.used = set()      # paths of values that templates asked for
        self.defines, self.templates = {}, {}
        for name in sorted(os.listdir(os.path.join(directory, "templates"))):
            with open(os.path.join(directory, "templates", name)) as file:
                body = parse(file.read(), name)
            for part in body:
                if isinstance(part, Block) and part.head.startswith("define "):
                    self.defines[json.loads(part.head[len("define "):])] = part.body
            if name.endswith(".yaml"):
                self.templates[name] = body

    def documents(self):
        found = []
        for name, body in self.templates.items():
            text = self.render(body, {".": self.root, "$": self.root})
            try:
                found += [one for one in yaml.safe_load_all(text) if one]
            except yaml.YAMLError as error:
                raise ChartError(f"{name}: {error}\n{text}") from error
        return found

    def render(self, body, scope):
        text = ""
        for part in body:
            if isinstance(part, str):
                text += part
            elif isinstance(part, Block):
                text += self.render_block(part, scope)
            else:
                value = self.evaluate(part[1], scope)
                text += "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        return text

    def render_block(self, block, scope):
        word, rest = (block.head + " ").split(" ", 1)
        if word == "define":
            return ""
        names, expression = [], rest.strip()
        if word == "range" and ":=" in expression:
            left, expression = expression.split(":=", 1)
            names = [name.strip() for name in left.split(",")]
        value = self.evaluate(expression, scope)
        if not value:
            return self.render(block.otherwise, scope)
        if word == "if":
            return self.render(block.body, scope)
        if word == "with":
            return self.render(block.body, {**scope, ".": value})
        text = ""
        for key, one in sorted(value.items()) if isinstance(value, dict) else enumerate(value):
            inner = {**scope, ".": one}
            inner.update(zip(names, (key, one) if len(names) == 2 else (one,)))
            text += self.render(block.body, inner)
        return text

    def evaluate(self, expression, scope):
        tokens = TOKEN.findall(expression)
        value = self.pipeline(tokens, scope)
        if tokens:
            raise ChartError(f"{expression!r}: what stands behind {tokens[0]!r}?")
        return value

    def pipeline(self, tokens, scope):
        value = self.command(tokens, scope, [])
        while tokens and tokens[0] == "|":
            tokens.pop(0)
            value = self.command(tokens, scope, [value])
        return value

    def command(self, tokens, scope, piped):
        terms = []
        while tokens and tokens[0] not in ("|", ")"):
            token = tokens.pop(0)
            if token == "(":
                terms.append(self.pipeline(tokens, scope))
                tokens.pop(0)
            elif token[0] == '"':
                terms.append(json.loads(token))
            elif token[0] in ".$":
                terms.append(self.look_up(token, scope))
            elif token.isdigit():
                terms.append(int(token))
            elif not terms:
                terms.append(getattr(self, "do_" + token, None) or self.unknown(token))
            else:
                self.unknown(token)
        if callable(terms[0]):
            return terms[0](scope, *terms[1:], *piped)
        if piped or len(terms) != 1:
            raise ChartError(f"{terms[0]!r} is no function")
        return terms[0]

    @staticmethod
    def unknown(word):
        raise ChartError(f"{word!r} is not known to this renderer")

    def look_up(self, path, scope):
        if path in scope:
            return scope[path]
        base = "$" if path[0] == "$" else "."
        names = path.lstrip("$.").split(".")
        value = scope[base]
        if value is self.root and names[0] == "Values":
            self.used.add(".".join(names[1:]))
        for name in names:
            if not isinstance(value, dict):
                raise ChartError(f"{path}: there is nothing to look into")
            value = value.get(name)
        return value

    # The functions of a template, under their own names.
    def do_include(self, scope, name, dot):
        if name not in self.defines:
            raise ChartError(f"include {name!r}: nothing of that name is defined")
        return self.render(self.defines[name], {**scope, ".": dot}).strip("\n")

    def do_toYaml(self, _scope, value):
        return to_yaml(value)

    def do_nindent(self, _scope, count, text):
        return "\n" + "\n".join(" " * count + line if line else line for line in str(text).split("\n"))

    def do_quote(self, _scope, text):
        return json.dumps(str(text))

    def do_default(self, _scope, fallback, value):
        return value or fallback

    def do_contains(self, _scope, part, text):
        return part in text

    def do_printf(self, _scope, form, *values):
        return form.replace("%s", "{}").format(*values)

    def do_list(self, _scope, *values):
        return list(values)

    def do_trunc(self, _scope, count, text):
        return text[:count]

    def do_trimSuffix(self, _scope, end, text):
        return text.removesuffix(end)

    def do_sha256sum(self, _scope, text):
        return hashlib.sha256(text.encode()).hexdigest()


def schema_errors(schema, value, root=None, where="values"):
    """What a value does against a JSON schema, as far as values.schema.json goes."""
    root = root or schema
    if "$ref" in schema:
        return schema_errors(root["definitions"][schema["$ref"].rsplit("/", 1)[1]], value, root, where)
    kinds = {"object": dict, "array": list, "string": str, "integer": int}
    known = {"$schema", "type", "additionalProperties", "required", "properties", "definitions", "enum", "minLength", "items", "propertyNames",
             "pattern", "minItems", "minimum", "maximum"}
    if set(schema) - known:
        raise ChartError(f"{where}: the schema says {set(schema) - known}, which is not checked here")
    if "type" in schema and (not isinstance(value, kinds[schema["type"]]) or isinstance(value, bool)):
        return [f"{where}: must be {schema['type']}"]
    errors = []
    if "enum" in schema and value not in schema["enum"]:
        errors.append(f"{where}: must be one of {schema['enum']}")
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0) or not re.search(schema.get("pattern", ""), value):
            errors.append(f"{where}: {value!r} does not fit")
    elif isinstance(value, int):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            errors.append(f"{where}: {value} is out of range")
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            errors.append(f"{where}: has too few")
        for i, one in enumerate(value):
            errors += schema_errors(schema.get("items", {}), one, root, f"{where}[{i}]")
    elif isinstance(value, dict):
        errors += [f"{where}: {name} is missing" for name in schema.get("required", []) if name not in value]
        for name, one in value.items():
            errors += schema_errors(schema.get("propertyNames", {}), name, root, f"name {where}.{name}")
            other = schema.get("additionalProperties", True)
            if name in schema.get("properties", {}):
                errors += schema_errors(schema["properties"][name], one, root, f"{where}.{name}")
            elif other is False:
                errors.append(f"{where}.{name}: is not known")
            elif other is not True:
                errors += schema_errors(other, one, root, f"{where}.{name}")
    return errors
