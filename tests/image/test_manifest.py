"""k8s.yaml and deploy/ are valid for the Kubernetes API, and ask for no more
rights than they say.  This needs no network: the schema is that of
python3-kubernetes."""
import pathlib
import re
import shutil
import subprocess

import pytest

yaml = pytest.importorskip("yaml", reason="units: python3-yaml is not installed")
TOP = pathlib.Path(__file__).resolve().parents[2]
import kustomize

SERVERS, SERVE, KEYS, CA, METRICS, CLOCKBOUND = (
    f"components/{name}" for name in (
        "servers", "serve", "keys", "private-ca", "metrics", "clockbound"))
# An operator may choose these; servers and serve exclude each other.
CHOICES = {
    "as-it-is": None,
    "nothing": [],
    "servers": [SERVERS],
    "ca": [CA],
    "metrics": [METRICS],
    "servers-all": [SERVERS, CA, METRICS],
    "clockbound": [SERVERS, CLOCKBOUND],
    "serve": [SERVE],
    "serve-all": [SERVE, KEYS, CA, METRICS],
}


def manifest():
    return list(yaml.safe_load_all((TOP / "k8s.yaml").read_text()))


def objects(choice):
    def edit(rules):
        if CHOICES[choice] is not None:
            rules["components"] = CHOICES[choice]
        return rules
    return kustomize.build(TOP / "deploy", edit=edit)


def everything():
    yield "k8s.yaml", manifest()
    for choice in CHOICES:
        yield choice, objects(choice)


EVERYTHING = pytest.mark.parametrize(
    "objs", [pytest.param(objs, id=name) for name, objs in everything()])


def one(objs, kind, name="ntpd"):
    found = [o for o in objs
             if o["kind"] == kind and o["metadata"]["name"] == name]
    assert len(found) == 1, f"{kind} {name}: {len(found)}"
    return found[0]


def pod_of(obj):
    return obj["spec"]["template"]["spec"]


def pods(objs):
    return {o["metadata"]["name"]: pod_of(o) for o in objs
            if o["kind"] == "DaemonSet"}


# ------------------------------------------------------------------- schema

def complaints(value, kind, models, where):
    """Every way in which value is not a "kind" of the API."""
    if kind in ("str", "int", "bool", "float"):
        python = {"str": str, "int": int, "bool": bool, "float": (int, float)}
        if not isinstance(value, python[kind]) or \
                (kind == "int" and isinstance(value, bool)):
            yield f"{where}: {value!r} is no {kind}"
    elif kind == "object":
        # IntOrString, Quantity and the like.
        if not isinstance(value, (str, int)):
            yield f"{where}: {value!r}"
    elif kind.startswith("list["):
        if not isinstance(value, list):
            yield f"{where}: no list"
            return
        for i, item in enumerate(value):
            yield from complaints(item, kind[5:-1], models, f"{where}[{i}]")
    elif kind.startswith("dict("):
        if not isinstance(value, dict):
            yield f"{where}: no map"
            return
        for key, item in value.items():
            yield from complaints(item, kind[5:-1].split(", ")[1], models,
                                  f"{where}.{key}")
    else:
        model = getattr(models, kind)
        if not isinstance(value, dict):
            yield f"{where}: no {kind}"
            return
        attributes = {api: attr for attr, api in model.attribute_map.items()}
        for key, item in value.items():
            if key not in attributes:
                yield f"{where}.{key}: {kind} has no such field"
            else:
                yield from complaints(
                    item, model.openapi_types[attributes[key]], models,
                    f"{where}.{key}")
        # The model's own checks: required fields.
        try:
            model(**{attributes[k]: v for k, v in value.items()
                     if k in attributes})
        except ValueError as error:
            yield f"{where}: {error}"


MODELS = {("v1", "Namespace"): "V1Namespace",
          ("v1", "ConfigMap"): "V1ConfigMap",
          ("v1", "ResourceQuota"): "V1ResourceQuota",
          ("v1", "Service"): "V1Service",
          ("apps/v1", "DaemonSet"): "V1DaemonSet"}


