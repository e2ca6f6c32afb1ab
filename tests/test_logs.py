"""One line per event, whatever is in it."""

import logging
import re
import sys

from fedns import logs


def line(message: str, **fields: object) -> str:
    record = logging.LogRecord("fedns.app", logging.INFO, __file__, 1, message, (), None)
    record.created, record.msecs = 1.5, 500.0
    record.__dict__.update(logs.fields(**fields))
    return logs.Line("control").format(record)


def test_a_line_has_time_level_role_logger_message_and_fields() -> None:
    expected = "1970-01-01T00:00:01.500Z info control fedns.app: table published generation=7 seconds=0.25"
    assert line("table published", generation=7, seconds=0.25) == expected


def test_what_comes_from_outside_cannot_forge_a_line() -> None:
    made = line("read\n1970 error control x: owned", file="a b\nc", other='say "hi"')
    assert "\n" not in made
    assert made.endswith('owned file="a b\\nc" other="say \\"hi\\""')


def test_an_exception_stays_on_its_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    made = logs.Line("dns-0").format(record)
    assert re.search(r'dns-0 x: failed trace="Traceback.*two\\nlines"$', made)
    assert "\n" not in made
