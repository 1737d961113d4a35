"""One client connection of the load generator: HTTP/2 frames, flow control, control frames.

Owns the socket and the streams open on it (RFC 9113, cleartext with prior knowledge). Must not
know what is called, how calls are scheduled or how they are timed. It reads only what a server
sends to a unary call; what it does not understand ends the run with `LoadError` and never passes
for an answer.
"""

import socket
import struct
from collections import deque
from pathlib import Path
from typing import Generic, TypeVar

from tests.bench.header_block import HeaderBlockError, grpc_status
from tests.bench.tls_socket import TlsSocket

_CallT = TypeVar("_CallT")

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME_HEAD = struct.Struct(">BHBBI")  # length (8 + 16 bits), type, flags, stream
_FRAME_HEAD_BYTES = _FRAME_HEAD.size
_SETTING = struct.Struct(">HI")
_U32 = struct.Struct(">I")
_GOAWAY_HEAD = struct.Struct(">II")

_DATA, _HEADERS, _PRIORITY, _RST_STREAM, _SETTINGS = 0, 1, 2, 3, 4
_PUSH_PROMISE, _PING, _GOAWAY, _WINDOW_UPDATE, _CONTINUATION = 5, 6, 7, 8, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _HAS_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

_HEADER_TABLE_SIZE, _ENABLE_PUSH, _MAX_CONCURRENT, _INITIAL_WINDOW, _MAX_FRAME = 1, 2, 3, 4, 5
_DEFAULT_HEADER_TABLE_BYTES = 4096
_DEFAULT_WINDOW_BYTES = 65_535
_DEFAULT_MAX_FRAME_BYTES = 16_384
_MAX_WINDOW_BYTES = 2**31 - 1
_MAX_STREAM_ID = 2**31 - 1
_RECEIVE_BYTES = 1 << 18
# Trailers with a free text could differ in every call: the memory of their meaning is bounded.
_MAX_KNOWN_BLOCKS = 1024

# gRPC's statuses for a stream that ends without trailers, and for one that the server resets.
STATUS_WITHOUT_TRAILERS = 2
STATUS_RESET = 14


class LoadError(RuntimeError):
    """The load could not be driven as asked, so that there is nothing to report."""


class _Upload:
    """A message of which flow control has held back a part."""

    __slots__ = ("message", "sent_bytes", "stream_id", "window_bytes")

    def __init__(self, stream_id: int, message: bytes, window_bytes: int) -> None:
        self.stream_id = stream_id
        self.message = message
        self.sent_bytes = 0
        self.window_bytes = window_bytes