def check_schema(objs):
    models = pytest.importorskip(
        "kubernetes.client.models",
        reason="units: python3-kubernetes is not installed")
    for obj in objs:
        kind = obj["apiVersion"], obj["kind"]
        if kind[0] == "monitoring.coreos.com/v1":
            continue            # custom resources, not in the API's schema
        yield from complaints(obj, MODELS[kind], models, obj["kind"])


@EVERYTHING
def test_is_valid_for_the_kubernetes_api(objs):
    assert list(check_schema(objs)) == []


def test_schema_check_notices_errors():
    objs = manifest()
    container = pod_of(one(objs, "DaemonSet"))["containers"][0]
    container["imagePullPolice"] = "Never"
    container["tty"] = "no"
    del container["volumeMounts"][0]["name"]
    text = "\n".join(check_schema(objs))
    assert "imagePullPolice: V1Container has no such field" in text
    assert "'no' is no bool" in text
    assert "`name`, must not be `None`" in text


# ------------------------------------------------- the restricted profile

# Kinds of volumes that the restricted profile lets a pod have.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral",
           "persistentVolumeClaim", "projected", "secret"}


def violations(pod):
    """What the restricted profile of the Pod Security Standards does not
    allow."""
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield field
    for volume in pod.get("volumes", []):
        for kind in set(volume) - {"name"} - VOLUMES:
            yield f"volume {kind}"
    outer = pod.get("securityContext", {})
    if outer.get("sysctls"):
        yield "sysctls"
    everyone = pod["containers"] + pod.get("initContainers", []) + \
        pod.get("ephemeralContainers", [])
    for container in everyone:
        inner = container.get("securityContext", {})
        both = {**outer, **inner}
        caps = inner.get("capabilities", {})
        if inner.get("privileged"):
            yield "privileged"
        if inner.get("allowPrivilegeEscalation") is not False:
            yield "allowPrivilegeEscalation"
        if "ALL" not in caps.get("drop", []):
            yield "capabilities.drop"
        for cap in caps.get("add", []):
            if cap != "NET_BIND_SERVICE":
                yield f"capability {cap}"
        if both.get("seccompProfile", {}).get("type") not in \
                ("RuntimeDefault", "Localhost"):
            yield "seccompProfile"
        if not both.get("runAsNonRoot") or both.get("runAsUser") == 0:
            yield "root"
        if inner.get("procMount", "Default") != "Default":
            yield "procMount"
        if any(p.get("hostPort") for p in container.get("ports", [])):
            yield "hostPort"
        for field in ("seLinuxOptions", "windowsOptions"):
            if both.get(field):
                yield field


@EVERYTHING
def test_is_restricted_but_for_the_three_exceptions(objs):
    """And components/clockbound takes one directory of the node."""
    for name, pod in pods(objs).items():
        shown = [v for v in pod["volumes"] if v["name"] == "clockbound"]
        assert sorted(violations(pod)) == \
            ["capability SYS_TIME", "hostNetwork", "root"] + \
            ["volume hostPath"] * len(shown), name


def test_restricted_check_notices_more_rights():
    pod = pod_of(one(manifest(), "DaemonSet"))
    pod["volumes"].append({"name": "x", "hostPath": {"path": "/"}})
    pod["containers"][0]["securityContext"] = {"privileged": True}
    del pod["securityContext"]
    assert set(violations(pod)) == {
        "hostNetwork", "volume hostPath", "privileged", "seccompProfile",
        "allowPrivilegeEscalation", "capabilities.drop", "root"}


@EVERYTHING
def test_only_what_serves_may_bind_low_ports(objs):
    for name, pod in pods(objs).items():
        container = pod["containers"][0]
        caps = container["securityContext"]["capabilities"]
        serves = any(p["containerPort"] == 123
                     for p in container.get("ports", []))
        assert ("NET_BIND_SERVICE" in caps["add"]) == serves, name


# ------------------------------------------------------- what was promised

