"""Is the other end still there?

A closed connection and a half-closed one begin with the same FIN. A client that only shut down its
sending side still waits for its answer; one that closed is gone. Nothing that arrives tells them
apart, so the kernel is asked about the *other* end's socket, which it can see where agent and
proxy share a network namespace, as they do in a pod: a socket that nobody owns any more has no
inode. Everywhere else a FIN counts as a hang-up, as it does with every other proxy.
"""

import select
import socket
import struct
import sys

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = struct.Struct("=IHHII BBBBI")  # nlmsghdr, then the head of inet_diag_req_v2
_NO_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_INODE_AT = 16 + 68  # after nlmsghdr, in inet_diag_msg
_NLM_F_REQUEST = 1
_LEFT = frozenset({7, 8})  # tcpi_state: TCP_CLOSE, TCP_CLOSE_WAIT


def still_there(connection: socket.socket) -> bool:
    """Does somebody still own the other end of this connection, whose FIN has come?"""
    if connection.family == socket.AF_UNIX:
        return not _hung_up(connection)
    if not sys.platform.startswith("linux"):
        return False
    try:
        return _owned(connection)
    except (OSError, ValueError):
        return False  # closed, no such socket in this namespace, or the kernel may not be asked


def fin_has_come(connection: socket.socket) -> bool:
    """Has the other end sent its FIN, or a reset, though nobody reads? False: not to be told."""
    try:
        if connection.family == socket.AF_UNIX:
            return _hung_up(connection)
        if not sys.platform.startswith("linux"):
            return False
        return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] in _LEFT
    except (OSError, ValueError):
        return True


def _hung_up(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0))


def _owned(connection: socket.socket) -> bool:
    ours, theirs = connection.getsockname(), connection.getpeername()
    family = connection.family
    query = b"".join(
        (
            _REQUEST.pack(
                72,
                _SOCK_DIAG_BY_FAMILY,
                _NLM_F_REQUEST,
                1,
                0,
                family,
                socket.IPPROTO_TCP,
                0,
                0,
                0xFFFFFFFF,
            ),
            struct.pack("!HH", theirs[1], ours[1]),
            socket.inet_pton(family, theirs[0]).ljust(16, b"\0"),
            socket.inet_pton(family, ours[0]).ljust(16, b"\0"),
            _NO_COOKIE,
        )
    )
    kind = socket.SOCK_RAW | getattr(socket, "SOCK_NONBLOCK", 0)
    with socket.socket(getattr(socket, "AF_NETLINK", 16), kind, _NETLINK_SOCK_DIAG) as kernel:
        kernel.send(query)
        answer = kernel.recv(4096)
    if struct.unpack_from("=H", answer, 4)[0] != _SOCK_DIAG_BY_FAMILY:
        return False  # an error message, which repeats the question: no such socket here
    return bool(struct.unpack_from("=I", answer, _INODE_AT)[0])
