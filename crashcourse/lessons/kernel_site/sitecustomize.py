"""Closes the network for a kernel that builds or tests a lesson; Python runs this file before anything else.

An audit hook sees every use of a socket, and a program cannot remove it. Loopback stays open: the kernel itself talks
through it. Each refusal is also written to the file named by `CRASHCOURSE_REFUSALS`, so that a lesson which catches
the error is found out as well.
"""

import os
import sys

_LOCAL_NAMES = ("", "localhost", "localhost.localdomain", "ip6-localhost", "::", "::1", "0.0.0.0")


def _is_local(host: object) -> bool:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    return name is None or (isinstance(name, str) and (name.lower() in _LOCAL_NAMES or name.startswith("127.")))


def _host_of(event: str, arguments: tuple) -> object:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        return address[0] if isinstance(address, tuple) else None  # a path or None: not the network
    return arguments[0]


def _close_network(event: str, arguments: tuple) -> None:
    if not event.startswith("socket.") or event not in _WATCHED:
        return
    host = _host_of(event, arguments)
    if _is_local(host):
        return
    _write_down(host)
    raise PermissionError(f"The network is closed while lessons are built and tested; this cell asked for {host!r}.")


_WATCHED = {
    "socket.connect",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
}


def _write_down(host: object) -> None:
    path = os.environ.get("CRASHCOURSE_REFUSALS")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{host}\n")


def peak_bytes() -> int:
    """The most memory this process has held so far, in bytes."""
    if sys.platform == "linux":  # getrusage would count the parent's memory from before exec
        with open("/proc/self/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


sys.addaudithook(_close_network)
