"""What the owner's rules answer: read from arguments, never from a title; what is not clear is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.connector.disk import absolute
from agents.connector.policy import Policy, chosen, judge
from agents.connector.rules import BadPolicy, PolicyFile, read_text
from agents.policy.paths import Place

Frame = dict[str, Any]
Judge = Callable[[str, Frame], str]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a settings folder and a secret in it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / "work" / "src").mkdir(parents=True)
    (tmp_path / "work" / "src" / "a.py").write_text("")
    return tmp_path


@pytest.fixture
def base(home: Path) -> Place:
    found = absolute(str(home / "work"))
    assert found is not None
    return found


@pytest.fixture
def by(base: Place) -> Judge:
    """What a policy, as text, answers to a tool call of a session that works in ~/work."""

    def judged(text: str, call: Frame) -> str:
        return judge(Policy.of(read_text(text)), call, base).answer

    return judged


def rule(answer: str, **conditions: str | list[str]) -> str:
    return f'[[rule]]\nanswer = "{answer}"\n' + "".join(f"{key} = {value!r}\n" for key, value in conditions.items())


def run(command: Any, **more: Any) -> Frame:
    return {"kind": "execute", "rawInput": {"command": command, **more}}


def touch(path: str, kind: str = "edit") -> Frame:
    return {"kind": kind, "locations": [{"path": path}]}


IN_SRC = rule("allow", kind="edit", path="src/**")


@pytest.mark.parametrize("path", ["src/a.py", "./src/deep/new.py", "src", "src/x/../a.py", "src/[id].tsx"])
def test_a_pattern_covers_a_folder_and_what_is_below(by: Judge, path: str) -> None:
    assert by(IN_SRC, touch(path)) == "allow"


@pytest.mark.parametrize(
    "path",
    [
        "../src/a.py", "src/../setup.py", "src/../../.ssh/id", "/etc/passwd", "~/x", "~root/x", "$HOME/x", "src/$X",
        "src/a.py ", '"src/a.py"', "src/*", "src/a.py:3/../../..", "SRC/a.py", "src\\..\\a", "src/`id`", "src/a\nb",
        "file:///etc/passwd", "file://host/x", "https://host/src/a.py", "", "src/link/passwd", "x" * 5000,
    ],
)  # fmt: skip
def test_no_way_to_write_a_path_leads_out_of_what_is_allowed(by: Judge, home: Path, path: str) -> None:
    (home / "work" / "src" / "link").symlink_to("/etc")
    assert by(IN_SRC, touch(path)) == "ask"


@pytest.mark.parametrize(
    "call",
    [
        {"kind": "edit", "title": "Edit src/a.py"},
        {"kind": "edit", "locations": [{"path": "src/a.py"}, {"path": "setup.py"}]},
        {"kind": "edit", "locations": [{"path": "src/a.py"}, {}]},
        {"kind": "edit", "locations": [{"path": "src/a.py"}], "rawInput": {"file_path": "/etc/passwd"}},
        {"kind": "edit", "locations": [{"path": "src/a.py"}], "rawInput": {"other": ["x", {"deep": "/etc/passwd"}]}},
        {"kind": "edit", "locations": [{"path": "src/a.py"}], "rawInput": {"changes": {"/etc/passwd": {}}}},
        {"kind": "edit", "locations": [{"path": "src/a.py"}], "rawInput": {"x": "*** Update File: /etc/passwd\n+a"}},
        {
            "kind": "edit",
            "locations": [{"path": "src/a.py"}],
            "content": [{"type": "diff", "path": "b", "newText": ""}],
        },
        {"kind": "edit", "locations": [{"path": "src/a.py"}], "rawInput": {"command": "rm -rf /"}},
        {"kind": "edit", "locations": [{"path": "src/a.py"}], "rawInput": {"list": ["x"] * 500}},
        {"kind": "edit", "locations": [{"path": f"src/{n}"} for n in range(500)]},
        {"kind": "delete", "locations": [{"path": "src/a.py"}]},
        {"kind": ["edit"], "locations": [{"path": "src/a.py"}]},
        {"locations": [{"path": "src/a.py"}]},
        {"kind": "edit", "locations": {"path": "src/a.py"}},
    ],
)
def test_everything_that_a_request_names_must_be_allowed(by: Judge, call: Frame) -> None:
    assert by(IN_SRC, call) == "ask"


@pytest.mark.parametrize(
    "call",
    [
        {"kind": "edit", "content": [{"type": "diff", "path": "src/a.py", "oldText": "a", "newText": "b"}]},
        {"kind": "edit", "rawInput": {"file_path": "src/a.py", "old_string": "a", "new_string": "b"}},
        {"kind": "edit", "rawInput": {"filePath": "src/a.py", "content": "# a\n"}},
        {"rawInput": {"path": "src/a.py", "patch": "@@"}},
    ],
)
def test_agents_put_a_path_in_many_ways(by: Judge, call: Frame) -> None:
    assert by(IN_SRC, call) == "allow"


def test_a_read_that_brings_changes_or_a_command_is_no_read(by: Judge) -> None:
    reads = rule("allow", kind="read")
    assert by(reads, touch("x", "read")) == "allow"
    assert by(reads, {**touch("x", "read"), "content": [{"type": "diff", "path": "x", "newText": "y"}]}) == "ask"
    assert by(reads, {**touch("x", "read"), "rawInput": {"command": "rm x"}}) == "ask"


STATUS = rule("allow", command=["git status", "git log *", "cat src/*"])


@pytest.mark.parametrize(
    "command",
    [
        "git status", "git  status\n", "'git' \"status\"", "git log", "git log -3 --format='%h %s'", "cat src/a.py",
        ["git", "status"], ["bash", "-lc", "git status"], ["/bin/sh", "-c", "git log -1"],
    ],
)  # fmt: skip
def test_a_plain_command_is_known_word_by_word(by: Judge, command: Any) -> None:
    assert by(STATUS, run(command)) == "allow"


@pytest.mark.parametrize(
    "command",
    [
        "git status; rm -rf .", "git status && rm x", "git status || rm x", "git status | sh", "git status & rm x",
        "git status\nrm x", "git status\r\nrm x", "git log $(rm x)", "git log `rm x`", "git log <(rm x)", "git log > x",
        "git log \"$(rm x)\"", "git log ${IFS}x", "git log \\\n; rm x", "(git status)", "{ git status; }",
        "git log {a,b}", "PATH=. git status",
        "git status # x", "git log !!", "git log 'x", 'git log "x', "git log \"a!b\"", "git log *",
        "git log ~/x", "./git status", "/opt/git status", "GIT status", "git", "git statusx", "git status -s",
        "gi\\t status", "cat src/../../.ssh/id", "cat src/x/../../y", "cat src/a b", "git\u00a0status",
        "git status\x00", "",
        ["git", "status; rm x"], ["git", ""], ["git", 1], ["bash", "-c", "git status; rm x"], ["sh", "x", "git status"],
        ["/opt/bash", "-c", "git status"], ["bash", "-c", "git status", "x"], [["git", "status"]], {"x": "git status"},
    ],
)  # fmt: skip
def test_no_way_to_write_a_command_does_more_than_what_is_allowed(by: Judge, command: Any) -> None:
    assert by(STATUS, run(command)) == "ask"


@pytest.mark.parametrize(
    "more",
    [
        {"cmd": "rm x"}, {"args": ["-c", "x=y; z"]}, {"env": {"PATH": "."}}, {"cwd": "/etc"}, {"cwd": "../x"},
        {"shell": "/opt/evil"}, {"stdin": "rm x"}, {"nested": {"command": "rm x"}}, {"args": "x"},
    ],
)  # fmt: skip
def test_what_stands_beside_a_command_counts(by: Judge, more: Frame) -> None:
    assert by(STATUS, run("git status", **more)) == "ask"
    assert by(STATUS, run("git status", cwd="src", timeout=3, description="Look", shell="bash", env={})) == "allow"
    assert by(STATUS, run("git", args=["status"])) == "allow"


def test_a_rule_on_paths_allows_no_commands_and_one_on_commands_nothing_else(by: Judge) -> None:
    everywhere = rule("allow", path="**")
    assert by(everywhere, touch("x", "other")) == "allow"
    assert by(everywhere, {**run("rm -rf src"), "locations": [{"path": "src"}]}) == "ask"
    assert by(everywhere, {"kind": "execute", "locations": [{"path": "src"}]}) == "ask"
    assert (
        by(STATUS, {"kind": "edit", "locations": [{"path": "/etc/x"}], "rawInput": {"command": "git status"}}) == "ask"
    )


SECRETS = rule("never", path=["~/.ssh", ".env", "secrets/**"]) + rule("allow")


@pytest.mark.parametrize(
    "call",
    [
        touch("~/.ssh/id", "read"), touch("../.ssh/id", "read"), touch("../.SSH/ID", "read"), touch(".env"),
        touch("deep/er/.ENV"), touch("/srv/app/.env", "read"), touch("Secrets/x", "delete"), touch("src/key", "read"),
        run("cat ~/.ssh/id"), run("cat ../.ssh/id"), run("x; cat .env"), run("cat '.e'nv"), run("tool --file=.env"),
        run(["cat", ".env"]), {"kind": "other", "rawInput": {"from": "a", "to": "secrets/a"}},
        {"kind": "edit", "locations": [{"path": "src/a.py"}, {"path": ".env"}]},
    ],
)  # fmt: skip
def test_what_is_never_to_be_touched_is_rejected_however_it_is_written(by: Judge, home: Path, call: Frame) -> None:
    (home / "work" / "src" / "key").symlink_to(home / ".ssh" / "id")
    assert by(SECRETS, call) == "never"


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (touch("src/a.py"), "allow"),
        (run("make"), "allow"),
        ({"kind": "think"}, "allow"),
        ({"kind": "fetch", "rawInput": {"url": "https://host/.env"}}, "allow"),
        (run("cat $X"), "ask"),
        (run("bash run.sh"), "ask"),
        ({"kind": "execute", "title": "Run it"}, "ask"),
        ({"kind": "edit", "title": "Change something"}, "ask"),
        ({"kind": "read", "rawInput": {"note": "/srv/.env"}}, "ask"),
        (touch("src/$X"), "ask"),
        (touch(".", "delete"), "ask"),
        (touch("~", "search"), "ask"),
        ({"kind": "search", "rawInput": {"pattern": "key"}}, "ask"),
    ],
)
def test_what_may_be_meant_by_a_never_is_asked_and_not_allowed(by: Judge, call: Frame, answer: str) -> None:
    assert by(SECRETS, call) == answer


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("rm -rf x", "never"), ("/bin/rm x", "never"), ("cd x && \\rm -rf y", "never"), ("r''m x", "never"),
        ("echo a\nrm x", "never"), ("$(rm x)", "never"), ("sudo rm x", "never"), ("sudo -u x env A=b rm x", "never"),
        ("bash -c 'rm x'", "never"), ("find . -exec rm {} +", "never"), ("A=b rm x", "never"), ("RM x", "never"),
        (["bash", "-lc", "rm x"], "never"), ("git rm x", "allow"), ("ls", "allow"), ("python x.py", "allow"),
        ("eval $X", "ask"), ("$X y", "ask"), ("xargs x", "ask"), ("echo 'rm x", "ask"), ("x" * 30_000, "ask"),
    ],
)  # fmt: skip
def test_a_command_that_is_never_run_is_found_behind_what_hides_it(by: Judge, command: Any, answer: str) -> None:
    assert by(rule("never", command="rm *") + rule("allow"), run(command)) == answer


def test_never_wins_over_allow_and_allow_over_asking_in_any_order(by: Judge) -> None:
    rules = [rule("ask", kind="read"), rule("allow", kind="read"), rule("ask-here", kind=["read", "edit"])]
    never = rule("never", path="secret")
    for text in ("".join(rules) + never, never + "".join(reversed(rules))):
        assert by(text, touch("a", "read")) == "allow"
        assert by(text, touch("secret", "read")) == "never"
        assert by(text, touch("a", "edit")) == "ask-here"
    # Of those that ask, the first counts; what no rule speaks of is answered by `otherwise`.
    assert by(rule("ask", kind="read") + rule("ask-here"), touch("a", "read")) == "ask"
    assert by('otherwise = "never"\n' + rule("allow", kind="read"), touch("a")) == "never"
    assert by('otherwise = "allow"\n' + rule("never", path="secret"), touch("$x")) == "ask"
    assert by('otherwise = "allow"\n' + rule("never", path="secret"), touch("x")) == "allow"


def test_each_part_of_a_request_may_be_allowed_by_a_rule_of_its_own(by: Judge) -> None:
    two = rule("allow", kind="move", path="src/**") + rule("allow", kind="move", path="docs")
    assert by(two, {"kind": "move", "locations": [{"path": "src/a.py"}, {"path": "docs/a.md"}]}) == "allow"
    assert by(two, {"kind": "move", "locations": [{"path": "src/a.py"}, {"path": "other"}]}) == "ask"


def test_what_is_left_out_of_an_allow_is_asked(by: Judge) -> None:
    text = rule("allow", kind="edit", path=["**", "!.git", "!*.lock"])
    assert by(text, touch("src/a.py")) == "allow"
    assert by(text, touch(".GIT/hooks/x")) == by(text, touch("src/uv.lock")) == "ask"


def test_a_name_that_is_allowed_counts_only_in_the_work_directory(by: Judge, home: Path) -> None:
    text = rule("allow", kind="read", path="*.md") + rule("allow", kind="read", path=str(home / "shared"))
    assert by(text, touch("docs/deep/a.md", "read")) == by(text, touch("../shared/x", "read")) == "allow"
    assert by(text, touch("../a.md", "read")) == "ask"


def test_a_link_that_is_put_in_place_of_an_allowed_folder_leads_nowhere(by: Judge, home: Path) -> None:
    (home / "work" / "out").symlink_to("/etc")
    assert by(rule("allow", kind="read", path="out/**"), touch("out/passwd", "read")) == "ask"
    text = rule("allow", kind="read", path=str(home / "shared"))
    policy = Policy.of(read_text(text))
    (home / "shared").symlink_to("/etc")
    assert judge(policy, touch(str(home / "shared" / "passwd"), "read"), absolute(str(home))).answer == "ask"


def test_the_connectors_own_keys_are_never_touched(base: Place) -> None:
    policy = Policy.of(PolicyFile(), "all")
    for call in (touch("~/.config/clawgroups/keys.json", "read"), run("cat ../.config/clawgroups/keys.json")):
        assert judge(policy, call, base).answer == "never"


def test_without_a_work_directory_only_absolute_paths_are_clear() -> None:
    policy = Policy.of(read_text(rule("allow", kind="read", path=["/srv", "src"])))
    assert judge(policy, touch("/srv/x", "read"), None).answer == "allow"
    assert judge(policy, touch("src/x", "read"), None).answer == "ask"


def test_a_rule_may_be_for_one_agent(base: Place) -> None:
    file = read_text(rule("allow", agent=["kimi*", "Ana's"]))
    asked = [judge(Policy.of(file.of(*names)), touch("x"), base).answer for names in (("", "kimi-cli"), ("ana's", "x"))]
    assert asked == ["allow", "allow"]
    assert judge(Policy.of(file.of("other", "")), touch("x"), base).answer == "ask"


NO, ONCE, ALWAYS = ({"optionId": kind, "kind": kind} for kind in ("reject_once", "allow_once", "allow_always"))
NEVER = {"optionId": "reject_always", "kind": "reject_always"}


@pytest.mark.parametrize(
    ("answer", "options", "option"),
    [
        ("allow", [ALWAYS, "odd", {"optionId": 7, "kind": "allow_once"}, ONCE, NO], "allow_once"),
        ("allow", [ALWAYS, NO], None),
        ("allow", [ONCE, {**ONCE, "optionId": "other answer"}], None),
        ("allow", [ONCE, {**NO, "optionId": "allow_once"}], None),
        ("allow", None, None),
        ("never", [ONCE, NEVER, NO], "reject_once"),
        ("never", [ONCE, NEVER], "reject_always"),
        ("never", [NO, {**NO, "optionId": "with words"}], "reject_once"),
        ("never", [ONCE, {**NO, "optionId": "allow_once"}], None),
        ("never", [ONCE], None),
        ("never", [], None),
    ],
)
def test_an_option_is_chosen_by_its_kind_where_that_is_beyond_doubt(
    answer: Any, options: Any, option: str | None
) -> None:
    found = chosen(answer, options)
    assert (found and found["optionId"]) == option


@pytest.mark.parametrize(
    ("allow", "call", "options", "option"),
    [
        ("ask", {"kind": "read"}, [ONCE], None),
        ("reads", {"kind": "read"}, [ALWAYS, ONCE], "allow_once"),
        ("reads", {"kind": "fetch"}, [ONCE], None),
        ("reads", {}, [ONCE], None),
        ("reads", {"kind": "read"}, [ALWAYS], None),
        ("all", {"kind": "delete"}, [ALWAYS, ONCE], "allow_once"),
        ("all", {}, [ALWAYS], "allow_always"),
        ("all", {}, [NO], None),
    ],
)
def test_the_short_forms_mean_what_they_say(allow: str, call: Frame, options: Any, option: str | None) -> None:
    policy = Policy.of(PolicyFile(), allow)
    verdict = judge(policy, call, None)
    found = chosen("allow", options, remembers=policy.remembers) if verdict.answer == "allow" else None
    assert (found and found["optionId"]) == option


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[rule]", "not TOML"),
        ("[[rule]]", "rule 1 has no answer"),
        ('[[rule]]\nanswer = "maybe"', "'maybe' is no answer"),
        ('[[rule]]\nanswer = "allow"\nkinds = "read"', "has 'kinds'"),
        ('[[rule]]\nanswer = "allow"\nkind = "reed"', "no kind 'reed'"),
        ('[[rule]]\nanswer = "allow"\npath = 3', "a text, or a list"),
        ('[[rule]]\nanswer = "allow"\npath = []', "a text, or a list"),
        ('[[rule]]\nanswer = "allow"\npath = "a/../b"', "has .. in it"),
        ('[[rule]]\nanswer = "allow"\npath = "!a"', "only leaves paths out"),
        ('[[rule]]\nanswer = "allow"\npath = "a"\ncommand = "b"', "one rule for each"),
        ('[[rule]]\nanswer = "allow"\ncommand = "a; b"', "more than one plain command"),
        ('[[rule]]\nanswer = "allow"\ncommand = "a \'b"', "without an end"),
        ('[[rule]]\nanswer = "allow"\ncommand = "*"', "names no program"),
        ('rule = "allow"', "[[rule]]"),
        ("patience = 0", "from 1 to 3600"),
        ("patience = true", "from 1 to 3600"),
        ('otherwise = "yes"', "'yes' is no answer"),
        ("version = 2", "the file has 'version'"),
        (rule("ask") * 201, "more than 200 rules"),
    ],
)
def test_a_policy_with_a_mistake_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(BadPolicy) as refused:
        read_text(text)
    assert words in str(refused.value)


def test_what_the_workspace_is_told_is_what_is_written_and_bounded() -> None:
    policy = Policy.of(read_text(rule("never", path="~/.ssh") + rule("allow", command="git *", agent="x")), "reads")
    assert policy.told() == {
        "rules": [
            {"answer": "never", "path": ["~/.ssh"]},
            {"answer": "allow", "command": ["git *"]},
            {"answer": "allow", "kind": ["read", "search", "think"]},
        ],
        "more": 0,
        "otherwise": "ask",
    }
    many = Policy.of(read_text(rule("never", path=["x" * 4000]) * 100)).told()
    assert (len(many["rules"]), len(many["rules"]) + many["more"]) == (4, 100)
