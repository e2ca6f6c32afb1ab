"""`fedns serve` over TLS: a real client, the counters, and a certificate that ends soon or is broken."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.scenarios import world
from tests.servers import certificates


def _kdig(served: world.Served, chain: str) -> list[str]:
    """The addresses of the global name, asked in privacy and with the certificate checked."""
    port = served.told()["tls"][0][1]
    command = ["kdig", f"@127.0.0.1#{port}", "+tls", f"+tls-ca={chain}", f"+tls-host={certificates.HOST}"]
    done = subprocess.run(
        [*command, "+short", world.GLOBAL], capture_output=True, text=True, timeout=world.LONG
    )
    return sorted(done.stdout.split())


def test_private_answers_and_certificates_that_change(tmp_path: Path) -> None:
    if not shutil.which("kdig"):
        assert not os.environ.get("FEDNS_REQUIRE_TOOLS"), "kdig is missing"
        pytest.skip("kdig is not installed")
    place = world.World(tmp_path)
    chain, _ = certificates.write(tmp_path, days=10)
    text = place.config.read_text()
    told = 'tls: {listen: ["127.0.0.1:0"], certificate: chain.pem, key: key.pem}'
    place.put("fedns.yaml", text.replace("workers: 2}", f"workers: 2, {told}}}"))
    with world.settled(place) as served:
        assert _kdig(served, chain) == sorted(world.SERVING)
        assert "tls: " in served.problems() and "the certificate expires" in served.problems()
        assert "the certificate expires" in served.fedns("status").stdout
        assert 'fedns_dns_queries_total{rcode="NOERROR",transport="tls",type="A"} 1.0' in served.api(
            "/metrics"
        )

        certificates.write(tmp_path, days=90)
        world.until(lambda: "certificate" not in served.problems(), "no more problems")
        world.until(lambda: _kdig(served, chain) == sorted(world.SERVING), "the new certificate everywhere")

        certificates.put(tmp_path / "key.pem", b"broken")
        world.until(lambda: "the certificate cannot be used" in served.problems(), "a problem")
        assert _kdig(served, chain) == sorted(world.SERVING)
    assert subprocess.run([*world.FEDNS, "check", "-c", str(place.config)], stdout=-3).returncode == 1
