"""One SSH connection without a thread of its own: whoever waits for something reads the socket meanwhile.

paramiko's Transport keeps a thread per connection that wakes ten times a second and hands every packet over; here the
waiting thread dispatches packets itself (one leader at a time, others sleep until it wakes them). Messages, key
exchange and ciphers are paramiko's. Knows no host keys policy, no sudo, no Target.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from paramiko.common import (
    MSG_DEBUG,
    MSG_DISCONNECT,
    MSG_IGNORE,
    MSG_KEXINIT,
    MSG_NAMES,
    MSG_REQUEST_FAILURE,
    MSG_REQUEST_SUCCESS,
    MSG_SERVICE_ACCEPT,
    MSG_UNIMPLEMENTED,
    cMSG_CHANNEL_DATA,
    cMSG_CHANNEL_OPEN,
    cMSG_CHANNEL_REQUEST,
    cMSG_GLOBAL_REQUEST,
    cMSG_SERVICE_REQUEST,
    cMSG_UNIMPLEMENTED,
    cMSG_USERAUTH_REQUEST,
)
from paramiko.message import Message
from paramiko.ssh_exception import ChannelException, IncompatiblePeer, MessageOrderError, SSHException

from coreops.transport.hostkeys import preferred
from coreops.transport.packets import Packets
from coreops.transport.pipe import Pipe
from coreops.transport.trouble import Late, LinkDown, NotAllowed

if TYPE_CHECKING:
    # the stubs leave out the internals this module builds on
    AuthHandler: Any
    BaseTransport: Any
else:
    from paramiko import Transport as BaseTransport
    from paramiko.auth_handler import AuthHandler

WINDOW = 2 << 20
PACKET = 1 << 15
BURST = 8  # packets that one write takes


class Link(BaseTransport):  # type: ignore[misc]
    """An SSH client connection. Thread-safe: any number of threads may wait at once."""

    _active_check_timeout = None
    _preferred_ciphers = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
    _preferred_macs = (
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-512",
    )
    # curve25519 first: the hybrid ones cost several times the CPU
    _preferred_kex = tuple(sorted(BaseTransport._preferred_kex, key=lambda name: not name.startswith("curve25519")))

    # paramiko's table holds Channel's own functions; ours must find Pipe's
    _channel_handler_table = {  # noqa: RUF012 - the same attribute as paramiko's
        kind: getattr(Pipe, function.__name__) for kind, function in BaseTransport._channel_handler_table.items()
    }

    def __init__(self, sock: Any, key_types: list[str]) -> None:
        super().__init__(sock, default_window_size=WINDOW, default_max_packet_size=PACKET, packetizer_class=Packets)
        self._host_key_order = preferred(key_types, self._preferred_keys)
        self._mutex = threading.Lock()
        self._control = threading.Condition(self._mutex)
        self._waiting: list[threading.Condition] = []
        self._leading = False
        self._reason: str | None = None
        self._expected_packet: tuple[int, ...] = ()
        self._closed = False
        self._queue: deque[Message] = deque()
        self._asked = self._answered = 0
        self._keep: dict[int, Pipe] = {}
        self._auth_event = threading.Event()
        self.stray_lines: list[str] = []
        self._handler_table[MSG_SERVICE_ACCEPT] = _ignore
        self._handler_table[MSG_REQUEST_SUCCESS] = self._count_answer
        self._handler_table[MSG_REQUEST_FAILURE] = self._count_answer

    @property
    def preferred_keys(self) -> tuple[str, ...]:
        return self._host_key_order

    def _log(self, level: int, msg: Any, *args: Any) -> None:
        """Nobody reads paramiko's log; formatting it costs a tenth of a connection."""

    # waiting and dispatching

    def wait(self, pipe: Pipe | None, done: Callable[[], bool], timeout: float) -> bool:
        """Dispatch packets until ``done()``; False after ``timeout`` seconds. Raises LinkDown."""
        deadline = time.monotonic() + timeout
        condition = pipe.changed if pipe is not None else self._control
        tried = False
        with self._mutex:
            try:
                while not done():
                    if self._reason is not None:
                        raise LinkDown(self._reason)
                    left = deadline - time.monotonic()
                    if left <= 0 and tried:
                        return False
                    tried = True
                    if self._leading:
                        self._waiting.append(condition)
                        condition.wait(max(0.0, left))
                        self._waiting.remove(condition)
                    else:
                        self._lead(max(0.0, left))
                return True
            finally:
                if self._waiting and not self._leading:
                    self._waiting[0].notify()

    def _lead(self, timeout: float) -> None:
        """Holding the mutex: give it up, read and dispatch what is there, take it back."""
        self._leading = True
        self._mutex.release()
        reason = None
        try:
            self._pump(timeout)
        except EOFError as error:
            reason = str(error) or "the peer closed the connection"
        except Exception as error:  # a hostile peer can make paramiko and cryptography raise almost anything
            reason = str(error) or type(error).__name__
            self.saved_exception = error
        finally:
            self._mutex.acquire()
            self._leading = False
            if reason is not None:
                self._down(reason)

    def _down(self, reason: str) -> None:
        """Holding the mutex: the connection is gone."""
        if self._reason is None:
            self._reason = reason
        self.active = False
        for condition in self._waiting:
            condition.notify_all()

    def _pump(self, timeout: float) -> None:
        packets: Packets = self.packetizer
        if not packets.ready() and not packets.fill(timeout):
            return
        while packets.ready():
            kind, message = packets.read_message()
            self._dispatch(kind, message)
            if packets.need_rekey() and not self.in_kex:
                self._send_kex_init()

    def _dispatch(self, kind: int, message: Message) -> None:
        pipe = None
        if kind in (MSG_IGNORE, MSG_DEBUG):
            self._enforce_strict_kex(kind)
            return
        if kind == MSG_DISCONNECT:
            message.get_int()
            raise EOFError(f"the peer said: {message.get_text()}")
        if self._expected_packet:
            if kind not in self._expected_packet:
                problem = MessageOrderError if self.agreed_on_strict_kex else SSHException
                raise problem(f"unexpected packet {MSG_NAMES.get(kind, kind)}")
            self._expected_packet = ()
            if 30 <= kind <= 41:
                self.kex_engine.parse_next(kind, message)
                return
        if kind in self._handler_table:
            self._handler_table[kind](message)
        elif kind in self._channel_handler_table:
            pipe = self._keep.get(message.get_int())
            if pipe is not None:
                self._channel_handler_table[kind](pipe, message)
        elif self.auth_handler is not None and kind in self.auth_handler._handler_table:
            self.auth_handler._handler_table[kind](message)
        elif kind != MSG_UNIMPLEMENTED:
            reply = Message()
            reply.add_byte(cMSG_UNIMPLEMENTED)
            reply.add_int(message.seqno)
            self._send_message(reply)
        if self._waiting:
            with self._mutex:
                for condition in [pipe.changed] if pipe is not None else self._waiting:
                    condition.notify_all()

    def _send_user_message(self, *data: Message) -> None:
        """Send now, or after the key exchange that is under way. Raises LinkDown."""
        if not self.active:
            return
        try:
            with self.clear_to_send_lock:
                if not self.clear_to_send.is_set() or self._queue:
                    self._queue += data
                    return
                with self.packetizer.together():
                    for message in data:
                        self._send_message(message)
        except EOFError as error:
            with self._mutex:
                self._down(str(error) or "the peer closed the connection")
            raise LinkDown(self._reason) from None

    def _parse_newkeys(self, m: Message) -> None:
        super()._parse_newkeys(m)
        with self.clear_to_send_lock:
            while self._queue:
                self._send_message(self._queue.popleft())

    def _count_answer(self, m: Message) -> None:
        self._answered += 1

    # stages

    def handshake(self, timeout: float) -> None:
        """Exchange banners and keys. Raises LinkDown, Late (args[0]: "banner" or "kex"), SSHException."""
        deadline = time.monotonic() + timeout
        self.active = True
        packets: Packets = self.packetizer
        try:
            packets.write_all(self.local_version.encode() + b"\r\n")
            self._read_banner(packets, deadline)
            self._send_kex_init()
        except (EOFError, OSError) as error:
            raise LinkDown(str(error) or "the peer closed the connection") from None
        self._expect_packet(MSG_KEXINIT)
        if not self.wait(None, lambda: self.initial_kex_done, deadline - time.monotonic()):
            raise Late("kex")

    def _read_banner(self, packets: Packets, deadline: float) -> None:
        while True:
            line = packets.banner_line()
            if line is None:
                if not packets.fill(deadline - time.monotonic()):
                    raise Late("banner")
            elif line.startswith(b"SSH-"):
                break
            else:
                self.stray_lines.append(line.decode("utf-8", "replace")[:200])
                if len(self.stray_lines) > 100:
                    raise SSHException("no SSH banner")
        self.remote_version = line.decode("utf-8", "replace")
        if not line.startswith((b"SSH-2.0-", b"SSH-1.99-")):
            raise IncompatiblePeer(f"the server speaks {self.remote_version}")

    def authenticate(self, user: str, keys: list[Any], timeout: float, session: bool) -> Pipe | None:
        """Offer keys in order, signing at once. With one key a session is asked for in the same breath, and returned.

        Raises LinkDown, Late, NotAllowed (args[0]: what the server allows).
        """
        deadline = time.monotonic() + timeout
        handler = self.auth_handler = AuthHandler(self)
        handler.auth_event = self._auth_event
        service = Message()
        service.add_byte(cMSG_SERVICE_REQUEST)
        service.add_string("ssh-userauth")
        self._send_user_message(service)
        for key in keys:
            self._auth_event.clear()
            self._request_publickey(handler, user, key)
            early = self.open_pipe() if session and len(keys) == 1 else None
            if not self.wait(None, self._auth_event.is_set, deadline - time.monotonic()):
                raise Late("auth")
            if handler.authenticated:
                return early
        raise NotAllowed(str(self.saved_exception or ""))

    def _request_publickey(self, handler: Any, user: str, key: Any) -> None:
        handler.auth_method, handler.username = "publickey", user
        key_type, bits = handler._get_key_type_and_bits(key)
        algorithm = handler._finalize_pubkey_algorithm(key_type)
        signed = handler._get_session_blob(key, "ssh-connection", user, algorithm)
        m = Message()
        m.add_byte(cMSG_USERAUTH_REQUEST)
        m.add_string(user)
        m.add_string("ssh-connection")
        m.add_string("publickey")
        m.add_boolean(True)
        m.add_string(algorithm)
        m.add_string(bits)
        m.add_string(key.sign_ssh_data(signed, algorithm))
        self._send_user_message(m)

    def open_pipe(self, forward_to: tuple[str, int] | None = None) -> Pipe:
        """Ask for a channel (a session, or a TCP connection from there); does not wait for the answer."""
        with self.lock:
            number = self._next_channel()
            pipe = self._keep[number] = Pipe(number, self._mutex)
            self._channels.put(number, pipe)
            self.channel_events[number] = pipe.settled
            pipe._set_transport(self)
            pipe._set_window(WINDOW, PACKET)
        m = Message()
        m.add_byte(cMSG_CHANNEL_OPEN)
        m.add_string("direct-tcpip" if forward_to else "session")
        m.add_int(number)
        m.add_int(WINDOW)
        m.add_int(PACKET)
        if forward_to:
            for host, port in (forward_to, ("127.0.0.1", 0)):
                m.add_string(host)
                m.add_int(port)
        self._send_user_message(m)
        return pipe

    def settle(self, pipe: Pipe, timeout: float) -> None:
        """Wait until the peer has opened the channel. Raises LinkDown, Late, ChannelException."""
        if not self.wait(pipe, pipe.settled.is_set, timeout):
            raise Late("channel")
        if not pipe.active:
            error = self.saved_exception
            raise error if isinstance(error, ChannelException) else ChannelException(0, "refused")

    def run_command(self, pipe: Pipe, command: str) -> None:
        """Start a command on a session. No reply: sshd would hold the output behind it (Nagle)."""
        m = Message()
        m.add_byte(cMSG_CHANNEL_REQUEST)
        m.add_int(pipe.remote_chanid)
        m.add_string("exec")
        m.add_boolean(False)
        m.add_string(command)
        self._send_user_message(m)

    def put(self, pipe: Pipe, data: memoryview, timeout: float, or_chunks: bool = False) -> int:
        """Send as much as the peer's window takes, waiting for it to open; return how much. 0: the channel is closed.

        Raises LinkDown, Late (also when bytes arrive meanwhile and ``or_chunks``: the peer may wait for us).
        """

        def can_send() -> bool:
            return bool(pipe.out_window_size > 0 or pipe.closed or pipe.eof_sent)

        if not can_send():
            self.wait(pipe, lambda: can_send() or bool(or_chunks and pipe.chunks), timeout)
            if not can_send():
                raise Late("window")
        with pipe.lock:
            if pipe.closed or pipe.eof_sent:
                return 0
            most = pipe.out_max_packet_size - 64
            size = min(len(data), pipe.out_window_size, most * BURST)
            pipe.out_window_size -= size
        messages = [Message() for _ in range(0, size, most)]
        for number, m in enumerate(messages):
            m.add_byte(cMSG_CHANNEL_DATA)
            m.add_int(pipe.remote_chanid)
            m.add_string(bytes(data[number * most : min(size, (number + 1) * most)]))
        self._send_user_message(*messages)
        if not self.active:
            raise LinkDown(self._reason)
        return int(size)

    def keepalive(self, timeout: float) -> bool:
        """Ask for an answer; True when one came in time."""
        with self._mutex:
            self._asked += 1
            number = self._asked
        m = Message()
        m.add_byte(cMSG_GLOBAL_REQUEST)
        m.add_string("keepalive@openssh.com")
        m.add_boolean(True)
        try:
            self._send_user_message(m)
            return bool(self.wait(None, lambda: self._answered >= number, timeout))
        except LinkDown:
            return False

    def forget(self, pipe: Pipe) -> None:
        """Drop a channel that nobody reads any more."""
        self._keep.pop(pipe.chanid, None)

    def close(self) -> None:
        """Close the socket; everyone who waits gets LinkDown."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            self._down("closed")
        self._keep.clear()
        if isinstance(self.sock, socket.socket):
            with contextlib.suppress(OSError):  # the peer may have been faster
                self.sock.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for bytes
        self.packetizer.close()


def _ignore(m: Message) -> None:
    """The answer was not waited for."""
