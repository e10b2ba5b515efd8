"""python3 servers.py OFFSET [CERTIFICATE KEY]: the world outside of a container.

On loopback, in namespaces of the tests' own: four NTP servers whose clock is
OFFSET seconds ahead, four more that have this machine's time, a name server
that knows pool.ntp.org and a few names more, and (with a certificate) an HTTPS
server with the first ones' clock.  Prints "ready", then serves until it is
ended.
"""
import email.utils
import selectors
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

# These addresses are for documentation (RFC 5737), so outputs can show them.
NTP = [f"192.0.2.{i}" for i in range(1, 5)]
RIGHT = [f"198.51.100.{i}" for i in range(1, 5)]
DNS = "203.0.113.53"
HTTPS = ["203.0.113.80", "9.9.9.9"]     # the latter is in the default file
UNIX = 2208988800               # 1970 in seconds since 1900
NAMES = {
    "pool.ntp.org": NTP,
    "time.cloudflare.com": NTP,
    "www.example.com": HTTPS[:1],
    "www.google.com": HTTPS[:1],
}
OFFSET = float(sys.argv[1])


def stamp(seconds):
    seconds += UNIX
    return struct.pack("!II", int(seconds), int(seconds % 1 * 2**32))


def ntp(sock):
    request, client = sock.recvfrom(512)
    offset = 0 if sock.getsockname()[0] in RIGHT else OFFSET
    now = time.time() + offset
    if len(request) < 48 or request[0] & 7 != 3:
        return
    reply = struct.pack("!BBbb", 0x24, 2, request[2], -20) + \
        struct.pack("!II4s", 0x40, 0x40, b"\x7f\x7f\x01\x01") + \
        stamp(now - 10) + request[40:48] + stamp(now) + \
        stamp(time.time() + offset)
    sock.sendto(reply, client)


def dns(sock):
    query, client = sock.recvfrom(512)
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    question = query[12:at + 5]
    addresses = NAMES.get(".".join(labels))
    kind = struct.unpack("!H", query[at + 1:at + 3])[0]
    answers = addresses if addresses and kind == 1 else []
    reply = query[:2] + struct.pack(
        "!HHHHH", 0x8180 if addresses else 0x8183, 1, len(answers), 0, 0) + \
        question
    for address in answers:
        reply += struct.pack("!HHHIH", 0xc00c, 1, 1, 60, 4) + \
            socket.inet_aton(address)
    sock.sendto(reply, client)


def https(listener, context):
    while True:
        conn, _ = listener.accept()
        try:
            with context.wrap_socket(conn, server_side=True) as tls:
                tls.settimeout(5)
                tls.recv(4096)
                date = email.utils.formatdate(time.time() + OFFSET,
                                              usegmt=True)
                tls.sendall(f"HTTP/1.1 200 OK\r\nDate: {date}\r\n"
                            "Connection: close\r\n\r\n".encode())
        except OSError:
            conn.close()


def main():
    for address in NTP + RIGHT + HTTPS + [DNS]:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"],
                       check=True)
    ready = selectors.DefaultSelector()
    for address, port, what in [(a, 123, ntp) for a in NTP + RIGHT] + \
            [(DNS, 53, dns)]:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((address, port))
        ready.register(sock, selectors.EVENT_READ, what)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        for address in HTTPS:
            listener = socket.create_server((address, 443))
            threading.Thread(target=https, args=(listener, context),
                             daemon=True).start()
    print("ready", flush=True)
    while True:
        for key, _ in ready.select():
            key.data(key.fileobj)


main()
