"""A test PKI, made with the openssl command, and servers on loopback: of HTTPS,
and of keys for NTS.

`openssl ca` sets any dates, so the same PKI can stand in any year: Pki.date is
its "now", and the servers say so in their Date header.
"""
import itertools
import os
import socket
import ssl
import struct
import subprocess
import threading
import time
import warnings

DAY = 86400
YEAR = 365 * DAY

CONFIG = """
[ca]
default_ca = test
[test]
database = {dir}/index.txt
new_certs_dir = {dir}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
preserve = yes
[any]
countryName = optional
organizationName = optional
commonName = optional
[req]
distinguished_name = name
prompt = no
[name]
CN = test
"""

KEYS = {
    "rsa2048": ["RSA", "rsa_keygen_bits:2048"],
    "rsa4096": ["RSA", "rsa_keygen_bits:4096"],
    # With an exponent of 127 bits, a check takes as many squarings.
    "rsahuge": ["RSA", "rsa_keygen_bits:2048",
                "rsa_keygen_pubexp:%d" % (2**127 - 1)],
    "rsa1024": ["RSA", "rsa_keygen_bits:1024"],
    "p256": ["EC", "ec_paramgen_curve:P-256"],
    "p384": ["EC", "ec_paramgen_curve:P-384"],
    "p521": ["EC", "ec_paramgen_curve:P-521"],
    "ed25519": ["ED25519"],
}

CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign"


def run(*command, **more):
    result = subprocess.run(command, capture_output=True, text=True, **more)
    if result.returncode != 0:
        raise RuntimeError(f"{command}: {result.stderr}")
    return result.stdout


class Keys:
    """Private keys and requests, which are made once and used by every PKI."""

    def __init__(self, directory):
        self.dir = directory
        self.made = {}
        os.makedirs(directory, exist_ok=True)
        with open(f"{directory}/config", "w") as f:
            f.write(CONFIG.format(dir=directory))

    def get(self, name):
        """The key of that name: a kind, or kind-anything for another key of
        that kind."""
        if name not in self.made:
            kind = KEYS[name.split("-")[0]]
            key = f"{self.dir}/{name}.key"
            options = [x for o in kind[1:] for x in ("-pkeyopt", o)]
            run("openssl", "genpkey", "-algorithm", kind[0], *options,
                "-out", key)
            run("openssl", "req", "-new", "-key", key, "-config",
                f"{self.dir}/config", "-out", f"{self.dir}/{name}.csr")
            self.made[name] = key
        return self.made[name]

    def request(self, name):
        self.get(name)
        return f"{self.dir}/{name}.csr"


class Certificate:
    def __init__(self, path, key):
        self.path, self.key = path, key

    @property
    def pem(self):
        with open(self.path) as f:
            return f.read()

    def der(self):
        return ssl.PEM_cert_to_DER_cert(self.pem)


class Pki:
    version = None      # of TLS that its servers speak; None: 1.2 and 1.3

    def __init__(self, directory, keys, shift=0):
        self.dir, self.keys = str(directory), keys
        self.date = int(time.time()) + shift
        self.counter = itertools.count(1)   # next() is safe among threads
        os.makedirs(self.dir, exist_ok=True)
        with open(f"{self.dir}/config", "w") as f:
            f.write(CONFIG.format(dir=self.dir))
        open(f"{self.dir}/index.txt", "w").close()

    def write(self, name, text):
        path = f"{self.dir}/{name}"
        with open(path, "wb" if isinstance(text, bytes) else "w") as f:
            f.write(text)
        return path

    def make(self, subject, key, issuer=None, ext=CA, start=-30 * DAY,
             end=60 * DAY, md=None, options=(), until=None):
        """A certificate.  Without an issuer it is signed by itself.  start and
        end are seconds from this PKI's now."""
        name = f"{self.dir}/c{next(self.counter)}"
        with open(name + ".ext", "w") as f:
            f.write("[e]\n" + ext + "\n")
        stamp = lambda t: time.strftime("%Y%m%d%H%M%SZ",
                                        time.gmtime(self.date + t))
        signer = ["-selfsign", "-keyfile", self.keys.get(key)] \
            if issuer is None else \
            ["-cert", issuer.path, "-keyfile", self.keys.get(issuer.key)]
        signing = key if issuer is None else issuer.key
        if md is None:
            md = "default" if signing.startswith("ed25519") else "sha256"
        run("openssl", "ca", "-batch", "-notext", "-config",
            f"{self.dir}/config", "-in", self.keys.request(key),
            "-subj", subject, "-extfile", name + ".ext", "-extensions", "e",
            "-startdate", stamp(start), "-enddate", until or stamp(end),
            "-md", md, "-out", name + ".pem", *signer, *options)
        return Certificate(name + ".pem", key)

    def leaf(self, issuer, names="DNS:www.example.com", key="rsa2048-leaf",
             subject="/CN=www.example.com", ext="", usage="serverAuth",
             key_usage="critical,digitalSignature", **more):
        lines = ["basicConstraints=critical,CA:FALSE"]
        if names:
            lines.append("subjectAltName=" + names)
        if usage:
            lines.append("extendedKeyUsage=" + usage)
        if key_usage:
            lines.append("keyUsage=" + key_usage)
        return self.make(subject, key, issuer, "\n".join(lines + [ext]), **more)

    def flip(self, certificate, at=-20):
        """The same certificate with one bit of its signature changed."""
        der = bytearray(certificate.der())
        der[at] ^= 1
        path = self.write(f"c{next(self.counter)}.pem",
                          ssl.DER_cert_to_PEM_cert(bytes(der)))
        return Certificate(path, certificate.key)

    def bundle(self, *certificates):
        return self.write(f"b{next(self.counter)}.pem",
                          "".join(c.pem for c in certificates))


