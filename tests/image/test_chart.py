"""charts/ntpd is a view of k8s.yaml: with its defaults it makes the same objects.  helm
is in no Debian, so helm.go stands in for it, with Go's own template engine."""
import copy
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

yaml = pytest.importorskip("yaml", reason="units: python3-yaml is not installed")
from test_manifest import (MODELS, check_schema, manifest, one, pod_of,  # noqa: E402
                           violations)

TOP = pathlib.Path(__file__).resolve().parents[2]
CHART = TOP / "charts/ntpd"
OWN = {"app.kubernetes.io/version", "app.kubernetes.io/managed-by",
       "helm.sh/chart"}
MODELS[("networking.k8s.io/v1", "NetworkPolicy")] = "V1NetworkPolicy"
MODELS[("v1", "Pod")] = "V1Pod"
METRICS = {"enabled": True, "port": 9560,
           "podMonitor": {"enabled": True, "labels": {"release": "x"}},
           "prometheusRule": {"enabled": True},
           "dashboard": {"enabled": True}}
# What operators change, beside the defaults.
VALUES = {
    "defaults": {"createNamespace": True},
    "own servers": {"servers": ["ntp1.example.com.", "192.0.2.1"],
                    "constraints": ["9.9.9.9", "www.example.com"],
                    "extraConfig": "ready within 0.5\n"},
    "a whole configuration": {"config": "server 192.0.2.1 trusted\n"},
    "all": {"serve": {"enabled": True, "allow": ["10.0.0.0/8"]},
            "metrics": METRICS, "networkPolicy": {"enabled": True},
            "privateCA": {"secret": "ca", "key": "tls.crt"},
            "constraints": ["9.9.9.9"],
            "servers": ["time.cloudflare.com. nts",
                        'a.example. key 2 "/etc/ntpd-key/next"'],
            "keys": {"secret": "keys", "serve": {1: "ntp.key", 2: "next"}},
            "image": {"repository": "registry.example.com/ntpd",
                      "digest": "sha256:" + "0" * 64},
            "imagePullSecrets": [{"name": "pull"}],
            "podAnnotations": {"a": "b"}, "podLabels": {"c": "d"},
            "extraEnv": [{"name": "TZ", "value": "UTC"}],
            "extraVolumes": [{"name": "extra", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "extra", "mountPath": "/extra"}]},
    "clockbound": {"clockbound": {"enabled": True}},
    "the pods' network": {"hostNetwork": False, "maxUnavailable": 1,
                          "priorityClassName": "", "priorityQuota": False},
}


def merged(base, change):
    if not isinstance(base, dict) or not isinstance(change, dict):
        return copy.deepcopy(change)
    return {**base, **{key: merged(base.get(key), value)
                       for key, value in change.items()}}


@pytest.fixture(scope="module")
def helm(tmp_path_factory):
    if not shutil.which("go"):
        pytest.skip("units: go is not installed")
    where = tmp_path_factory.mktemp("helm")
    subprocess.run(["go", "build", "-o", where / "helm",
                    TOP / "tests/image/helm.go"], check=True, timeout=300,
                   env={**os.environ, "GO111MODULE": "off",
                        "GOCACHE": str(TOP / "build/image/go")})
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def render(change, release="ntpd"):
        out = subprocess.run(
            [where / "helm", CHART], text=True, check=True,
            stdout=subprocess.PIPE, input=json.dumps({
                "Values": merged(values, change),
                "Release": {"Name": release, "Namespace": "ntpd",
                            "Service": "Helm"},
                "Chart": {"Name": chart["name"], "Version": chart["version"],
                          "AppVersion": chart["appVersion"]}}))
        return [obj for name, text in json.loads(out.stdout).items()
                if name.endswith(".yaml")
                for obj in yaml.safe_load_all(text) if obj]
    return render


def without_own_labels(objs):
    for obj in objs:
        labels = obj["metadata"].get("labels", {})
        for key in OWN & set(labels):
            del labels[key]
    return sorted((o for o in objs if o["kind"] != "Pod"),
                  key=lambda o: o["kind"])


def test_the_defaults_are_the_manifest(helm):
    assert without_own_labels(helm(VALUES["defaults"])) == \
        sorted(manifest(), key=lambda o: o["kind"])


@pytest.mark.parametrize("name", VALUES)
def test_chart_is_valid_for_the_kubernetes_api(helm, name):
    assert list(check_schema(
        [o for o in helm(VALUES[name])
         if not o["apiVersion"].startswith("monitoring")])) == []


@pytest.mark.parametrize("name", VALUES)
def test_chart_asks_for_no_more_rights_than_the_manifest(helm, name):
    objs = helm(VALUES[name])
    pod = pod_of(one(objs, "DaemonSet"))
    host = [] if name == "the pods' network" else ["hostNetwork"]
    page = ["volume hostPath"] if name == "clockbound" else []
    assert sorted(violations(pod)) == sorted(
        ["capability SYS_TIME", *host, "root", *page])
    (test,) = [o for o in objs if o["kind"] == "Pod"]
    assert list(violations(test["spec"])) == []


