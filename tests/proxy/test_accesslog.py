"""One line per request, whatever clients send."""

import json
import re
from pathlib import Path

from fedns.proxy import accesslog

_ENTRY = accesslog.Entry(
    client="192.0.2.1",
    method=b"GET",
    host=b"shop.example.com",
    target=b"/a?b=c",
    version="1.1",
    status=200,
    received=0,
    sent=1234,
    seconds=0.0123456789,
    referer=b"",
    agent=b"curl/8",
    request_id=b"abc",
    rule=b"ns/shop shop.example.com/",
    member="c1",
    endpoint="10.0.0.1:80",
    tries=1,
)
_HOSTILE = _ENTRY._replace(target=b'/"\n\xff\\x', agent=b'"\r\n127.0.0.1 - - forged')


def test_combined() -> None:
    line = accesslog.as_combined(_ENTRY)
    when = r"\[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
    assert re.fullmatch(rf'192\.0\.2\.1 - - {when} "GET /a\?b=c HTTP/1\.1" 200 1234 "-" "curl/8"', line)


def test_json() -> None:
    told = json.loads(accesslog.as_json(_ENTRY))
    assert (told["target"], told["member"], told["seconds"], told["status"]) == (
        "/a?b=c",
        "c1",
        0.012346,
        200,
    )


def test_nobody_writes_lines_of_their_own() -> None:
    for form in accesslog.FORMATS.values():
        line = form(_HOSTILE)
        assert "\n" not in line and "\r" not in line and line.isascii()
    assert accesslog.as_combined(_HOSTILE).count('"') == 6
    assert json.loads(accesslog.as_json(_HOSTILE))["target"] == '/"\n\xff\\x'


def test_a_log_that_was_moved_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = accesslog.Log("combined", str(path))
    for kept in ("access.log.1", "access.log"):
        log.note(_ENTRY)
        log.flush()
        log.flush()
        path.rename(tmp_path / kept)
        assert (tmp_path / kept).read_text().count("\n") == 1
    log.close()


def test_what_cannot_be_written_is_lost_and_counted(tmp_path: Path) -> None:
    log = accesslog.Log("json", str(tmp_path / "absent" / "access.log"))
    log.note(_ENTRY)
    log.flush()
    assert log.lost == 1
    for _ in range(5000):
        log.note(_ENTRY)
    assert log.lost > 1000