class Connection(Generic[_CallT]):
    """A connection on which unary calls are opened and their statuses read.

    `_CallT` is whatever the caller wants to find again with the answer; it is kept in `in_flight`.
    """

    def __init__(
        self,
        address: tuple[str, int],
        blocks: tuple[bytes, bytes],
        *,
        timeout_seconds: float,
        ca_file: Path | None = None,
    ) -> None:
        """Connect, and wait for the server's settings.

        Args:
            address: Host and port.
            blocks: Header block of the first call and of all later ones.
            timeout_seconds: For connecting and for the server's settings.
            ca_file: Whose certificate the server must have; None: cleartext.

        Raises:
            LoadError: Nobody listens there, or it is no HTTP/2 server.
        """
        self.in_flight: dict[int, _CallT] = {}
        self.returned: list[_CallT] = []
        """Calls that the server has not looked at before it went away: to be made elsewhere."""
        self.is_draining = False
        """The server wants no more calls on this connection."""
        self.max_streams = _MAX_STREAM_ID
        self._block, self._later_block = blocks
        self._head = _call_head(self._block)
        self._next_stream_id = 1
        self._peer_initial_window_bytes = _DEFAULT_WINDOW_BYTES
        self._peer_max_frame_bytes = _DEFAULT_MAX_FRAME_BYTES
        self._send_window_bytes = _DEFAULT_WINDOW_BYTES
        self._uploads: deque[_Upload] = deque()
        self._consumed_bytes = 0
        # Kept: a large buffer allocated for each read costs more than all else in it.
        self._received = memoryview(bytearray(_RECEIVE_BYTES))
        self._input = b""
        self._split_block: tuple[int, int, bytes] | None = None
        self._statuses: dict[bytes, int] = {}
        self._answered: list[tuple[_CallT, int]] = []
        self._output = bytearray(_PREFACE)
        own_settings = (
            (_HEADER_TABLE_SIZE, 0),
            (_ENABLE_PUSH, 0),
            (_INITIAL_WINDOW, _MAX_WINDOW_BYTES),
        )
        self._put(_SETTINGS, 0, 0, b"".join(_SETTING.pack(*setting) for setting in own_settings))
        self._widen_receive_window(_MAX_WINDOW_BYTES - _DEFAULT_WINDOW_BYTES)
        self._has_settings = False
        try:
            plain = socket.create_connection(address, timeout=timeout_seconds)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket: socket.socket | TlsSocket = (
                plain if ca_file is None else TlsSocket(plain, ca_file, address[0])
            )
            self._socket.sendall(self._output)
            self._output.clear()
            while not self._has_settings:
                self.receive()
            self._socket.setblocking(False)
        except OSError as error:
            raise LoadError(f"no connection to {address[0]}:{address[1]}: {error}") from error

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def open_call(self, message: bytes, call: _CallT) -> None:
        """Queue one call for the next `flush`.

        Args:
            message: The body behind its five-byte gRPC prefix.
            call: What `receive` hands back with the status.
        """
        stream_id = self._next_stream_id
        if stream_id > _MAX_STREAM_ID:
            raise LoadError("a connection has run out of stream numbers")
        self._next_stream_id = stream_id + 2
        self.in_flight[stream_id] = call
        size = len(message)
        block = self._block
        if (
            size <= self._send_window_bytes
            and size <= self._peer_max_frame_bytes
            and size <= self._peer_initial_window_bytes
            and not self._uploads
        ):
            self._send_window_bytes -= size
            self._output += self._head.pack(
                0,
                len(block),
                _HEADERS,
                _END_HEADERS,
                stream_id,
                block,
                size >> 16,
                size & 0xFFFF,
                _DATA,
                _END_STREAM,
                stream_id,
            )
            self._output += message
        else:
            self._put(_HEADERS, _END_HEADERS, stream_id, block)
            self._uploads.append(_Upload(stream_id, message, self._peer_initial_window_bytes))
            self._advance_uploads()
        if block is not self._later_block:
            self._block = self._later_block
            self._head = _call_head(self._later_block)

    def flush(self) -> bool:
        """Send what is queued and return whether all of it has left.

        Raises:
            LoadError: The server has closed the connection.
        """
        output = self._output
        if not output:
            return True
        try:
            sent = self._socket.send(output)
        except BlockingIOError:
            return False
        except OSError as error:
            raise LoadError(f"the server closed a connection: {error}") from error
        del output[:sent]
        return not output

    def receive(self) -> list[tuple[_CallT, int]]:
        """Read once from the socket; return the calls answered since, with their gRPC status.

        Raises:
            LoadError: The connection is lost with calls in flight, or the server broke the
                protocol as far as it is understood here.
        """
        try:
            size = self._socket.recv_into(self._received)
        except BlockingIOError:
            return []
        except OSError as error:
            raise LoadError(f"a connection was lost: {error}") from error
        if not size:
            if self.in_flight or not self._has_settings:
                raise LoadError(
                    f"the server closed a connection with {len(self.in_flight)} calls in flight"
                )
            self.is_draining = True
            return []
        data = self._input + self._received[:size]
        self._input = data[self._read_frames(data) :]
        if self._consumed_bytes > _MAX_WINDOW_BYTES // 2:
            self._widen_receive_window(self._consumed_bytes)
            self._consumed_bytes = 0
        answered = self._answered
        self._answered = []
        return answered

    def _read_frames(self, data: bytes) -> int:
        """Handle every whole frame in `data` and return how many bytes they took."""
        unpack, statuses = _FRAME_HEAD.unpack_from, self._statuses
        position, available = 0, len(data)
        while position + _FRAME_HEAD_BYTES <= available:
            high, low, kind, flags, stream_id = unpack(data, position)
            start = position + _FRAME_HEAD_BYTES
            end = start + (high << 16 | low)
            if end > available:
                break
            position = end
            if kind == _DATA:
                self._consumed_bytes += end - start
                if flags & _END_STREAM:
                    self._finish(stream_id, STATUS_WITHOUT_TRAILERS)
            elif kind == _HEADERS:
                # Leading headers say nothing that is counted; trailers are mostly equal bytes.
                if flags & ~_END_STREAM != _END_HEADERS or self._split_block:
                    self._begin_block(stream_id, flags, data[start:end])
                elif flags & _END_STREAM:
                    block = data[start:end]
                    status = statuses.get(block)
                    self._finish(stream_id, self._status(block) if status is None else status)
            else:
                self._control(kind, flags, stream_id, data[start:end])
        return position

    def _begin_block(self, stream_id: int, flags: int, block: bytes) -> None:
        if self._split_block or flags & (_PADDED | _HAS_PRIORITY):
            raise LoadError(f"cannot read a HEADERS frame with flags {flags:#x} at this place")
        self._split_block = (stream_id, flags & _END_STREAM, block)

    def _continue_block(self, stream_id: int, flags: int, rest: bytes) -> None:
        if self._split_block is None or self._split_block[0] != stream_id:
            raise LoadError("a CONTINUATION frame follows no open header block")
        _, end_stream, block = self._split_block
        self._split_block = (stream_id, end_stream, block + rest)
        if flags & _END_HEADERS:
            self._split_block = None
            if end_stream:
                self._finish(stream_id, self._status(block + rest))

    def _status(self, block: bytes) -> int:
        try:
            status = grpc_status(block)
        except HeaderBlockError as error:
            raise LoadError(f"cannot read a server's trailers: {error}") from error
        if status is None:
            status = STATUS_WITHOUT_TRAILERS
        if len(self._statuses) < _MAX_KNOWN_BLOCKS:
            self._statuses[block] = status
        return status

    def _finish(self, stream_id: int, status: int) -> None:
        try:
            self._answered.append((self.in_flight.pop(stream_id), status))
        except KeyError:
            raise LoadError(f"the server answered stream {stream_id} twice or unasked") from None
        if self._uploads:
            # An answer before the whole body: what is left of it is not sent any more.
            self._drop_upload(stream_id)

    def _control(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if kind == _WINDOW_UPDATE:
            self._grant(stream_id, _U32.unpack(payload)[0] & _MAX_WINDOW_BYTES)
        elif kind == _PING:
            if not flags & _ACK:
                self._put(_PING, _ACK, 0, payload)
        elif kind == _SETTINGS:
            if not flags & _ACK:
                self._adopt(payload)
        elif kind == _RST_STREAM:
            # After an answer this only says that the rest of the body was not wanted.
            if stream_id in self.in_flight:
                self._finish(stream_id, STATUS_RESET)
        elif kind == _GOAWAY:
            self._go_away(payload)
        elif kind == _CONTINUATION:
            self._continue_block(stream_id, flags, payload)
        elif kind == _PUSH_PROMISE:
            raise LoadError("the server pushes, which was switched off")
        # PRIORITY and unknown kinds are to be ignored (RFC 9113, 4.1 and 5.3.2).

    def _adopt(self, payload: bytes) -> None:
        for name, value in _SETTING.iter_unpack(payload):
            if name == _INITIAL_WINDOW:
                for upload in self._uploads:
                    upload.window_bytes += value - self._peer_initial_window_bytes
                self._peer_initial_window_bytes = value
            elif name == _MAX_FRAME:
                self._peer_max_frame_bytes = value
            elif name == _MAX_CONCURRENT:
                self.max_streams = value
            elif name == _HEADER_TABLE_SIZE and value < _DEFAULT_HEADER_TABLE_BYTES:
                raise LoadError(f"the server's header table of {value} bytes is too small")
        self._put(_SETTINGS, _ACK, 0, b"")
        self._has_settings = True
        self._advance_uploads()

    def _go_away(self, payload: bytes) -> None:
        last_stream_id, code = _GOAWAY_HEAD.unpack_from(payload)
        if code:
            text = payload[_GOAWAY_HEAD.size :].decode("ascii", "replace")
            raise LoadError(f"the server ended a connection with HTTP/2 error {code}: {text}")
        self.is_draining = True
        for stream_id in [number for number in self.in_flight if number > last_stream_id]:
            self.returned.append(self.in_flight.pop(stream_id))
            self._drop_upload(stream_id)

    def _grant(self, stream_id: int, size: int) -> None:
        if stream_id == 0:
            self._send_window_bytes += size
        for upload in self._uploads:
            if upload.stream_id == stream_id:
                upload.window_bytes += size
        if self._uploads:
            self._advance_uploads()

    def _advance_uploads(self) -> None:
        """Queue as much of the held-back messages as the windows allow, oldest first."""
        for upload in list(self._uploads):
            size = len(upload.message)
            while upload.sent_bytes < size:
                part = min(
                    size - upload.sent_bytes,
                    self._send_window_bytes,
                    upload.window_bytes,
                    self._peer_max_frame_bytes,
                )
                if part <= 0:
                    break
                begin = upload.sent_bytes
                upload.sent_bytes += part
                upload.window_bytes -= part
                self._send_window_bytes -= part
                flags = _END_STREAM if upload.sent_bytes == size else 0
                self._put(_DATA, flags, upload.stream_id, upload.message[begin : begin + part])
            if upload.sent_bytes == size:
                self._uploads.remove(upload)

    def _drop_upload(self, stream_id: int) -> None:
        self._uploads = deque(item for item in self._uploads if item.stream_id != stream_id)

    def _widen_receive_window(self, size: int) -> None:
        self._put(_WINDOW_UPDATE, 0, 0, _U32.pack(size))

    def _put(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        self._output += _FRAME_HEAD.pack(size >> 16, size & 0xFFFF, kind, flags, stream_id)
        self._output += payload


def _call_head(block: bytes) -> struct.Struct:
    """Return the layout of a HEADERS frame with `block` and of the DATA frame head behind it."""
    return struct.Struct(f"{_FRAME_HEAD.format}{len(block)}sBHBBI")