@pytest.mark.parametrize("name", VALUES)
def test_chart_configuration_is_accepted(helm, name, tmp_path):
    if not (TOP / "ntpd").exists():
        pytest.skip("units: ./ntpd is not built")
    conf = tmp_path / "ntpd.conf"
    text = one(helm(VALUES[name]), "ConfigMap", "ntpd-config")[
        "data"]["ntpd.conf"]
    for file in re.findall("/etc/ntpd-key/([a-z.]+)", text):
        (tmp_path / file).write_text("%032x\n" % 1)
        (tmp_path / file).chmod(0o400)
    conf.write_text(text.replace("/etc/ntpd-key", str(tmp_path)))
    out = subprocess.run([TOP / "ntpd", "-n", "-f", conf], text=True,
                         stderr=subprocess.PIPE, timeout=60)
    assert (out.returncode, out.stderr) == (0, "configuration OK\n")


def test_each_value_of_the_chart_arrives(helm):
    objs = helm(VALUES["all"])
    pod = pod_of(one(objs, "DaemonSet"))
    (container,) = pod["containers"]
    assert container["image"] == "registry.example.com/ntpd@sha256:" + "0" * 64
    assert container["securityContext"]["capabilities"]["add"] == \
        ["SYS_TIME", "NET_BIND_SERVICE"]
    assert {p["name"]: p["containerPort"] for p in container["ports"]} == \
        {"ntp": 123, "metrics": 9560}
    volumes = {v["name"]: v for v in pod["volumes"]}
    assert {m["name"] for m in container["volumeMounts"]} == set(volumes) == \
        {"config", "run", "ca", "key", "extra"}
    assert volumes["key"]["secret"] == \
        {"secretName": "keys", "defaultMode": 0o400}
    assert volumes["ca"]["secret"]["items"] == \
        [{"key": "tls.crt", "path": "ca.pem"}]
    assert {e["name"] for e in container["env"]} == \
        {"NTP_CONF_FILE", "SSL_CERT_FILE", "TZ"}
    assert one(objs, "PodMonitor")["metadata"]["labels"]["release"] == "x"
    (test,) = [o["spec"] for o in objs if o["kind"] == "Pod"]
    assert {m["name"] for c in test["containers"] for m in c["volumeMounts"]} \
        == {v["name"] for v in test["volumes"]} == {"config", "key", "extra"}
    rules = yaml.safe_load((TOP / "deploy/alerts.yaml").read_text())
    assert one(objs, "PrometheusRule")["spec"] == rules
    assert json.loads(one(objs, "ConfigMap", "ntpd-dashboard")["data"][
        "ntpd.json"]) == json.loads((TOP / "deploy/grafana.json").read_text())
    assert {p["port"] for rule in one(objs, "NetworkPolicy")["spec"]["ingress"]
            for p in rule["ports"]} == {123, 9560}
    (other,) = [o for o in helm({}, "time") if o["kind"] == "DaemonSet"]
    assert other["metadata"]["name"] == "time-ntpd"


def test_the_page_for_programs_is_where_the_component_has_it(helm):
    objs = helm(VALUES["clockbound"])
    pod = pod_of(one(objs, "DaemonSet"))
    component = yaml.safe_load((
        TOP / "deploy/components/clockbound/kustomization.yaml").read_text())
    wanted = pod_of(yaml.safe_load(component["patches"][0]["patch"]))
    assert pod["volumes"][-1:] == wanted["volumes"]
    assert pod["containers"][0]["volumeMounts"][-1:] == \
        wanted["containers"][0]["volumeMounts"]
    assert one(objs, "ConfigMap", "ntpd-config")["data"]["ntpd.conf"] == \
        "servers pool.ntp.org.\nclockbound on\n"


def refusals(value, schema, where="values"):
    """As much of JSON Schema as the chart's uses."""
    assert not set(schema) - {
        "$schema", "type", "enum", "pattern", "properties", "items", "minimum",
        "additionalProperties", "maximum"}, where
    python = {"object": dict, "array": list, "string": str, "boolean": bool,
              "integer": int}
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and type(value) not in [python[k] for k in kinds] or \
            "enum" in schema and value not in schema["enum"] or \
            isinstance(value, str) and \
            not re.search(schema.get("pattern", ""), value) or \
            isinstance(value, int) and not \
            schema.get("minimum", value) <= value <= \
            schema.get("maximum", value):
        yield where
    elif isinstance(value, list):
        for item in value:
            yield from refusals(item, schema.get("items", {}), where)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in schema.get("properties", {}):
                yield from refusals(item, schema["properties"][key],
                                    f"{where}.{key}")
            elif schema.get("additionalProperties") is False:
                yield f"{where}.{key}"


def test_schema_of_the_values_takes_them_and_no_others():
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for change in VALUES.values():
        assert list(refusals(merged(values, change), schema)) == []
    for change, where in (({"server": ["a"]}, ".server"),
                          ({"servers": "a"}, ".servers"),
                          ({"servers": ["a b"]}, ".servers"),
                          ({"servers": ["a nts b"]}, ".servers"),
                          ({"metrics": {"port": 70000}}, ".metrics.port"),
                          ({"image": {"digest": "abc"}}, ".image.digest"),
                          ({"serve": {"on": True}}, ".serve.on")):
        assert list(refusals(merged(values, change), schema)) == \
            ["values" + where]
    assert set(schema["properties"]) - {"global"} == set(values)


def test_chart_has_the_version_and_copies_of_the_files():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = (TOP / "VERSION").read_text().strip()
    assert chart["version"] == chart["appVersion"] == version
    for name in "alerts.yaml", "grafana.json":
        assert (CHART / "files" / name).read_bytes() == \
            (TOP / "deploy" / name).read_bytes(), \
            f"run: make charts/ntpd/files/{name}"
