"""How many records a topic has, asked with one small request for all of its partitions.

Kafka's client libraries ask for each partition alone, and the broker's time is part of what is
measured; so this speaks the protocol itself: ListOffsets, version 1.
"""

import socket
import struct

_LIST_OFFSETS, _VERSION, _LATEST = 2, 1, -1


class OffsetsError(Exception):
    """The broker's answer is an error."""


def _text(value):
    data = value.encode()
    return struct.pack(">h", len(data)) + data


class Offsets:
    """A connection to the one broker, which leads every partition."""

    def __init__(self, bootstrap):
        host, port = bootstrap.split(",")[0].rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._correlation = 0

    def close(self):
        self._socket.close()

    def _read(self, size):
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise OffsetsError("the broker closed the connection")
            data += more
        return data

    def _ask(self, body):
        self._correlation += 1
        header = struct.pack(">hhi", _LIST_OFFSETS, _VERSION, self._correlation) + _text("bench")
        self._socket.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
        answer = self._read(struct.unpack(">i", self._read(4))[0])
        return answer[4:]  # behind the correlation id

    def ends(self, topic, partitions):
        """The end offset of each partition."""
        body = struct.pack(">ii", -1, 1) + _text(topic) + struct.pack(">i", partitions)
        for partition in range(partitions):
            body += struct.pack(">iq", partition, _LATEST)
        answer = self._ask(body)
        at = 4 + 2 + len(topic.encode())
        (count,) = struct.unpack_from(">i", answer, at)
        found = [struct.unpack_from(">ihqq", answer, at + 4 + 22 * i) for i in range(count)]
        for partition, error, _timestamp, _offset in found:
            if error != 0:
                raise OffsetsError("%s/%d: error %d" % (topic, partition, error))
        return [offset for _partition, _error, _timestamp, offset in sorted(found)]

    def count(self, topic, partitions):
        """The number of records written to the topic so far."""
        return sum(self.ends(topic, partitions))