@EVERYTHING
def test_every_pod_has_what_the_readme_says(objs):
    for name, pod in pods(objs).items():
        assert pod["automountServiceAccountToken"] is False
        assert pod["tolerations"] == [{"operator": "Exists"}]
        assert pod["priorityClassName"] == "system-node-critical"
        assert pod["terminationGracePeriodSeconds"] <= 10
        assert "hostUsers" not in pod
        (container,) = pod["containers"]
        assert container["imagePullPolicy"] == "IfNotPresent"
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        limits = container["resources"]["limits"]
        assert set(limits) == {"memory"}, "a CPU limit throttles the clock"
        assert limits["memory"] in ("16Mi", "20Mi")
        assert container["terminationMessagePolicy"] == \
            "FallbackToLogsOnError", "nobody would see why it ended"
        ready = container["readinessProbe"]
        assert ready["initialDelaySeconds"] == 1 and \
            ready["periodSeconds"] == 5, "a rollout waits for it at each node"
        for probe in ("livenessProbe", "readinessProbe"):
            command = container[probe]["exec"]["command"]
            assert command[0] == "/ntpctl", "there is no shell in the image"
        mounts = {m["mountPath"]: m for m in container["volumeMounts"]}
        assert "subPath" not in str(mounts), "changes would not arrive"
        conf = {e["name"]: e["value"] for e in container["env"]}
        assert conf["NTP_CONF_FILE"].rpartition("/")[0] in mounts
        volumes = {v["name"]: v for v in pod["volumes"]}
        assert {m["name"] for m in mounts.values()} == set(volumes)
        assert volumes[mounts["/var/run"]["name"]]["emptyDir"]["medium"] == \
            "Memory"


@EVERYTHING
def test_a_rollout_takes_a_tenth_of_the_nodes_at_a_time(objs):
    for obj in objs:
        if obj["kind"] == "DaemonSet":
            assert obj["spec"]["updateStrategy"] == {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "10%"}}


@EVERYTHING
def test_names_of_servers_are_absolute(objs):
    """So the search domains of nodes and pods (ndots:5) are not tried with
    them."""
    found = [line for obj in objs if obj["kind"] == "ConfigMap"
             for line in obj["data"].get("ntpd.conf", "").splitlines()
             if re.match("#?servers? ", line)]
    assert found
    for line in found:
        assert line.endswith("."), line


@EVERYTHING
def test_its_priority_is_allowed_in_its_namespace(objs):
    """Quotas may decide who may have that priority."""
    (rule,) = one(objs, "ResourceQuota", "ntpd-priority")["spec"][
        "scopeSelector"]["matchExpressions"]
    assert (rule["scopeName"], rule["operator"]) == ("PriorityClass", "In")
    assert {pod["priorityClassName"] for pod in pods(objs).values()} == \
        set(rule["values"])


@pytest.mark.parametrize("value", ["", "true", None])
def test_each_node_is_source_or_sink(value):
    """This holds whatever value the label of the control plane has."""
    def takes(pod):
        if set(pod["nodeSelector"]) != {"kubernetes.io/os"}:
            return False
        (term,) = pod["affinity"]["nodeAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"][
            "nodeSelectorTerms"]
        (rule,) = term["matchExpressions"]
        assert rule["key"] == "node-role.kubernetes.io/control-plane"
        return (value is not None) == {"Exists": True, "DoesNotExist": False}[
            rule["operator"]]
    both = pods(objects("serve"))
    assert [name for name, pod in both.items() if takes(pod)] == \
        ["ntpd-sink" if value is None else "ntpd"]


