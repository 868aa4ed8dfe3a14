"""Amazon's event stream, in which Bedrock streams: a frame is a prelude (lengths and their checksum), headers, a
payload and a checksum of all. Written from Amazon's description of `application/vnd.amazon.eventstream`, with nothing of the
gateway's own; python/test_bedrock.py holds it to what botocore reads.
"""

import json
import struct
import zlib

# The type of a header whose value is a text; Bedrock sends no other.
STRING = 7
PRELUDE_BYTES, CHECKSUM_BYTES = 12, 4


def frame(headers, payload):
    """One frame with these headers and bytes."""
    named = b"".join(
        struct.pack("!B", len(name.encode())) + name.encode() + struct.pack("!BH", STRING, len(value.encode()))
        + value.encode() for name, value in headers.items())
    lengths = struct.pack("!II", PRELUDE_BYTES + len(named) + len(payload) + CHECKSUM_BYTES, len(named))
    message = lengths + struct.pack("!I", zlib.crc32(lengths)) + named + payload
    return message + struct.pack("!I", zlib.crc32(message))


def event(kind, members):
    """An event of a Converse stream. The member `p` fills it up, as Bedrock does against guesses by length."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps({**members, "p": "abcd"}, ensure_ascii=False, separators=(",", ":")).encode())


def read(message):
    """The headers and the payload of one frame."""
    length, headers_length = struct.unpack("!II", message[:8])
    assert length == len(message), "a piece of a stream is one frame"
    rest, headers = message[PRELUDE_BYTES : PRELUDE_BYTES + headers_length], {}
    while rest:
        name, rest = rest[1 : 1 + rest[0]].decode(), rest[1 + rest[0] :]
        kind, size = struct.unpack("!BH", rest[:3])
        assert kind == STRING
        headers[name], rest = rest[3 : 3 + size].decode(), rest[3 + size :]
    return headers, message[PRELUDE_BYTES + headers_length : -CHECKSUM_BYTES]


def of_hex(digits):
    """The frames of a fixture: hexadecimal digits, a frame to a paragraph."""
    return [bytes.fromhex(paragraph.decode()) for paragraph in digits.split(b"\n\n") if paragraph.strip()]