def imf(t):
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(t))


def answer(date, status="200 OK", more=""):
    return f"HTTP/1.1 {status}\r\nDate: {imf(date)}\r\n{more}\r\n".encode()


class Connection:
    """One TLS connection of a server, over memory, so that the test decides
    how its bytes travel."""

    def __init__(self, sock, context, send):
        self.sock, self.send_raw = sock, send
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing,
                                    server_side=True)

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.send_raw(self.sock, data)

    def pump(self, function, *arguments):
        while True:
            try:
                result = function(*arguments)
                self.flush()
                return result
            except ssl.SSLWantReadError:
                self.flush()
                data = self.sock.recv(65536)
                if not data:
                    raise ConnectionError("closed")
                self.incoming.write(data)
            except ssl.SSLError:
                self.flush()
                raise

    def handshake(self):
        self.pump(self.tls.do_handshake)

    def request(self):
        text = b""
        while b"\r\n\r\n" not in text:
            text += self.pump(self.tls.read, 65536)
        return text

    def write(self, data):
        self.pump(self.tls.write, data)

    def close_notify(self):
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        self.flush()


class Server:
    """Listens on loopback and serves every connection with a function."""

    def __init__(self, serve, address="127.0.0.1", backlog=16, accept=True,
                 port=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # An address of a local route will do (IPV6_FREEBIND).
            self.sock.setsockopt(socket.IPPROTO_IPV6, 78, 1)
        self.sock.bind((address, port))
        self.sock.listen(backlog)
        self.address, self.port = address, self.sock.getsockname()[1]
        self.serve, self.seen = serve, []
        self.ended = False
        if accept:
            threading.Thread(target=self.loop, daemon=True).start()

    def loop(self):
        while not self.ended:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(sock,),
                             daemon=True).start()

    def one(self, sock):
        sock.settimeout(30)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.serve(self, sock)
        except (OSError, ssl.SSLError, ConnectionError):
            pass    # the client's verdict is what is tested
        finally:
            sock.close()

    def close(self):
        self.ended = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    sock.close()


def plainly(sock, data):
    sock.sendall(data)


def https(pki, chain, reply=None, minimum=None, maximum=None, ciphers="ALL:@SECLEVEL=0",
          curve=None, ask_client=None, send=plainly, sni=None,
          close_notify=True, date=None):
    """A function for Server.  chain: Certificates, the leaf first; reply: what
    to do with a Connection after the handshake, or bytes; sni: a chain by
    server name; date: the Date is that many seconds ahead of this machine's
    clock, instead of the PKI's own."""
    minimum = minimum or pki.version or ssl.TLSVersion.TLSv1_2
    maximum = maximum or pki.version or ssl.TLSVersion.TLSv1_3

    def context(certificates):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.set_ciphers(ciphers)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")     # TLS 1.0 is meant
            made.minimum_version, made.maximum_version = minimum, maximum
        made.load_cert_chain(pki.bundle(*certificates),
                             pki.keys.get(certificates[0].key))
        if curve:
            made.set_ecdh_curve(curve)
        if ask_client is not None:
            made.verify_mode = ask_client
            made.load_verify_locations(certificates[-1].path)
        return made

    main = context(chain)
    if sni:
        others = {name: context(certificates)
                  for name, certificates in sni.items()}

        def choose(tls, name, _):
            if name in others:
                tls.context = others[name]
        main.sni_callback = choose

    def serve(server, sock):
        c = Connection(sock, main, send)
        c.handshake()
        if callable(reply):
            reply(c)
            return
        server.seen.append(c.request())
        c.write(answer(pki.date if date is None else time.time() + date)
                if reply is None else reply)
        if close_notify:
            c.close_notify()

    return serve


def keys_server(w, chain, reply, protocols=("ntske/1",), version=None,
                close=True, request=True):
    """A function for Server.  reply: bytes, a list of them, each of which is a
    record of TLS, or a function of the Connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = \
        version or ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(w.bundle(*chain), w.keys.get(chain[0].key))
    if protocols:
        context.set_alpn_protocols(list(protocols))

    def serve(server, sock):
        c = Connection(sock, context, plainly)
        c.handshake()
        server.seen.append(c.tls.selected_alpn_protocol())
        if request:
            server.seen.append(c.pump(c.tls.read, 65536))
        if callable(reply):
            reply(c)
            return
        for part in [reply] if isinstance(reply, bytes) else reply:
            c.write(part)
        if close:
            c.close_notify()
        else:
            sock.recv(1)    # until the client has decided

    return serve
