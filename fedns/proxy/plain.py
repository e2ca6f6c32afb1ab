"""What is plain about a request, an answer and their fields, for the short way.

Law: a field is known by its name as it came, and remembered so; what is not plain is for the long way.
"""

from fedns.proxy import framing

_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PATH = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:@!$&'()*+,="
QUERY = bytes(each for each in range(0x21, 0x7F) if each != 0x23)
TEXT = bytes(range(0x20, 0x7F)) + b"\r\n"
HOST, CONNECTION, LENGTH, OTHER = b"h", b"c", b"l", b""
"""What is not copied: two that are understood, the length of an answer, and what is for the long way."""


class Asked(dict[bytes, bytes]):
    """Names of fields of requests as they come -> as they go on, with their colon, or what else becomes."""

    def __missing__(self, name: bytes) -> bytes:
        lower = name.lower()
        found = OTHER
        if name and not name.translate(None, _TOKEN):
            passes = framing.KINDS[lower] == framing.PASSES
            found = {b"host": HOST, b"connection": CONNECTION}.get(lower, OTHER)
            found = lower + b": " if passes else found
        if len(self) < framing.KNOWN and len(name) <= framing.LONGEST:
            self[name] = found
        return found


class Told(dict[bytes, bytes]):
    """The same for answers, whose names stay as they are."""

    def __missing__(self, name: bytes) -> bytes:
        lower = name.lower()
        found = OTHER
        if name and not name.translate(None, _TOKEN):
            found = {b"content-length": LENGTH, b"connection": CONNECTION}.get(lower, OTHER)
            found = found if lower in framing.HOP else name
        if len(self) < framing.KNOWN and len(name) <= framing.LONGEST:
            self[name] = found
        return found
