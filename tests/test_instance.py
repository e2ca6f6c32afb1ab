import os
import pathlib

from fedns import config, instance

MEMBERS = "members: [{name: eu, manifests: .}, {name: us, manifests: .}]\n"
LEAST = "federation: f\ndomain: example.com\n"


def written(path: pathlib.Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_what_was_last_good_is_kept_and_stays_kept(tmp_path: pathlib.Path) -> None:
    path, state = tmp_path / "fedns.yaml", str(tmp_path)
    assert instance.kept(str(path), state) is None
    path.write_text("federation: f\ndomain: example.com\nzones: [zones/]\n")
    instance.keep(str(path), state)
    good = config.load(str(path)).config
    path.write_text("federation: f\ndomian: example.com\n")
    instance.keep(str(path), state)
    assert good is not None and instance.kept(str(path), state) == good
    assert os.stat(os.path.join(state, instance.KEPT)).st_mode & 0o777 == path.stat().st_mode & 0o777
    assert good.zones == (str(tmp_path / "zones"),)  # relative to the file, not to its copy


def test_the_state_directory_in_use_stays_and_that_is_told(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path / "fedns.yaml", LEAST + "state: new\n")
    loaded = config.load(path)
    assert (
        loaded
        == instance.found(instance.Told(path))
        == instance.found(instance.Told(path, f"{tmp_path}/new"))
    )
    moved = instance.found(instance.Told(path, "/old"))
    assert moved.config is not None and moved.config.state == "/old"
    assert [problem.hint for problem in moved.problems] == ["restart `fedns serve`"]


def test_while_the_file_is_bad_it_begins_as_it_last_could(tmp_path: pathlib.Path) -> None:
    path, state = written(tmp_path / "fedns.yaml", LEAST + MEMBERS), str(tmp_path)
    instance.keep(path, state)
    written(tmp_path / "fedns.yaml", "federation: f\n")
    begun = instance.begun(instance.Told(path, state, "eu"))
    assert begun.config is not None and begun.config.member == "eu" and begun.problems
    assert instance.begun(instance.Told(path)).config is None


def test_an_instance_is_in_a_member_that_there_is(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path / "fedns.yaml", LEAST + MEMBERS + "gateway: {place: {member: eu}}\n")
    inside = instance.found(instance.Told(path, "", "us")).config
    assert inside is not None and (inside.member, inside.gateway.place.member) == ("us", "us")
    assert config.whereabouts(inside).home == "us"
    wrong = instance.found(instance.Told(path, "", "su"))
    assert wrong.config is None
    assert str(wrong.problems[-1]) == "--member: no member is called 'su' (the members are eu, us)"
    fleet = written(tmp_path / "other.yaml", LEAST + "fleet: {manifests: .}\n")
    assert (
        instance.found(instance.Told(fleet, "", "su")).config is not None
    )  # a MemberCluster may be called so


def test_the_file_may_say_it_too(tmp_path: pathlib.Path) -> None:
    path = written(tmp_path / "fedns.yaml", LEAST + MEMBERS + "member: us\n")
    inside = config.load(path).config
    assert inside is not None and inside.gateway.place.member == "us"
    written(tmp_path / "fedns.yaml", LEAST + MEMBERS + "member: mars\n")
    assert [each.where for each in config.load(path).problems] == [f"{path}:4"]


def test_listeners_inside_members(tmp_path: pathlib.Path) -> None:
    inside = "dns: {inside: [{listen: 127.0.0.1:53, member: eu}, {listen: 127.0.0.2:53, member: eu}]}\n"
    path = written(tmp_path / "fedns.yaml", LEAST + MEMBERS + inside)
    there = config.load(path).config
    assert there is not None and config.whereabouts(there).inside == ("eu",)
    assert config.whereabouts(instance.stationed(config.load(path), "us").config or there).inside == ()
    written(tmp_path / "fedns.yaml", LEAST + MEMBERS + inside.replace("eu}]", "mars}]"))
    (problem,) = config.load(path).problems
    assert problem.where == f"{path}:4" and "no member is called 'mars'" in problem.what
