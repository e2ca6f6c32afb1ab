"""Servers of gRPC for the gateway's tests, by gRPC's own library.

Law: what a method does is in its name; bodies are octets, so that nothing has to be generated.
"""

import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc

from tests.proxy import backends


class Service(grpc.GenericRpcHandler):
    """Answers any call by the last part of its name. `seen` are calls and their metadata."""

    def __init__(self, name: str) -> None:
        self.name, self.port = name, 0
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.ended = threading.Semaphore(0)
        self.peers: set[str] = set()
        self.chats: list[str] = []

    def service(self, handler_call_details: Any) -> Any:
        kind = handler_call_details.method.rpartition("/")[2]
        self.seen.append((handler_call_details.method, dict(handler_call_details.invocation_metadata)))
        make = {
            "unary": grpc.unary_unary_rpc_method_handler(self._unary),
            "fails": grpc.unary_unary_rpc_method_handler(self._fails),
            "sleeps": grpc.unary_unary_rpc_method_handler(self._sleeps),
            "many": grpc.unary_stream_rpc_method_handler(self._many),
            "pours": grpc.unary_stream_rpc_method_handler(self._pours),
            "sum": grpc.stream_unary_rpc_method_handler(self._sum),
            "chat": grpc.stream_stream_rpc_method_handler(self._chat),
        }
        return make.get(kind)

    def _unary(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.peers.add(context.peer())
        context.send_initial_metadata([("x-initial", "one")])
        context.set_trailing_metadata([("x-trailing", "two"), ("x-binary-bin", b"\0\xff")])
        return self.name.encode() + b":" + request

    def _fails(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not so: 100% ä")
        raise AssertionError

    def _sleeps(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        gone = threading.Event()
        if context.add_callback(gone.set):
            gone.wait(backends.LONG)
        self.ended.release()
        return b""

    def _many(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield from (b"%d" % number for number in range(int(request)))

    def _pours(self, request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        if not context.add_callback(self.ended.release):
            self.ended.release()
        self.poured = 0
        while context.is_active():
            self.poured += 1
            yield bytes(100_000)

    def _sum(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        return b"%d" % sum(len(each) for each in requests)

    def _chat(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        self.chats.append(context.peer())
        yield from (each.upper() for each in requests)


class Server:
    """A server of it, as the harness knows backends."""

    def __init__(
        self, name: str, where: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None
    ) -> None:
        self.name, self.service = name, Service(name)
        self.server = grpc.server(futures.ThreadPoolExecutor(32), [self.service])
        if credentials is None:
            self.port = self.server.add_insecure_port(where)
        else:
            self.port = self.server.add_secure_port(where, credentials)
        self.service.port = self.port
        self.server.start()

    def stop(self) -> None:
        self.server.stop(None).wait(backends.LONG)
