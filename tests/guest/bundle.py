"""A container for runc inside a guest, as k8s.yaml and the image define it.
The network is the host's, and so the control socket has a tmpfs at
/var/run."""
import json
import os
import shutil

import guest

RUNC = shutil.which("runc") or "/usr/sbin/runc"
# This is podman's default profile.  Docker's and containerd's are written
# differently, but treat the clock's calls alike.
PROFILE = "/usr/share/containers/seccomp.json"
CAPS = ["CAP_SYS_TIME"]
MEMORY = 20 << 20               # bytes; k8s.yaml's limit


def applies(rule):
    """Is a rule of the profile meant for these capabilities on amd64?"""
    includes, excludes = rule.get("includes", {}), rule.get("excludes", {})
    if "amd64" not in includes.get("arches", ["amd64"]) or \
            "amd64" in excludes.get("arches", []):
        return False
    return set(includes.get("caps", [])) <= set(CAPS) and \
        not set(excludes.get("caps", [])) & set(CAPS)


def seccomp():
    """The profile in the runtime's form (runtime-spec, config-linux.md)."""
    if not os.path.exists(PROFILE):
        raise guest.Missing("no default seccomp profile in " + PROFILE)
    with open(PROFILE) as f:
        profile = json.load(f)
    rules = []
    for rule in profile["syscalls"]:
        if not applies(rule):
            continue
        out = {"names": rule["names"], "action": rule["action"]}
        if "errnoRet" in rule:
            out["errnoRet"] = rule["errnoRet"]
        if rule.get("args"):
            out["args"] = rule["args"]
        rules.append(out)
    assert any("adjtimex" in r["names"] and r["action"] == "SCMP_ACT_ALLOW"
               for r in rules)
    return {"defaultAction": profile["defaultAction"],
            "defaultErrnoRet": profile.get("defaultErrnoRet", 1),
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86",
                              "SCMP_ARCH_X32"],
            "syscalls": rules}


def config(args, directory):
    """The container's config.json: a read-only root, one capability, the
    guest's network.  The directory holds ntpd.conf."""
    return json.dumps({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False, "user": {"uid": 0, "gid": 0}, "cwd": "/",
            "args": args, "noNewPrivileges": True,
            "env": ["PATH=/", "NTP_CONF_FILE=/etc/ntpd/ntpd.conf"],
            "capabilities": {k: CAPS for k in ("bounding", "effective",
                                               "permitted")},
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "guest",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "strictatime", "mode=755", "size=64k"]},
            {"destination": "/etc/ntpd", "type": "bind", "source": directory,
             "options": ["bind", "ro"]},
            {"destination": "/var/run", "type": "tmpfs", "source": "tmpfs",
             "options": ["nosuid", "nodev", "noexec", "size=1024k"]},
        ],
        "linux": {
            "namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts")],
            "cgroupsPath": "/ntpd",
            "resources": {"memory": {"limit": MEMORY}},
            "seccomp": seccomp(),
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
            "readonlyPaths": ["/proc/bus", "/proc/sys"],
        },
    }, indent=1)


def programs():
    """runc and what it loads, for the guest."""
    if not os.access(RUNC, os.X_OK):
        raise guest.Missing("runc is not installed")
    return [("bin/runc", RUNC)] + [(x, x) for x in guest.libraries(RUNC)]
