"""Whose fault it is that a connection to a backend did not come about.

Law: what we lack ourselves is held against nobody.
"""

import errno
import ssl

OURS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EPERM))
"""No descriptor, no memory, no port of our own left; our own firewall."""


def theirs(error: OSError) -> bool:
    """Whether it is the backend that cannot be reached, and not we who cannot begin."""
    return isinstance(error, ssl.SSLError) or error.errno not in OURS  # OpenSSL has numbers of its own
