"""What a gateway worker makes of tables that are being made."""

import subprocess
import sys
from pathlib import Path

from fedns.proxy import directory

BEGUN = """
import sys, lmdb
env = lmdb.open(sys.argv[1], max_dbs=8)
for name in sys.argv[2:]:
    env.open_db(name.encode())
with env.begin(write=True, db=env.open_db(b"state")) as txn:
    txn.put(b"a", str(sys.argv).encode())
"""
PUBLISHED = """
import sys, time
from fedns import tables
from fedns.gateway import route, terms
writer = tables.Writer(sys.argv[1])
told = {terms.TERMS: terms.encode(terms.Terms()), route.ROUTES: route.encode(route.Table())}
writer.publish({"gateway": told}, time.time())
writer.close()
"""


def elsewhere(program: str, *words: str) -> None:
    """In a process of its own, as control is."""
    subprocess.run([sys.executable, "-c", program, *words], check=True)


def test_tables_without_routes_yet_are_looked_at_again(tmp_path: Path) -> None:
    path = str(tmp_path / "tables")
    elsewhere(BEGUN, path, "dns", "state")
    found = directory.Directory(path)
    assert found.look() is directory.UNKNOWN and not found.ready
    elsewhere(BEGUN, path, "dns", "state", "journal")
    assert found.look() is directory.UNKNOWN and not found.ready
    elsewhere(PUBLISHED, path)
    found.look()
    found.open()
    assert found.ready
