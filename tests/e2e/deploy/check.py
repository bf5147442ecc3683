"""Checks deploy/: what the chart makes of its values, and whether compose.yaml and weir.toml beside it mean the same names.

check.py ROOT WORK: writes what Weir itself is to check into WORK: each weir.toml, and the rules as a mounted ConfigMap has them.
"""
import copy
import json
import os
import shutil
import subprocess
import sys
import tomllib

import yaml

from chart import Chart, ChartError, schema_errors, to_yaml

root, work = sys.argv[1:]
directory = os.path.join(root, "deploy/helm/weir")
defaults = yaml.safe_load(open(os.path.join(directory, "values.yaml")))
schema = json.load(open(os.path.join(directory, "values.schema.json")))

# Every optional part at once.
full = copy.deepcopy(defaults)
full.update({
    "config": '[[kafka]]\nname = "bank"\nbrokers = "kafka:9092"\nstream = "tx"\ntopics = ["tx"]\npassword_env = "KAFKA_PASSWORD"\n',
    "rules": {"first.weir": "create stream tx (card text not null, at timestamp not null) event time at;\n",
              "second.weir": "create rule any on tx when card = 'x' partition by card suppress 1 hour alert severity low;\n"},
    "secretEnv": [{"name": "KAFKA_PASSWORD", "secretName": "weir-kafka", "key": "password"}],
    "secretFiles": ["desk"], "imagePullSecrets": [{"name": "registry"}],
    "allowFrom": [{"podSelector": {"matchLabels": {"app": "payments"}}}],
    "nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "fraud", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}}, "nameOverride": "", "fullnameOverride": "desk-weir"})
full["persistence"]["storageClassName"] = "fast"
full["service"]["annotations"] = {"a": "b"}


def check(is_true, what):
    if not is_true:
        sys.exit(f"deploy: {what}")


def one(documents, kind, suffix=""):
    found = [d for d in documents if d["kind"] == kind and d["metadata"]["name"].endswith(suffix)]
    check(len(found) == 1, f"{len(found)} of kind {kind} *{suffix}")
    return found[0]


def leaves(value, path=""):
    if isinstance(value, dict) and value:
        return [leaf for name, inner in value.items() for leaf in leaves(inner, f"{path}.{name}".lstrip("."))]
    return [path]


def check_documents(documents, values, name):
    stateful = one(documents, "StatefulSet")
    spec, pod = stateful["spec"], stateful["spec"]["template"]["spec"]
    container = pod["containers"][0]
    check(spec["replicas"] == 1, "a data directory has one owner")
    labels = spec["template"]["metadata"]["labels"]
    for document in documents:
        check(document["metadata"]["name"].startswith(name), f"{document['metadata']['name']} is not {name}*")
        check(document["metadata"]["labels"]["app.kubernetes.io/instance"] == "demo", "labels of the release")
    selectors = [spec["selector"]["matchLabels"]] + [d["spec"]["selector"] for d in documents if d["kind"] == "Service"]
    selectors += [d["spec"]["podSelector"]["matchLabels"] for d in documents if d["kind"] == "NetworkPolicy"]
    check(all(selector.items() <= labels.items() for selector in selectors), "a selector does not select the pod")
    check(spec["serviceName"] == one(documents, "Service", "-headless")["metadata"]["name"], "serviceName is no service")
    check(pod["terminationGracePeriodSeconds"] > 60, "the drain of a stop may take a minute")
    for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        asked = container[probe]["httpGet"]
        check(asked["path"] == path and asked["port"] in [port["name"] for port in container["ports"]], f"{probe} asks nobody")
        check(container[probe]["periodSeconds"] == values[probe]["periodSeconds"], f"{probe} is not that of the values")
    volumes = {volume["name"]: volume for volume in pod["volumes"]} | {t["metadata"]["name"]: t for t in spec["volumeClaimTemplates"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    check(mounts.keys() == volumes.keys(), f"mounts {sorted(mounts)} are not the volumes {sorted(volumes)}")
    for volume in volumes.values():
        if "configMap" in volume:
            one(documents, "ConfigMap", volume["configMap"]["name"])
    arguments = dict(a.removeprefix("--").split("=", 1) for a in container["command"] if "=" in a)
    check(arguments["config"] == mounts["config"] + "/weir.toml", "the configuration is not where Weir looks")
    check(arguments["data"].startswith(mounts["data"] + "/"), "a volume's top holds lost+found: the data stands below it")
    check(arguments["listen"].endswith(f":{container['ports'][0]['containerPort']}"), "another port than the probes'")
    check(arguments.get("rules") == mounts.get("rules"), "the rules are not where Weir looks")
    check(container["image"].split(":")[1] == "0.1.0", "the tag is not the version")
    text = to_yaml(documents)
    check("password:" not in text and "sasl.password" not in text, "a secret stands in what is applied")
    variables = {v["name"]: v["valueFrom"]["secretKeyRef"] for v in container.get("env", [])}
    wanted = {s["name"]: {"name": s["secretName"], "key": s["key"]} for s in values["secretEnv"]}
    check(variables == wanted, f"variables {variables}")
    config = one(documents, "ConfigMap", name)["data"]["weir.toml"]
    check(tomllib.loads(config) == tomllib.loads(values["config"]), "weir.toml is not that of the values")
    return config


def check_chart():
    used = set()
    for values, name in ((defaults, "demo-weir"), (full, "desk-weir")):
        errors = schema_errors(schema, values)
        check(not errors, errors)
        chart = Chart(directory, values, "demo")
        documents = chart.documents()
        used |= chart.used
        config = check_documents(documents, values, name)
        target = os.path.join(work, name)
        os.makedirs(target)
        open(os.path.join(target, "weir.toml"), "w").write(config)
        if values["rules"]:      # as kubelet lays a ConfigMap out: names that point into a hidden directory
            inner = os.path.join(target, "rules", "..2026_12_01")
            os.makedirs(inner)
            os.symlink("..2026_12_01", os.path.join(target, "rules", "..data"))
            for file, text in one(documents, "ConfigMap", "-rules")["data"].items():
                open(os.path.join(inner, file), "w").write(text)
                os.symlink(f"..data/{file}", os.path.join(target, "rules", file))
        compare_with_helm(values, documents, target)
    known = leaves(full)
    unused = [leaf for leaf in known if not any(leaf == path or leaf.startswith(path + ".") for path in used)]
    check(not unused, f"no template asks for {unused}")
    declared = leaves({**defaults, "nameOverride": "", "fullnameOverride": ""})
    invented = [path for path in used if not any(leaf == path or leaf.startswith(path + ".") for leaf in declared)]
    check(not invented, f"values.yaml does not have {invented}")
    one(Chart(directory, full, "demo").documents(), "NetworkPolicy")


def compare_with_helm(values, documents, target):
    helm = shutil.which("helm")
    if helm is None:
        return
    path = os.path.join(target, "values.yaml")
    open(path, "w").write(to_yaml(values))
    subprocess.run([helm, "lint", "--strict", directory, "-f", path], check=True, stdout=subprocess.DEVNULL)
    made = subprocess.run([helm, "template", "demo", directory, "-f", path], check=True, capture_output=True, text=True).stdout
    theirs = [document for document in yaml.safe_load_all(made) if document]

    def in_order(all_of_them):
        for document in all_of_them:      # a checksum of YAML text, which two writers break into lines differently
            document.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations", {}).pop("checksum/config", None)
        return sorted(all_of_them, key=lambda d: (d["kind"], d["metadata"]["name"]))

    check(in_order(theirs) == in_order(copy.deepcopy(documents)), "helm renders something else")
    print("compared with helm", end="; ")


def check_refusals():
    def with_value(path, value):
        wrong = copy.deepcopy(full)
        at = wrong
        for name in path[:-1]:
            at = at[name]
        at[path[-1]] = value
        return wrong

    for path, value in ((["terminationGracePeriodSeconds"], 30), (["replicas"], 2), (["rules", "../x"], ""), (["service", "port"], "8484"),
                        (["secretEnv"], [{"name": "P", "value": "secret"}]), (["persistence", "size"], "much")):
        check(schema_errors(schema, with_value(path, value)), f"the schema takes {path} = {value}")
    for template in ("{{ if .Values.x }}", "{{ end }}", "{{ lookup .Values.x }}"):
        try:
            chart = Chart(directory, defaults)
            from chart import parse
            chart.render(parse(template, "wrong"), {".": chart.root, "$": chart.root})
            check(False, f"the renderer takes {template}")
        except ChartError:
            pass


def check_compose():
    compose = yaml.safe_load(open(os.path.join(root, "deploy/compose/compose.yaml")))
    services = compose["services"]
    config = tomllib.load(open(os.path.join(root, "deploy/compose/weir.toml"), "rb"))
    for name, service in services.items():
        for other, condition in service.get("depends_on", {}).items():
            check(other in services, f"{name} waits for {other}, which is not there")
            if condition["condition"] == "service_healthy":
                check("healthcheck" in services[other] or other == "weir", f"{other} says nothing of its health")
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            there = os.path.exists(os.path.join(root, "deploy/compose", source)) if source.startswith(".") else source in compose["volumes"]
            check(there, f"{name}: there is no {source}")
    address = services["broker"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://")
    made = services["topics"]["command"][0].split("for topic in ")[1].split(";")[0].split()
    read = [topic for kafka in config["kafka"] for topic in kafka["topics"]]
    written = services["generator"]["command"][0].split("for stream in ")[1].split(";")[0].split()
    check(all(one["brokers"] == address for one in config["kafka"] + config["sinks"]), f"not everything is at {address}")
    check(sorted(made) == sorted(read + [sink["topic"] for sink in config["sinks"]]), "topics that are made are not those that are used")
    check(sorted(read) == sorted(written), "what is written is not what is read")
    reader = services["reader"]["command"]
    check(config["sinks"][0]["topic"] in reader and address in reader, "the reader reads something else")
    check(all(port.startswith("127.0.0.1:") for port in services["weir"]["ports"]), "Weir has no authentication: loopback only")
    check(f":{config['server']['listen'].split(':')[1]}" in services["weir"]["ports"][0], "another port")
    check(int(services["weir"]["stop_grace_period"].removesuffix("s")) > 60, "the drain of a stop may take a minute")


check_chart()
check_refusals()
check_compose()
print("chart and compose file are what they say")
