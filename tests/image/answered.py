"""python3 answered.py COMMAND ARGUMENT...: run a command whose clock calls do
nothing and succeed, as seccomp.json arranges for containers."""
import ctypes
import os
import platform
import struct
import sys

# adjtimex, clock_settime, settimeofday, clock_adjtime
CALLS = {"x86_64": (159, 227, 164, 305), "aarch64": (171, 112, 170, 266)}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06          # BPF instructions
ALLOW, ERRNO = 0x7fff0000, 0x00050000           # the latter with errno 0

calls = CALLS[platform.machine()]
program = [(LOAD, 0, 0, 0)]                     # the call's number
program += [(EQUAL, len(calls) - i, 0, call) for i, call in enumerate(calls)]
program += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ERRNO)]
code = b"".join(struct.pack("HBBI", *line) for line in program)


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
        ctypes.byref(Program(len(program), code))) != 0:
    sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
