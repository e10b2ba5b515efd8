"""Pushes, signs and imports a release as docs/releasing.md says: its commands are run,
word by word, in a Debian 13 with the tools, beside a registry.  "make signing" runs
this; it is not a part of "make test", since the root takes minutes.

Two things differ.  Signatures do not go into cosign's public log, which would need
the internet: UNLOGGED.  And programs have Debian's names: signify-openbsd."""
import json
import pathlib
import re
import shutil
import subprocess
import sys

import lab

TOP = lab.TOP
VERSION = (TOP / "VERSION").read_text().strip()
ROOT = lab.BUILD / "signing"
TOOLS = ["skopeo", "cosign", "signify-openbsd", "minisign", "docker-registry",
         "containerd", "podman", "ca-certificates", "openssl"]
# There is no other network than the loopback of a new namespace.
START = """
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t tmpfs run /run
cd /release
export HOME=/release SSL_CERT_FILE=/release/ca.pem COSIGN_PASSWORD= COSIGN_YES=true
echo 127.0.0.1 registry.example.com > /etc/hosts
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=registry.example.com \\
    -addext subjectAltName=DNS:registry.example.com -keyout tls.key -out ca.pem \\
    2>/dev/null
mkdir -p /etc/containers
echo '{"default":[{"type":"insecureAcceptAnything"}]}' > /etc/containers/policy.json
printf '[storage]\\ndriver = "vfs"\\nrunroot = "/run/c"\\ngraphroot = "/release/c"\\n' \\
    > /etc/containers/storage.conf
cat > registry.yml <<E
version: 0.1
storage: {filesystem: {rootdirectory: /release/registry}}
http: {addr: ":443", tls: {certificate: /release/ca.pem, key: /release/tls.key}}
E
docker-registry serve registry.yml > registry.log 2>&1 &
containerd > containerd.log 2>&1 &
cosign generate-key-pair 2>&1
signify-openbsd -G -n -p ntpd.pub -s ntpd.sec
minisign -G -W -p minisign.pub -s minisign.key > /dev/null
for i in $(seq 100); do
    [ -S /run/containerd/containerd.sock ] &&
        grep -q 'listening on' registry.log && break
    sleep 0.1
done
set -x
"""
UNLOGGED = {"cosign sign-blob": "--tlog-upload=false",
            "cosign sign": "--tlog-upload=false",
            "cosign attest": "--tlog-upload=false",
            "cosign verify-blob": "--insecure-ignore-tlog"}
# What must have come of it.
END = """
set +x
cosign verify --insecure-ignore-tlog --key cosign.pub $IMAGE > /dev/null 2>&1
cosign verify-attestation --insecure-ignore-tlog --key cosign.pub --type spdxjson \\
    $IMAGE > /dev/null 2>&1
echo registry $(skopeo inspect --format '{{.Digest}}' \\
    docker://registry.example.com/ntpd:%s)
ctr -n k8s.io images ls -q | sed 's/^/node /'
podman images --format 'podman {{.Repository}}:{{.Tag}}'
echo 1 >> SHA256SUMS
refused() {
    if "$@" 2>&1; then echo "accepted: $*"; exit 1; fi
}
refused signify-openbsd -V -q -p ntpd.pub -m SHA256SUMS -x SHA256SUMS.sig
refused minisign -Vqm SHA256SUMS -p minisign.pub
refused cosign verify-blob --insecure-ignore-tlog --key cosign.pub \\
    --bundle SHA256SUMS.bundle SHA256SUMS
echo changed sums are refused
""" % VERSION


def commands():
    """Those of the page, from "Publishing the images" on."""
    page = (TOP / "docs/releasing.md").read_text().partition("## Publishing")[2]
    text = "".join(re.findall(r"```sh\n(.*?)```", page, re.S))
    for command, option in UNLOGGED.items():
        text = re.sub(rf"(?m)^{command} ", f"{command} {option} ", text)
    text = re.sub("(?m)^signify ", "signify-openbsd ", text)
    return text.replace("registry.example.com/ntpd@sha256:...", "$IMAGE")


def release():
    where = ROOT / "release"
    shutil.rmtree(where, ignore_errors=True)
    (ROOT / "parts").write_text(lab.run("make", "-s", "parts", cwd=TOP).stdout)
    lab.run(sys.executable, TOP / "tools/release.py", "--epoch", lab.EPOCH,
            "--program", f"amd64={TOP / 'ntpd'}={ROOT / 'parts'}", where)
    layout = lab.run("tar", "-xOf", where / f"ntpd-{VERSION}-oci.tar", "index.json")
    return json.loads(layout.stdout)["manifests"][0]["digest"]


def main():
    if not (ROOT / "usr/bin/cosign").exists():
        lab.run("sh", lab.HERE.parent / "root.sh", "trixie", ROOT, *TOOLS,
                timeout=1200)
    digest = release()
    script = f"set -eu\nIMAGE=registry.example.com/ntpd@{digest}\n" + START + \
        commands() + END
    (ROOT / "run.sh").write_text(script)
    out = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-ec",
         'ip link set lo up; mount --make-rprivate /; mount --bind "$0" "$0"; '
         'exec chroot "$0" sh /run.sh',
         ROOT], text=True, stdout=subprocess.PIPE, timeout=300)
    print(out.stdout)
    lines = out.stdout.splitlines()
    assert out.returncode == 0 and lines[-1] == "changed sums are refused"
    assert f"registry {digest}" in lines, "the registry has another digest"
    for place in "node", "podman":
        assert f"{place} {lab.NAME}" in lines, place


main()
