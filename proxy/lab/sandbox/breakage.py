"""Faults below HTTP: what the peer sees is not an answer.

Each takes the transport of a request and leaves it closing, so that whatever the server would
still write is dropped.
"""

import asyncio
import socket
import struct

MALFORMED = b"HTTP/1.1 2OO\r\nthis is not a header\r\n\r\n\x00"


def reset(transport: asyncio.Transport) -> None:
    """End the connection with a TCP RST."""
    connection = transport.get_extra_info("socket")
    # Lingering for zero seconds turns the close into a reset.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def truncate(
    transport: asyncio.Transport, body: bytes, content_type: str = "application/json"
) -> None:
    """Announce the whole body, send half of it, and close."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    transport.write(head.encode() + body[: len(body) // 2])
    transport.close()


def garble(transport: asyncio.Transport) -> None:
    """Send bytes that no HTTP parser takes for an answer, and close."""
    transport.write(MALFORMED)
    transport.close()
