"""Starts a program to which the kernel refuses namespaces and mounts, as container engines do.

`python refused_calls.py PROGRAM ARGUMENT…`; a filter of seccomp(2) answers EPERM, and ENOSYS where it cannot look.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
LOAD, EQUAL, ANY_OF, ANSWER = 0x20, 0x15, 0x45, 0x06  # instructions of classic BPF: ld, jeq, jset, ret
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
NUMBER, FIRST_ARGUMENT = 0, 16  # in struct seccomp_data
NEW_NAMESPACES = 0x7E020000
# unshare, mount, umount2, setns; clone, whose first argument has the flags; clone3, whose flags lie in memory
CALLS = {"x86_64": ((272, 165, 166, 308), 56, 435), "aarch64": ((97, 40, 39, 268), 220, 435)}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def instructions() -> list[tuple[int, int, int, int]]:
    """The filter: operation, where to go when it holds and when not, operand."""
    refused, clone, clone3 = CALLS[os.uname().machine]
    no, unknown = (ANSWER, 0, 0, REFUSE | errno.EPERM), (ANSWER, 0, 0, REFUSE | errno.ENOSYS)
    code = [(LOAD, 0, 0, NUMBER)]
    for number in refused:
        code += [(EQUAL, 0, 1, number), no]
    code += [(EQUAL, 0, 1, clone3), unknown]
    code += [(EQUAL, 0, 3, clone), (LOAD, 0, 0, FIRST_ARGUMENT), (ANY_OF, 0, 1, NEW_NAMESPACES), no]
    return [*code, (ANSWER, 0, 0, ALLOW)]


def main(argv: list[str]) -> None:
    packed = b"".join(struct.pack("=HBBI", *one) for one in instructions())
    program = _Program(len(packed) // 8, packed)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0):
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    os.execvp(argv[0], argv)  # noqa: S606  (no shell is wanted)


if __name__ == "__main__":
    main(sys.argv[1:])
