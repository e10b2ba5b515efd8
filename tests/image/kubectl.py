"""kubectl's stand-in for the README's commands: a "cluster" of one node, on
which each DaemonSet's pod runs in podman with the rights, mounts and limits
that the manifest gives it.  The API server's part (schema, admission) is
test_manifest.py's."""
import lab
import yaml


class Cluster:
    def __init__(self, cage, where):
        self.cage, self.where, self.pods = cage, where, {}

    def apply(self, objects):
        said = []
        for obj in objects:
            group = obj["apiVersion"].rpartition("/")[0]
            kind = obj["kind"].lower() + ("." + group if group else "")
            said.append(f"{kind}/{obj['metadata']['name']} created")
        maps = {o["metadata"]["name"]: o["data"] for o in objects
                if o["kind"] == "ConfigMap"}
        for obj in objects:
            if obj["kind"] == "DaemonSet":
                name = obj["metadata"]["name"]
                self.pods[name] = self.start(obj["spec"]["template"]["spec"],
                                             maps)
        return "\n".join(said) + "\n"

    def config_map(self, name, data):
        """Mounted as the kubelet does: links into a directory that is
        swapped."""
        top = self.where / name
        (top / "..1").mkdir(parents=True, exist_ok=True)
        for key, text in data.items():
            (top / "..1" / key).write_text(text)
            if not (top / key).is_symlink():
                (top / key).symlink_to(f"..data/{key}")
        if not (top / "..data").is_symlink():
            (top / "..data").symlink_to("..1")
        return top

    def start(self, pod, maps):
        (container,) = pod["containers"]
        rights = container["securityContext"]
        argv = [f"--cap-drop={c}" for c in rights["capabilities"]["drop"]]
        argv += [f"--cap-add={c}" for c in rights["capabilities"]["add"]]
        argv += ["--user", f"{rights['runAsUser']}:{rights['runAsGroup']}"]
        if rights["readOnlyRootFilesystem"]:
            # Without this, podman makes /tmp, /run and /var/tmp writable.
            argv += ["--read-only", "--read-only-tmpfs=false"]
        if not rights["allowPrivilegeEscalation"]:
            argv += ["--security-opt", "no-new-privileges"]
        for entry in container["env"]:
            argv += ["-e", f"{entry['name']}={entry['value']}"]
        volumes = {v["name"]: v for v in pod["volumes"]}
        for mount in container["volumeMounts"]:
            volume = volumes[mount["name"]]
            if "configMap" in volume:
                name = volume["configMap"]["name"]
                place = self.config_map(name, maps[name])
                argv += ["-v", f"{place}:{mount['mountPath']}:ro"]
            else:
                assert volume["emptyDir"]["medium"] == "Memory"
                argv += ["--tmpfs", f"{mount['mountPath']}:rw,size=1m"]
        argv += [container["image"], *container["args"]]
        return self.cage.start(*argv)

    def run(self, words):
        """Run one command line after "kubectl", and give what it prints."""
        if words[:2] == ["apply", "-f"]:
            text = (lab.TOP / words[2]).read_text()
            return self.apply([o for o in yaml.safe_load_all(text) if o])
        if words[:2] == ["-n", "ntpd"]:
            words = words[2:]
        what, name = (words[1].split("/") + [""])[:2] if len(words) > 1 \
            else ("", "")
        if words[0] == "rollout" and words[1] == "status":
            _, name = words[2].split("/")
            self.ready(self.pods[name])
            return f'daemon set "{name}" successfully rolled out\n'
        if words[0] == "logs":
            return self.cage.podman("logs", self.pods[name]).stdout
        if words[0] == "exec":
            assert words[2] == "--"
            return self.cage.podman("exec", self.pods[name],
                                    *words[3:]).stdout
        raise AssertionError(f"kubectl {words}: no stand-in for it")

    def ready(self, box):
        """Ask as the kubelet does: with the manifest's readiness probe."""
        self.cage.wait_for(box, "clock is now synced")
        for i in (1, 2, 3, 4):
            self.cage.wait_for(box, f"192.0.2.{i} now valid")
        self.cage.podman("exec", box, "/ntpctl", "-s", "ready")
