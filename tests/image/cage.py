"""python3 cage.py: namespaces of their own (user, mount, network, process, IPC,
UTS), with loopback up and an empty /run, for as long as standard input is open.
Prints the number of a process inside, for nsenter(1).

The uids are those outside, so storage and files look the same, but the user
namespace makes CAP_SYS_TIME worthless: the kernel asks for it in the first
namespace only.  Whatever a container in here is given, the machine's clock
cannot be changed.
"""
import ctypes
import os
import signal
import subprocess
import sys

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
PR_SET_PDEATHSIG = 1
IDS = 65536                     # with nobody (65534), for numeric users

libc = ctypes.CDLL(None, use_errno=True)


def checked(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source, target, kind, flags=0):
    checked(libc.mount(source, target, kind, flags, None), f"mount {target}")


def enter():
    """Leave the namespaces of this machine.  Another process must write the
    maps, since identity maps of many ids need privilege in the namespace
    outside."""
    ready, go = os.pipe(), os.pipe()
    helper = os.fork()
    if helper == 0:
        os.close(ready[1])
        if os.read(ready[0], 1) == b"x":
            for name in ("uid_map", "gid_map"):
                with open(f"/proc/{os.getppid()}/{name}", "w") as f:
                    f.write(f"0 0 {IDS}")
            os.write(go[1], b"x")
        os._exit(0)
    os.close(go[1])
    checked(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS |
                         CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET),
            "unshare")
    os.write(ready[1], b"x")
    if os.read(go[0], 1) != b"x":
        sys.exit("cage: no uid map")
    os.setgid(0)
    os.setuid(0)


def live():
    """Process 1 of the new namespace; everything in it ends when it does."""
    checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), "PR_SET_PDEATHSIG")
    mount(None, b"/", None, MS_REC | MS_PRIVATE)
    mount(b"proc", b"/proc", b"proc")
    mount(b"tmpfs", b"/run", b"tmpfs")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)       # nobody waits here
    os.write(1, b"%d\n" % inner)
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    enter()
    # The child does not know its number out here, so a pipe tells it.
    told = os.pipe()
    pid = os.fork()
    if pid == 0:
        inner = int(os.read(told[0], 32))
        live()
        os._exit(0)
    os.write(told[1], b"%d" % pid)
    os.waitpid(pid, 0)
