"""Messages between the main process and its workers: a line of JSON, then raw arrays. Never pickle.

Pickle would let whatever runs in a worker run in the main process too, and would carry whole objects where a blind
solver must only get numbers.
"""

from __future__ import annotations

import json
import select
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LENGTH = struct.Struct("!Q")
_KINDS = {"bool", "int64", "float32", "float64", "complex64", "complex128"}


class ChannelClosed(Exception):
    """The other side is gone."""


@dataclass(frozen=True)
class Message:
    """What one side says to the other.

    Attributes:
        kind: a request ("prepare"), an event ("block", "progress", "need") or an answer ("done", "error").
        fields: JSON data.
        arrays: numpy arrays.
    """

    kind: str
    fields: dict[str, Any] = field(default_factory=dict)
    arrays: tuple[NDArray[Any], ...] = ()


class Channel:
    """A connected stream socket that carries messages."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream

    def send(self, kind: str, *arrays: NDArray[Any], **fields: Any) -> None:
        """Send one message.

        Raises:
            ChannelClosed: the other side is gone.
        """
        packed = [np.ascontiguousarray(array) for array in arrays]
        layout = [[array.dtype.name, list(array.shape)] for array in packed]
        header = json.dumps({"kind": kind, "fields": fields, "arrays": layout}).encode()
        try:
            self._stream.sendall(_LENGTH.pack(len(header)) + header)
            for array in packed:
                if array.size:
                    self._stream.sendall(_bytes_of(array))
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def forward(self, message: Message) -> None:
        """Send a received message on."""
        self.send(message.kind, *message.arrays, **message.fields)

    def receive(self) -> Message:
        """Wait for one message.

        Raises:
            ChannelClosed: the other side is gone.
        """
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        header = json.loads(bytes(self._read(length)))
        arrays = []
        for name, shape in header["arrays"]:
            if name not in _KINDS:
                raise ChannelClosed(f"array of unexpected type {name!r}")
            array = np.empty(shape, dtype=name)
            if array.size:
                self._fill(_bytes_of(array))
            arrays.append(array)
        return Message(header["kind"], header["fields"], tuple(arrays))

    def poll(self, seconds: float) -> bool:
        """Wait at most `seconds` for something to receive (or for the other side to go)."""
        return bool(select.select([self._stream], [], [], seconds)[0])

    def close(self) -> None:
        """Close this side."""
        self._stream.close()

    def _read(self, count: int) -> bytearray:
        buffer = bytearray(count)
        self._fill(memoryview(buffer))
        return buffer

    def _fill(self, view: memoryview) -> None:
        while len(view):
            try:
                got = self._stream.recv_into(view)
            except OSError as error:
                raise ChannelClosed(str(error)) from error
            if got == 0:
                raise ChannelClosed("end of stream")
            view = view[got:]


def _bytes_of(array: NDArray[Any]) -> memoryview:
    return memoryview(array.reshape(-1).view(np.uint8).data)


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets with buffers wide enough for blocks of states."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return ends