@EVERYTHING
def test_every_reference_is_met(objs):
    maps = {o["metadata"]["name"]: o for o in objs if o["kind"] == "ConfigMap"}
    used = set()
    for pod in pods(objs).values():
        for volume in pod["volumes"]:
            if "configMap" in volume:
                used.add(volume["configMap"]["name"])
    assert used == set(maps), "a ConfigMap is missing, or one is left over"
    labels = [o["spec"]["template"]["metadata"]["labels"] for o in objs
              if o["kind"] == "DaemonSet"]
    for obj in objs:
        assert obj["metadata"].get("namespace", "ntpd") == "ntpd"
        if obj["kind"] == "DaemonSet":
            assert obj["spec"]["selector"]["matchLabels"].items() <= \
                obj["spec"]["template"]["metadata"]["labels"].items()
        elif obj["kind"] == "Service":
            hits = [l for l in labels
                    if obj["spec"]["selector"].items() <= l.items()]
            assert len(hits) == 1, "sources only, never sinks"
        elif obj["kind"] == "PodMonitor":
            (rule,) = obj["spec"]["selector"]["matchExpressions"]
            assert rule["operator"] == "In"
            assert {l[rule["key"]] for l in labels} <= set(rule["values"])
            ports = {p["port"] for p in obj["spec"]["podMetricsEndpoints"]}
            for pod in pods(objs).values():
                assert ports <= {p["name"]
                                 for p in pod["containers"][0]["ports"]}


def version():
    return (TOP / "VERSION").read_text().strip()


@EVERYTHING
def test_image_tag_is_the_version(objs):
    for pod in pods(objs).values():
        assert pod["containers"][0]["image"] == f"ntpd:{version()}"


def test_dockerfile_and_pages_know_the_version():
    label = re.search(r'image\.version="([^"]+)"',
                      (TOP / "Dockerfile").read_text())
    assert label.group(1) == version()
    for path in (TOP / "Dockerfile", TOP / "README.md",
                 *(TOP / "docs").glob("*.md")):
        for tag in re.findall(r"\bntpd:([0-9][0-9.]*[0-9])", path.read_text()):
            assert tag == version(), path.name


def test_base_is_a_copy_of_k8s_yaml():
    assert (TOP / "deploy/base/k8s.yaml").read_text() == \
        (TOP / "k8s.yaml").read_text(), "run: make deploy/base/k8s.yaml"


def test_the_rule_is_a_copy_of_the_alerts():
    rules = yaml.safe_load((TOP / "deploy/alerts.yaml").read_text())
    assert one(objects("servers-all"), "PrometheusRule")["spec"] == rules, \
        "run: make deploy/components/metrics/prometheusrule.yaml"


def test_images_can_be_renamed():
    def edit(rules):
        rules["images"] = [{"name": "ntpd",
                            "newName": "registry.example.com/time/ntpd",
                            "newTag": "7"}]
        rules["components"] = [SERVE]
        return rules
    for pod in pods(kustomize.build(TOP / "deploy", edit=edit)).values():
        assert pod["containers"][0]["image"] == \
            "registry.example.com/time/ntpd:7"


def test_sink_differs_from_the_manifest_only_where_it_must():
    base = pod_of(one(manifest(), "DaemonSet"))
    (sink,) = yaml.safe_load_all(
        (TOP / "deploy/components/serve/sink.yaml").read_text())
    sink = pod_of(sink)
    assert sink.pop("affinity") == {"nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [
                {"key": "node-role.kubernetes.io/control-plane",
                 "operator": "DoesNotExist"}]}]}}}
    assert sink.pop("dnsPolicy") == "ClusterFirstWithHostNet"
    assert base.pop("dnsPolicy") == "Default"
    sink["volumes"][0]["configMap"]["name"] = "ntpd-config"
    assert sink == base


def test_private_ca_reaches_the_program():
    for pod in pods(objects("serve-all")).values():
        (container,) = pod["containers"]
        path = {e["name"]: e["value"] for e in container["env"]}[
            "SSL_CERT_FILE"]
        directory, _, name = path.rpartition("/")
        (mount,) = [m for m in container["volumeMounts"]
                    if m["mountPath"] == directory]
        (volume,) = [v for v in pod["volumes"] if v["name"] == mount["name"]]
        (config,) = [o for o in objects("serve-all")
                     if o["metadata"]["name"] == volume["configMap"]["name"]]
        assert name in config["data"]


