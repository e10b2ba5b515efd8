#!/usr/bin/python3
"""One HTTPS question on loopback, and one exchange of keys for NTS, ours beside
`openssl s_client`: wall and processor time of the process that asks, the median
of many; and its memory.

Bar: with an RSA-2048 chain at most twice the time of openssl.

As root also the start: from exec to the clock set, with four servers and one
constraint on loopback, and with one chronyd that serves NTS, in a namespace and
with a pretended clock.  Bar: 60 ms.
"""
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "tls-cases"))
import pki as P  # noqa: E402

ROOT = os.path.dirname(TESTS)
PROBE = os.environ.get("TLSPROBE", ROOT + "/build/static/tlsprobe")
RUNS = int(os.environ.get("RUNS", "40"))
HOST = "www.example.com"


def memory(w, chain, cafile):
    """KiB at most of the process that asks, before it reads the answer: its
    work is done then."""
    seen = []

    def reply(c):
        c.request()
        with open(f"/proc/{seen[0].pid}/status") as f:
            seen.append({line.split(":")[0]: line.split()[1] for line in f
                         if line.startswith(("VmHWM", "RssAnon"))})
        c.write(P.answer(w.date))

    server = P.Server(P.https(w, chain, reply))
    seen.append(subprocess.Popen(
        [PROBE, "-c", cafile, HOST, server.address, str(server.port), "/"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    seen[0].wait()
    server.close()
    return seen[1]


def measure(command, text=b""):
    """Wall seconds, processor seconds, output."""
    begun = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    child.stdin.write(text)
    child.stdin.flush()
    out = child.stdout.read()
    _, _, usage = os.wait4(child.pid, 0)
    return (time.monotonic() - begun, usage.ru_utime + usage.ru_stime, out)


def records(*pairs):
    return b"".join(struct.pack(">HH", kind, len(body)) + body
                    for kind, body in pairs)


# What an exchange asks and gets, RFC 8915 §4.
ASKED = records((0x8001, b"\0\0"), (0x8004, b"\0\x0f"), (0x8000, b""))
GIVEN = records((0x8001, b"\0\0"), (4, b"\0\x0f"),
                *[(5, b"cookie" * 17)] * 8, (0x8000, b""))


def compare(title, commands, bar):
    """Print a row for ours and for openssl's.  commands: by client, what to run,
    what to send to it, and what it prints if all went well."""
    rows = {client: [] for client in commands}
    for _ in range(RUNS):
        for client, (command, text, _) in commands.items():
            rows[client].append(measure(command, text))
    middle = {}
    for client, results in rows.items():
        good = commands[client][2]
        assert all(good in r[2] for r in results), results[0][2]
        middle[client] = [statistics.median(r[i] for r in results)
                          for i in range(2)]
        wall, cpu = middle[client]
        print(f"{title:40}{client:10}{wall * 1e3:8.1f}{cpu * 1e3:8.1f}")
    ratio = middle["ours"][0] / middle["openssl"][0]
    print(f"{'':40}ratio {ratio:.2f}{bar}")


def plain(w):
    """Four servers and a constraint.  Returns the configuration."""
    import web
    web.ntp(w, servers=4)
    web.https(w)
    return web.conf(servers=4)


def authentic(w):
    import test_nts
    test_nts.chronyd(w, "10.99.0.1")
    return test_nts.conf("server 10.99.0.1 nts")


def start(world, servers):
    """Median milliseconds from exec to the step, the least and the most."""
    took = []

    def once():
        w = world.World()
        try:
            d = w.start("-d", "-s", conf=servers(w),
                        guard_options=("-o", "-5000"))
            d.wait_step(10)
            said = d.executed()
            step = [r for r in d.clock() if r["step"]][0]
            took.append((step["t"] - said["exec"] + said["zero"]) / 1e6)
        finally:
            w.close()

    for _ in range(9):
        thread = threading.Thread(target=once)  # namespaces are the thread's
        thread.start()
        thread.join()
    return statistics.median(took), min(took), max(took)


def main():
    if os.geteuid() == 0:
        sys.path[:0] = [os.path.join(TESTS, "live"), TESTS]
        import world
        world.give_up_sys_time()
        for what, servers in (("4 servers and a constraint", plain),
                              ("one server of NTS", authentic)):
            print("exec to clock set, %s: median %.1f ms (%.1f to %.1f; bar: 60)"
                  % (what, *start(world, servers)))
    with tempfile.TemporaryDirectory() as where:
        keys = P.Keys(where + "/keys")
        w = P.Pki(where + "/pki", keys)
        chains = {}
        for name, root, mid, leaf in [
                ("RSA-2048", "rsa2048", "rsa2048-m", "rsa2048-l"),
                ("P-256 under P-384 under RSA-4096", "rsa4096", "p384", "p256")]:
            r = w.make("/CN=Root", root)
            m = w.make("/CN=Mid", mid, r)
            chains[name] = ([w.leaf(m, key=leaf), m], w.bundle(r))
        print(f"{'chain':40}{'client':10}{'wall ms':>8}{'cpu ms':>8}")
        for name, (chain, cafile) in chains.items():
            bar = " (bar: 2)" if name == "RSA-2048" else ""
            server = P.Server(P.https(w, chain, curve="prime256v1"))

            def ours(*options):
                return [PROBE, *options[:1], "-c", cafile, HOST,
                        server.address, str(server.port), *options[1:]]

            def theirs(*options):
                return ["openssl", "s_client", "-connect",
                        f"{server.address}:{server.port}", "-servername", HOST,
                        "-CAfile", cafile, "-verify_return_error",
                        "-verify_hostname", HOST, "-quiet", "-ign_eof",
                        *options]

            request = (f"HEAD / HTTP/1.1\r\nHost: {HOST}\r\n"
                       "Connection: close\r\n\r\n").encode()
            compare(name, {"ours": (ours("-e0", "/"), b"", b"DATE"),
                           "openssl": (theirs(), request, b"Date:")}, bar)
            server.close()
            server = P.Server(P.keys_server(w, chain, GIVEN))
            compare("keys, " + name, {
                "ours": (ours("-n"), b"", b"KEYS"),
                "openssl": (theirs("-tls1_3", "-alpn", "ntske/1"), ASKED,
                            b"cookie")}, bar)
            server.close()
            print(f"{'':40}memory of ours {memory(w, chain, cafile)} KiB "
                  "(bar: 1024)")


if __name__ == "__main__":
    main()
