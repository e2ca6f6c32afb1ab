"""The Dockerfile: what it copies is there, it needs no network but a package index, and nobody is root."""

import re

import pytest

from tests.deploy import objects

TEXT = (objects.DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
LINES = [line.split(None, 1) for line in TEXT.splitlines() if line and not line.startswith("#")]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    ignored = (objects.DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for name, rest in LINES:
        words = rest.split()
        if name != "COPY" or words[0].startswith("--from="):
            continue
        for source in words[:-1]:
            assert (objects.ROOT / source).exists(), source
            assert f"!{source}" in ignored


def test_it_asks_nobody_but_a_package_index() -> None:
    runs = " ".join(rest for name, rest in LINES if name == "RUN")
    assert not re.search(r"\b(apt|apt-get|apk|curl|wget|git)\b|https?://", runs)
    assert not [rest for name, rest in LINES if name == "ADD"]


def test_it_runs_as_the_user_of_the_pods() -> None:
    last = max(number for number, (name, _) in enumerate(LINES) if name == "FROM")
    (user,) = [rest for name, rest in LINES[last:] if name == "USER"]
    (workload,) = objects.of("StatefulSet", objects.resources(objects.BASE))
    context = workload["spec"]["template"]["spec"]["securityContext"]
    assert user == f"{context['runAsUser']}:{context['runAsGroup']}"


def test_its_command_and_that_of_the_pods_are_one() -> None:
    said = dict(LINES)
    (workload,) = objects.of("StatefulSet", objects.resources(objects.BASE))
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert said["ENTRYPOINT"] == '["fedns"]'
    assert re.findall(r'"([^"]+)"', said["CMD"]) == container["args"]


def test_the_commands_of_the_probes_are_python() -> None:
    (workload,) = objects.of("StatefulSet", objects.resources(objects.BASE))
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    for name in ("startup", "readiness", "liveness"):
        command = container[f"{name}Probe"]["exec"]["command"]
        assert command[:2] == ["python", "-Ic"]
        compile(command[2], name, "exec")


@pytest.mark.parametrize("status", [200, 503])
def test_a_probe_tells_what_the_admin_api_answers(status: int) -> None:
    answered = objects.probed("readiness", status)
    assert (answered.path, answered.code == 0) == ("/readyz", status == 200)