def test_the_page_is_where_the_clients_look():
    header = (TOP / "core/conf.h").read_text()
    (path,) = re.findall(r'define CLOCKBOUND_PATH "(.*)/shm0"', header)
    for pod in pods(objects("clockbound")).values():
        (mount,) = [m for m in pod["containers"][0]["volumeMounts"]
                    if m["name"] == "clockbound"]
        (volume,) = [v for v in pod["volumes"] if v["name"] == "clockbound"]
        assert mount == {"name": "clockbound", "mountPath": path}
        # In memory, since the page of another boot says nothing.
        assert volume["hostPath"] == {"path": "/run/clockbound",
                                      "type": "DirectoryOrCreate"}


def test_the_key_reaches_the_program(tmp_path):
    """The comments of source.conf and sink.conf name the file of the Secret."""
    for pod in pods(objects("serve-all")).values():
        (mount,) = [m for m in pod["containers"][0]["volumeMounts"]
                    if m["name"] == "key"]
        (volume,) = [v for v in pod["volumes"] if v["name"] == "key"]
        assert volume["secret"]["secretName"] == "ntpd-key"
        assert volume["secret"]["defaultMode"] & 0o077 == 0
    made = (TOP / "deploy/components/keys/kustomization.yaml").read_text()
    (name,) = re.findall(r"--from-literal=(\S+)=", made)
    if not (TOP / "ntpd").exists():
        pytest.skip("./ntpd is not built")
    key = tmp_path / name
    key.write_text("2b7e151628aed2a6abf7158809cf4f3c\n")
    key.chmod(0o400)
    for conf in ("source.conf", "sink.conf"):
        text = (TOP / "deploy/components/serve" / conf).read_text()
        text, count = re.subn(r'(?m)^# (?=.* key 1 ")', "", text)
        assert count == 1
        assert f"{mount['mountPath']}/{name}" in text
        path = tmp_path / conf
        path.write_text(text.replace(mount["mountPath"], str(tmp_path)))
        run = subprocess.run([TOP / "ntpd", "-n", "-f", path], text=True,
                             stderr=subprocess.PIPE, timeout=10)
        assert (run.returncode, run.stderr) == (0, "configuration OK\n")


def test_the_empty_ca_is_refused_where_it_would_be_used(tmp_path):
    if not (TOP / "ntpd").exists():
        pytest.skip("./ntpd is not built")
    path = tmp_path / "ntpd.conf"
    said = {}
    for text in ("", 'constraint from "9.9.9.9"\n'):
        path.write_text("servers pool.ntp.org\n" + text)
        run = subprocess.run(
            [TOP / "ntpd", "-n", "-f", path], text=True,
            stderr=subprocess.PIPE, timeout=10,
            env={"SSL_CERT_FILE": str(TOP / "deploy/components/private-ca/"
                                      "ca.pem")})
        said[text] = run.returncode, run.stderr
    assert said.pop("") == (0, "configuration OK\n")
    ((code, line),) = said.values()
    assert code == 1 and "no certificate" in line


def configurations():
    yield "k8s.yaml", one(manifest(), "ConfigMap", "ntpd-config")["data"][
        "ntpd.conf"]
    for path in sorted([*(TOP / "deploy").rglob("*.conf"),
                        *(TOP / "docs/examples").glob("*.conf")]):
        text = path.read_text()
        yield str(path.relative_to(TOP)), text
        # All proposals in its comments must be valid as well.
        yield f"{path.relative_to(TOP)}+", re.sub(r"(?m)^#(?=[a-z])", "", text)


@pytest.mark.parametrize("name,text", [pytest.param(n, t, id=n)
                                       for n, t in configurations()])
def test_configuration_is_accepted(name, text, tmp_path):
    if not (TOP / "ntpd").exists():
        pytest.skip("./ntpd is not built")
    path = tmp_path / "ntpd.conf"
    path.write_text(text)
    run = subprocess.run([TOP / "ntpd", "-n", "-f", path], text=True,
                         stderr=subprocess.PIPE, timeout=10)
    assert (run.returncode, run.stderr) == (0, "configuration OK\n"), name


# ------------------------------------------------------ the forge, a package

