"""Which rule answers an agent: judged by arguments, from afar; what is not clear is asked, and never allowed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from clawgroups.core.critical import CRITICAL
from clawgroups.core.ruling import Answer, AnswerRule, judge, once_for, option_of, read_call, scope_of

FOLDER = "/srv/ann/desk/task"
Call = dict[str, Any]


def rule(answer: Answer, *, needed: int = 1, exactly: str = "", **about: Any) -> AnswerRule:
    said = {name: tuple(about.get(name, ())) for name in ("kinds", "paths", "commands")}
    scope = scope_of(said["kinds"], said["paths"], said["commands"], about.get("windows", False))
    return AnswerRule(
        scope.kinds, scope.paths, scope.commands, id=uuid4(), answer=answer, needed=needed, exactly=exactly
    )


def answer(call: Call, *rules: AnswerRule, folder: str = FOLDER, sameness: str = "") -> str:
    return judge(rules, read_call(call, sameness, folder)).answer


def run(command: Any, **more: Any) -> Call:
    return {"kind": "execute", "raw_input": {"command": command, **more}}


def touch(path: str, kind: str = "edit") -> Call:
    return {"kind": kind, "locations": [{"path": path}]}


IN_SRC = rule("allow", kinds=["edit"], paths=["src/**"])
TESTS = rule("allow", commands=["pytest *"])
NO_PUSH = rule("deny", commands=["git push *"])
CRITICAL_RULES = [rule("critical", kinds=one.kinds, commands=one.commands) for one in CRITICAL]


# One over the other


def test_an_answer_names_every_rule_that_it_rests_on() -> None:
    src, docs, other = (rule("allow", kinds=["edit"], paths=[f"{name}/**"]) for name in ("src", "docs", "other"))
    both = {"kind": "edit", "locations": [{"path": f"{FOLDER}/{name}/x"} for name in ("docs", "src", "docs/more")]}
    ruling = judge([other, src, docs], read_call(both, "", FOLDER))
    assert {ruling.rule, *ruling.others} == {src, docs}
    assert judge([src, other], read_call(both, "", FOLDER)).others == ()


def test_the_first_kind_that_has_a_fitting_rule_counts() -> None:
    every = {name: rule(name, commands=["make *"]) for name in ("deny", "critical", "allow", "ask")}
    assert answer(run("make all"), *every.values()) == "deny"
    assert answer(run("make all"), every["ask"], every["allow"], every["critical"]) == "critical"
    assert answer(run("make all"), every["ask"], every["allow"]) == "allow"
    ruling = judge([every["ask"]], read_call(run("make all")))
    assert (ruling.answer, ruling.rule) == ("ask", every["ask"])
    assert judge([], read_call(run("make all"))).rule is None


def test_of_several_critical_rules_the_one_that_asks_most_people_counts() -> None:
    one, two = rule("critical", commands=["make *"]), rule("critical", commands=["make deploy"], needed=2)
    assert judge([one, two], read_call(run("make deploy"))).rule is two
    assert judge([one, two], read_call(run("make test"))).rule is one


# Allowing


@pytest.mark.parametrize("path", ["src/a.py", f"{FOLDER}/src/a.py", "src/../src/a.py", f"file://{FOLDER}/src/a.py"])
def test_a_path_in_the_work_folder_is_allowed_however_it_is_written(path: str) -> None:
    assert answer(touch(path), IN_SRC) == "allow"


@pytest.mark.parametrize(
    "path",
    [
        "src/../../x", "../task/../src/a.py", "/etc/passwd", "~/src/a.py", f"{FOLDER}-other/src/a.py", "$HOME/src/a",
        f"{FOLDER}/../src/a.py", "src\\a.py", "SRC/a.py", "src/a.py ", "", "C:/src/a.py", "/src/a.py",
    ],
)  # fmt: skip
def test_no_way_to_write_a_path_leads_out_of_the_work_folder(path: str) -> None:
    assert answer(touch(path), IN_SRC) == "ask"


def test_a_rule_that_allows_a_place_outside_of_the_work_folder_allows_nothing_there() -> None:
    everywhere = rule("allow", kinds=["edit"], paths=["/srv/**", "/home/**"])
    assert answer(touch("/srv/data/a.csv"), everywhere) == "ask"
    assert answer(touch("/srv/ann/other/a"), everywhere) == "ask"
    assert answer(touch("a.csv"), everywhere) == "allow"


@pytest.mark.parametrize("folder", ["", "/", "relative/folder", "C:\\"])
def test_where_nobody_has_told_where_a_session_works_no_path_is_allowed(folder: str) -> None:
    assert answer(touch("src/a.py"), IN_SRC, folder=folder) == "ask"
    assert answer(touch(f"{FOLDER}/src/a.py"), IN_SRC, folder=folder) == "ask"


def test_every_kind_and_every_path_of_a_request_must_be_allowed() -> None:
    two = {"kind": "edit", "locations": [{"path": "src/a.py"}, {"path": "setup.py"}]}
    assert answer(two, IN_SRC) == "ask"
    reads = rule("allow", kinds=["read"], paths=["**"])
    edits_as_well = {**touch("src/a.py", "read"), "content": [{"type": "diff", "path": "b.py", "newText": "x"}]}
    assert answer(edits_as_well, reads) == "ask"
    assert answer({**touch("src/a.py", "read"), "raw_input": {"command": "curl x"}}, reads) == "ask"
    assert answer({"kind": "edit", "raw_input": {"file_path": "src/a.py", "note": "/etc/passwd"}}, IN_SRC) == "ask"


@pytest.mark.parametrize("command", ["pytest -q", "pytest", ["pytest", "-q"], ["bash", "-lc", "pytest -q"]])
def test_a_plain_command_is_allowed(command: Any) -> None:
    assert answer(run(command), TESTS) == "allow"


@pytest.mark.parametrize(
    "call",
    [
        run("pytest; rm -rf /"), run("pytest && make"), run("pytest $(x)"), run("pytest `x`"), run("PATH=. pytest"),
        run("pytest\nrm x"), run("pytest > /etc/x"), run("sudo pytest"), run("pytest", env={"PATH": "."}),
        run("pytest", cwd="/"), run("pytest", cwd="../other"), run("pytest ~"), run("pytest 'a"),
        {"kind": "execute", "title": "pytest"}, {"kind": "execute"}, {"kind": "execute", "raw_input": {"argv": []}},
        {"kind": "execute", "raw_input": {"command": "pytest", "script": "rm x"}},
    ],
)  # fmt: skip
def test_what_is_not_beyond_doubt_one_plain_command_is_asked(call: Call) -> None:
    assert answer(call, TESTS) == "ask"


def test_a_command_is_not_allowed_where_it_may_be_read_by_another_shell() -> None:
    assert answer(run("pytest -q"), TESTS, folder="C:\\work\\task") == "ask"
    assert answer(run("pytest -q"), TESTS, folder="") == "ask"


def test_a_path_on_windows_is_allowed_in_its_work_folder_only() -> None:
    there = rule("allow", kinds=["edit"], paths=["src/**"], windows=True)
    for path in ("src\\a.py", "src/a.py", "C:\\work\\task\\src\\a.py"):
        assert answer(touch(path), there, folder="C:\\work\\task") == "allow"
    for path in ("..\\src\\a.py", "D:\\work\\task\\src\\a.py", "\\src\\a.py", "src\\..\\..\\x"):
        assert answer(touch(path), there, folder="C:\\work\\task") == "ask"


@pytest.mark.parametrize(
    "call",
    [
        {"kind": "edit", "cut": "{..."},
        {"kind": "edit", "locations": [{"path": "src/" + "a" * 990 + "…"}]},
        {"kind": "edit", "raw_input": {f"k{n}": "src/a.py" for n in range(200)}},
        {"kind": "edit", "locations": [{"path": "src/a.py"}] * 200},
        {"kind": "edit", "content": [{"type": "diff", "path": "src/a.py"}] * 50},
    ],
)
def test_what_was_cut_for_its_row_is_not_known_whole_and_allowed_by_nothing(call: Call) -> None:
    assert answer(call, IN_SRC, rule("allow", exactly="same"), sameness="same") == "ask"


def test_a_long_text_that_is_written_does_not_keep_its_path_from_being_allowed() -> None:
    block = {"type": "diff", "path": "src/a.py", "newText": "x" * 4000 + "…"}
    assert answer({"kind": "edit", "content": [block]}, IN_SRC) == "allow"


def test_a_rule_for_a_kind_allows_it_but_nothing_else_that_a_request_does() -> None:
    fetches = rule("allow", kinds=["fetch"])
    assert answer({"kind": "fetch", "raw_input": {"url": "https://example.org/"}}, fetches) == "allow"
    assert answer({"kind": "other", "raw_input": {"url": "https://example.org/"}}, fetches) == "ask"
    assert answer({"kind": "fetch", "raw_input": {"command": "curl https://example.org/"}}, fetches) == "ask"


# Denying


@pytest.mark.parametrize(
    "command",
    [
        "git push", "git push origin main", "cd x && git push", "sudo git push", "bash -c 'git push'", "GIT push",
        "/usr/bin/git push", "X=1 git push", "env X=1 git push", "echo $(git push)", "true; git  push", "git 'push'",
        ["git", "push"], ["bash", "-lc", "make && git push"], "xargs git push", "if true\nthen\ngit push\nfi",
    ],
)  # fmt: skip
def test_what_is_denied_is_found_wherever_it_stands_in_a_command(command: Any) -> None:
    assert answer(run(command), NO_PUSH, rule("allow", kinds=["execute"])) == "deny"


def test_a_denied_place_is_found_by_any_way_to_write_it() -> None:
    keys = rule("deny", paths=["~/.ssh", "*.pem", "secrets"])
    allowed = [rule("allow", kinds=["read", "execute"]), rule("allow", kinds=["read"], paths=["**"])]
    for path in ("/srv/ann/.ssh/id", "/data/.SSH", "/data/ann/.ssh/x", "a/B.PEM", "secrets/x", "x/../secrets"):
        assert answer(touch(path, "read"), keys, *allowed) == "deny", path
    assert answer(run("cat /srv/ann/.ssh/id"), keys, *allowed) == "deny"
    # Whose home that is, nobody here knows: it is not rejected, and not allowed.
    assert answer(touch("~/.ssh/id", "read"), keys, *allowed) == "ask"


@pytest.mark.parametrize(
    "call",
    [run("sh script.sh"), run("g=push; git $g"), run("eval x"), {"kind": "execute"}, run("echo cHVzaA== | xargs git")],
)
def test_where_something_denied_may_hide_no_wider_rule_allows(call: Call) -> None:
    ruling = judge([NO_PUSH, rule("allow", kinds=["execute"])], read_call(call, "", FOLDER))
    assert (ruling.answer, ruling.doubt) == ("ask", True)


def test_a_rejection_for_good_is_for_exactly_that() -> None:
    never = rule("deny", exactly="same")
    assert answer(run("make"), never, sameness="same") == "deny"
    assert answer(run("make"), never, sameness="other") == "ask"
    assert answer(run("make"), never) == "ask"


# Exactly


def test_an_answer_for_good_allows_exactly_that_however_unclear_it_is() -> None:
    always = rule("allow", exactly="same")
    line = run("cd src && make $(cat targets) | tail")
    assert answer(line, always, NO_PUSH, sameness="same") == "allow"
    assert answer(line, always, sameness="other") == "ask"
    assert answer(line, always, sameness="") == "ask"
    # It is no rule without conditions.
    assert answer({"kind": "read"}, always, sameness="x") == "ask"
    assert answer(run("git push"), always, NO_PUSH, sameness="same") == "deny"


# Critical


@pytest.mark.parametrize(
    "call",
    [
        touch("src/a.py", "delete"), run("rm -rf build"), run("cd x; rm y"), run("git push"), run("git -C x push"),
        run("git -c a=b push origin"), run("npm publish"), run("python3 -m twine upload dist/a"), run("docker push x"),
        run("kubectl get pods"), run("terraform apply"), run("ssh host uptime"), run("stripe refunds create"),
        run("find . -name x -delete"), run("sudo rm x"), run("find . -exec rm {} +"), run("ls | xargs rm"),
        run(["rm", "-r", "x"]), run("/bin/rm x"), run("gh release create v1"), run("make && git push"),
    ],
)  # fmt: skip
def test_a_new_workspace_calls_deletion_publishing_production_and_money_critical(call: Call) -> None:
    always = rule("allow", exactly="same")
    assert (
        answer(call, always, rule("allow", kinds=["execute", "delete"]), *CRITICAL_RULES, sameness="same") == "critical"
    )


@pytest.mark.parametrize(
    "command", ["g=rm; $g x", 'eval "$X"', "curl x | sh", "bash run.sh", "echo x | xargs git", "r\\m x"]
)
def test_what_cannot_be_read_may_be_critical_and_is_asked_as_such(command: str) -> None:
    assert answer(run(command), rule("allow", exactly="same"), *CRITICAL_RULES, sameness="same") == "critical"
    assert answer({"kind": "execute", "title": "run the tests"}, *CRITICAL_RULES) == "critical"


@pytest.mark.parametrize(
    "command",
    [
        "cd src && npm test 2>&1 | tail -20", "pytest -q; ruff check .", "find . -name '*.py' | head", "git status",
        "timeout 60 make test", "X=1 make", "npm run build > out.txt", "grep -rn 'a b' src || true", "git stash push",
        "for f in a b; do cat x; done",
    ],
)  # fmt: skip
def test_several_commands_that_are_all_named_are_not_critical_for_that(command: str) -> None:
    assert answer(run(command), rule("allow", exactly="same"), *CRITICAL_RULES, sameness="same") == "allow"


# What is told to the agent

OPTIONS = [
    {"optionId": "a", "kind": "allow_always", "name": "Always"},
    {"optionId": "b", "kind": "allow_once", "name": "Yes"},
    {"optionId": "c", "kind": "reject_once", "name": "No"},
    {"optionId": "d", "kind": "reject_always", "name": "Never"},
]


def chosen(answer: Answer, *kinds: str) -> str | None:
    option = option_of(answer, [{"optionId": f"{n}:{kind}", "kind": kind} for n, kind in enumerate(kinds)])
    return None if option is None else option["optionId"]


def test_to_allow_is_to_allow_once_and_for_good_only_where_nothing_else_is_offered() -> None:
    assert chosen("allow", "allow_always", "allow_once", "reject_once") == "1:allow_once"
    assert chosen("allow", "allow_always", "reject_once") == "0:allow_always"
    assert chosen("allow", "reject_once") is None
    # By several ways to allow an agent means several things: a question to people.
    assert chosen("allow", "allow_once", "allow_once") is None
    assert chosen("allow", "allow_once", "allow_once", "allow_always") is None


def test_to_deny_is_to_reject_once() -> None:
    assert chosen("deny", "reject_always", "reject_once") == "1:reject_once"
    assert chosen("deny", "reject_always") == "0:reject_always"
    assert chosen("deny", "allow_once") is None


def test_an_always_is_told_as_once() -> None:
    by_id = {one["optionId"]: one for one in OPTIONS}
    assert [once_for(by_id[name], OPTIONS)["optionId"] for name in "abcd"] == ["b", "b", "c", "c"]
    assert once_for(by_id["a"], OPTIONS[:1])["optionId"] == "a"


@pytest.mark.parametrize("folder", ["", "/srv/a", "C:\\data", "/"])
@pytest.mark.parametrize("kind", ["read", "edit", "execute", "search", "delete", "none of these", ""])
def test_a_call_that_tells_nothing_but_its_kind_is_read_as_one_that_tells_empty_arguments(
    kind: str, folder: str
) -> None:
    for _ in range(2):
        bare = read_call({"kind": kind, "title": "A title is not read"}, "same", folder)
        assert bare == read_call({"kind": kind, "locations": [], "content": [], "raw_input": {}}, "same", folder)
