"""A socket for the messages of `qdynbench.workers.protocol`, as msgpack followed by raw arrays, without pickle.

Pickle would let code of a worker run in the main process, and would carry whole objects where a blind solver must get
only numbers. A message that does not decode as one of the expected types is refused.
"""

from __future__ import annotations

import math
import select
import socket
import struct
import time
from collections.abc import Callable
from types import UnionType
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from qdynbench.record.schema import Score
from qdynbench.workers.protocol import Line, Message

_MARK = b"\xc1qdb"
"""What a message begins with, so that stray bytes are told at once."""
_LENGTHS = struct.Struct("!QQ")
_ARRAY = 1
"""Code by which a message refers to an array that follows it."""
LONGEST, LONGEST_OF_SOLVER = 1 << 26, 1 << 20
"""Largest number of bytes of a message without its arrays, and of one that a solver may have forged."""
STRAY = "something other than a message came over the connection of the worker"
_KINDS = {"bool", "int64", "float32", "float64", "complex64", "complex128"}

TICK = 0.05
"""Seconds between two looks at what goes on while the other side is waited for."""
Array = NDArray[np.generic]
Layout = list[tuple[str, list[int]]]
"""Type and shape of each array."""
M = TypeVar("M", bound=Message)


class ChannelClosed(Exception):
    """The other side has closed the connection."""


class BadMessage(Exception):
    """The other side has sent something other than the expected messages."""


class Channel:
    """A connected stream socket that carries messages."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._watch: Callable[[], None] | None = None
        self._looked = 0.0
        self.largest = math.inf
        """Bytes that the arrays of a message may have."""
        self.longest = LONGEST

    def watched_by(self, watch: Callable[[], None] | None) -> None:
        """Have a function called every `TICK` seconds from now on, also within a message; it may raise.

        What is there already is read before it is called for the first time.
        """
        self._watch, self._looked = watch, time.monotonic()

    def send(self, message: Message) -> None:
        """Send one message.

        Raises:
            ChannelClosed: the other side is gone.
        """
        arrays: list[Array] = []

        def hook(thing: object) -> object:
            if isinstance(thing, np.ndarray):
                arrays.append(np.ascontiguousarray(thing))
                return msgspec.msgpack.Ext(_ARRAY, (len(arrays) - 1).to_bytes(4, "big"))
            if isinstance(thing, Line):
                return str.__str__(thing)
            if isinstance(thing, Score):
                return thing.model_dump()
            if isinstance(thing, np.generic):
                return thing.item()
            raise TypeError(f"a message cannot hold a {type(thing).__name__}")

        body = msgspec.msgpack.encode(message, enc_hook=hook)
        layout = msgspec.msgpack.encode([(array.dtype.name, array.shape) for array in arrays])
        self._flush(memoryview(_MARK + _LENGTHS.pack(len(body), len(layout)) + body + layout))
        for array in arrays:
            if array.size:
                self._flush(_bytes_of(array))

    def receive(self, expected: type[M] | UnionType) -> M:
        """Wait for one message.

        Args:
            expected: its type, or the union of the types that it may have.

        Raises:
            ChannelClosed: the other side is gone.
            BadMessage: something else came; no further message can be received.
        """
        if self._read(len(_MARK)) != _MARK:
            raise BadMessage(STRAY)
        lengths = _LENGTHS.unpack(self._read(_LENGTHS.size))
        if max(lengths) > self.longest:
            raise BadMessage(STRAY)
        body, packed = (bytes(self._read(length)) for length in lengths)
        try:
            layout = msgspec.msgpack.decode(packed, type=Layout)
            if sum(16.0 * math.prod(map(float, shape)) for _, shape in layout) > self.largest:
                raise ValueError(f"arrays of shapes {[shape for _, shape in layout]} are more than the memory limit")
            arrays = [self._array(name, shape) for name, shape in layout]

            def array(code: int, data: memoryview) -> Array:
                return arrays[int.from_bytes(data, "big") if code == _ARRAY else -1]

            def read(kind: type, thing: object) -> object:
                if kind is Score:
                    return Score.model_validate(thing)
                if isinstance(kind, type) and issubclass(kind, Line) and isinstance(thing, str):
                    return kind(thing)
                if not isinstance(thing, np.ndarray):
                    raise TypeError(f"an array expected, a {type(thing).__name__} came")
                return thing

            message: M = msgspec.msgpack.decode(body, type=expected, ext_hook=array, dec_hook=read)
        except (msgspec.MsgspecError, IndexError, TypeError, ValueError, MemoryError, RecursionError) as error:
            raise BadMessage(f"an unexpected message came: {error}") from error
        return message

    def close(self) -> None:
        """Close this side."""
        self._stream.close()

    def _array(self, name: str, shape: list[int]) -> Array:
        if name not in _KINDS or min(shape, default=0) < 0:
            raise ValueError(f"an array of type {name!r} and shape {shape}")
        array: Array = np.empty(shape, dtype=name)
        if array.size:
            self._fill(_bytes_of(array))
        return array

    def _read(self, count: int) -> bytearray:
        buffer = bytearray(count)
        self._fill(memoryview(buffer))
        return buffer

    def _wait(self, *, to_write: bool = False) -> None:
        while self._watch is not None:
            poll = select.poll()  # `select` takes no descriptor beyond 1023
            poll.register(self._stream, select.POLLOUT if to_write else select.POLLIN)
            ready = bool(poll.poll(1000 * TICK))
            if time.monotonic() - self._looked >= TICK:  # also where bytes come one by one
                self._looked = time.monotonic()
                self._watch()
            if ready:
                return

    def _flush(self, view: memoryview) -> None:
        while len(view):
            self._wait(to_write=True)
            try:
                view = view[self._stream.send(view) :]
            except OSError as error:
                raise ChannelClosed(str(error)) from error

    def _fill(self, view: memoryview) -> None:
        while len(view):
            self._wait()
            try:
                got = self._stream.recv_into(view)
            except OSError as error:
                raise ChannelClosed(str(error)) from error
            if got == 0:
                raise ChannelClosed("end of stream")
            view = view[got:]


def _bytes_of(array: Array) -> memoryview:
    return memoryview(array.reshape(-1).view(np.uint8).data)


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets with buffers wide enough for blocks of states."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return ends