WORKFLOWS = sorted((TOP / ".github/workflows").glob("*.yml"))
# What a step of a workflow may call beside make.
TOOLS = {"sudo", "sh", "test", "echo", "cosign", "skopeo", "gh", "apt-get"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_call_targets_that_there_are(path):
    targets = set(re.findall(r"(?m)^([a-z-]+):", (TOP / "Makefile").read_text() +
                             (TOP / "tests/tests.mk").read_text()))
    steps = [step for job in yaml.safe_load(path.read_text())["jobs"].values()
             for step in job["steps"]]
    for step in steps:
        for line in step.get("run", "").replace("\\\n", " ").splitlines():
            words = [w for w in line.partition("#")[0].split() if w != "sudo"]
            if not words:
                continue
            if words[0] == "make":
                assert set(w for w in words[1:2] if "=" not in w) <= targets
            else:
                assert words[0] in TOOLS or re.match(r"\w+=", words[0]), line
            for name in re.findall(r"\btools/[\w.]+", line):
                assert (TOP / name).exists()
    assert any(step.get("run", "").startswith(("make", "sudo make"))
               for step in steps)


def test_issues_ask_for_the_state_and_the_log():
    form = (TOP / ".github/ISSUE_TEMPLATE/bug.yml").read_text()
    assert all(field["type"] in ("markdown", "textarea")
               for field in yaml.safe_load(form)["body"])
    for words in "ntpd -V", "ntpctl -j", "log", "SECURITY.md":
        assert words in form


def test_package_has_the_version_and_excludes_other_daemons():
    first = (TOP / "debian/changelog").read_text().split("\n")[0]
    assert first.startswith(f"ntpd ({version()}) ")
    control = (TOP / "debian/control").read_text()
    for field in "Provides", "Conflicts", "Replaces":
        assert f"\n{field}: time-daemon\n" in control


def test_compose_gives_the_rights_of_the_manifest():
    (service,) = yaml.safe_load((TOP / "deploy/compose.yaml").read_text())[
        "services"].values()
    container = pod_of(one(manifest(), "DaemonSet"))["containers"][0]
    rights = container["securityContext"]
    assert service["image"] == container["image"] == f"ntpd:{version()}"
    assert service["cap_add"] == rights["capabilities"]["add"]
    assert service["cap_drop"] == rights["capabilities"]["drop"]
    assert service["read_only"] is rights["readOnlyRootFilesystem"] is True
    assert service["healthcheck"]["test"][1:] == \
        container["readinessProbe"]["exec"]["command"]


def complete(*words):
    """What bash proposes for the last word."""
    script = f"""
        . {TOP}/deploy/completions/ntpd.bash
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _ntpd "$1"
        printf '%s\\n' "${{COMPREPLY[@]}}\""""
    return set(subprocess.run(["bash", "-c", script, "bash", *words], text=True,
                              stdout=subprocess.PIPE, check=True).stdout.split())


def test_shells_complete_what_the_help_names():
    if not (TOP / "ntpd").exists():
        pytest.skip("./ntpd is not built")
    zsh = (TOP / "deploy/completions/_ntpd").read_text()
    # That is zsh's own name for what is on the line.
    assert not re.search(r"\bwords=", zsh)
    for command, name in (["-h"], "ntpd"), (["ctl", "-h"], "ntpctl"):
        told = subprocess.run([TOP / "ntpd", *command], text=True,
                              stdout=subprocess.PIPE).stdout
        usage = re.split(r"\n  (?=\w)", told)[0]
        # "[-dhnqSsVvx] [-f file]": each letter is an option.
        options = {f"-{letter}" for group in
                   re.findall(r"(?<![\w-])-(\w+)", told) for letter in group}
        assert {w for w in complete(name, "-") if w[0] == "-"} == \
            options | {"-h"}, name
        for option in options:
            assert f"{option}[" in zsh, option
        if name == "ntpctl":
            words = set(re.findall(r"\w+(?= \|)|(?<=\| )\w+", usage))
            assert complete("ntpctl", "-s", "") == words
            assert all(f"'{word}:" in zsh for word in words)
            assert complete("ntpctl", "re") == {"ready"}


# ---------------------------------------------------------------- the extras

def extra(name):
    return (TOP / "deploy/extras" / name).read_text()


def test_node_problem_detector_asks_for_readiness():
    conf = yaml.safe_load(extra("node-problem-detector.json"))
    (rule,), (condition,) = conf["rules"], conf["conditions"]
    assert rule["condition"] == condition["type"] == "ClockUnsynchronised"
    probe = pod_of(one(manifest(), "DaemonSet"))["containers"][0][
        "readinessProbe"]["exec"]["command"]
    assert [pathlib.Path(rule["path"]).name, *rule["args"]] == \
        [pathlib.Path(probe[0]).name, *probe[1:]]
    # ntpctl(8): one line of so many characters; 0 is ready, 1 is not.
    assert conf["pluginConfig"]["max_output_length"] >= 200


def test_exceptions_allow_what_the_manifest_asks_for():
    """And nothing else: each policy stands for one of the violations."""
    named = {"disallow-capabilities": "capability SYS_TIME",
             "disallow-capabilities-strict": "capability SYS_TIME",
             "disallow-host-namespaces": "hostNetwork",
             "disallow-host-ports": "hostNetwork",
             "require-run-as-nonroot": "root",
             "require-run-as-non-root-user": "root"}
    kyverno = yaml.safe_load(extra("kyverno.yaml"))["spec"]
    assert {named[e["policyName"]] for e in kyverno["exceptions"]} == \
        set(violations(pod_of(one(manifest(), "DaemonSet"))))
    for entry in kyverno["exceptions"]:
        rule, automatic = entry["ruleNames"]
        assert automatic == "autogen-" + rule
    capabilities, network = yaml.safe_load_all(extra("gatekeeper.yaml"))
    added = {cap for choice in CHOICES for pod in pods(objects(choice)).values()
             for cap in pod["containers"][0]["securityContext"][
                 "capabilities"]["add"]}
    assert set(capabilities["spec"]["parameters"]["allowedCapabilities"]) == \
        added
    ports = {p["containerPort"] for pod in pods(objects("serve-all")).values()
             for p in pod["containers"][0].get("ports", [])}
    limits = network["spec"]["parameters"]
    assert (limits["min"], limits["max"]) == (min(ports), max(ports))


# ---------------------------------------------------------- the real thing

def plain(objs):
    """The objects without the hashes in their names, in a stable order."""
    text = yaml.safe_dump(sorted(
        objs, key=lambda o: (o["kind"], o["metadata"]["name"])))
    text = re.sub(r"(ntpd-(?:servers|source|sink|ca))-[0-9a-z]{10}\b", r"\1",
                  text)
    def tidy(value, name=""):
        if isinstance(value, dict):
            return {k: tidy(v, k) for k, v in value.items()}
        if isinstance(value, list):
            value = [tidy(v) for v in value]
            key = kustomize.MERGE_KEYS.get(name)
            return sorted(value, key=lambda v: str(v.get(key))) if key \
                else value
        return value
    return tidy(yaml.safe_load(text))


@pytest.mark.parametrize("choice", CHOICES)
def test_own_kustomize_agrees_with_kubectl(choice, tmp_path):
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    probe = subprocess.run(["kubectl", "version", "--client", "-o", "yaml"],
                           capture_output=True, text=True)
    if "kustomizeVersion: v5" not in probe.stdout:
        pytest.skip("kubectl's kustomize is older than version 5")
    shutil.copytree(TOP / "deploy", tmp_path / "deploy")
    path = tmp_path / "deploy/kustomization.yaml"
    rules = yaml.safe_load(path.read_text())
    if CHOICES[choice] is not None:
        rules["components"] = CHOICES[choice]
    path.write_text(yaml.safe_dump(rules))
    run = subprocess.run(["kubectl", "kustomize", path.parent], text=True,
                         capture_output=True)
    assert run.returncode == 0, run.stderr
    assert plain(list(yaml.safe_load_all(run.stdout))) == \
        plain(objects(choice))
