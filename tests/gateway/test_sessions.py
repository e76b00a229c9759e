"""Sessions of agents: how they are set up before work, gone on with after a restart, and closed."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID, uuid4

import pytest

from agents.models import Agent
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.gateway.pump import Pump
from clawgroups.gateway.reads import Look
from clawgroups.gateway.switchboard import switchboard
from clawgroups.models import Approval, Command, Session, Step, Task
from clawgroups.services import agent_requests, approvals, review, runs, session_options, tasks
from clawgroups.services.files import store
from clawgroups.services.perform import perform, perform_async, read_async
from tests.conftest import Team
from tests.gateway.support import Frame, Socket, connected, new_key, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)

MODES = {
    "modes": {
        "currentModeId": "yolo",
        "availableModes": [{"id": "default", "name": "Ask"}, {"id": "yolo", "name": "Do it"}],
    }
}
MODEL = {
    "id": "model",
    "name": "Model",
    "category": "model",
    "type": "select",
    "currentValue": "small",
    "options": [{"value": "small", "name": "Small"}, {"value": "large", "name": "Large"}],
}
RESUMES: Frame = {"agentCapabilities": {"sessionCapabilities": {"resume": {}, "close": {}, "list": {}}}}
LOADS = {"agentCapabilities": {"loadSession": True}}


@pytest.fixture
def key(team: Team) -> str:
    return new_key(team)[0]


def methods(agent: Socket) -> list[str]:
    return [frame["method"] for frame in agent.heard if "id" in frame and "method" in frame]


def told(task: Task) -> dict[str, Any]:
    return dict(Session.objects.filter(task=task).latest("opened_at").told)


async def told_of(task: Task, key: str) -> Any:
    """What the session of a task tells under `key`, once it does."""
    return (await until_row(lambda: told(task), lambda now: key in now))[key]


async def test_a_mode_that_asks_is_set_and_answered_before_the_work_is_prompted(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key, opening=MODES, capabilities=RESUMES) as agent:
        setting = await agent.asked("session/set_mode")
        assert setting["params"]["modeId"] == "default"
        # It comes after the prompt in the order of what is owed, so the prompt was looked at and held back.
        await perform_async(agent_requests.list_sessions, team.agents["scribe"].pk, actor=team.actor("ada"))
        await agent.asked("session/list")
        assert "session/prompt" not in methods(agent)
        agent.say({"id": setting["id"], "result": {}})
        await agent.asked("session/prompt")
        options = (await read_async(told, task))["options"]
        assert options[0]["value"] == "default"


async def test_an_agent_that_refuses_a_mode_works_all_the_same_and_the_refusal_is_shown(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    refusing: dict[str, Frame] = {"session/set_mode": {"error": {"code": -32602, "message": "not now"}}}
    async with connected(key, opening=MODES, answers=refusing) as agent:
        await agent.asked("session/prompt")
        assert (await told_of(task, "refused")) == {"mode": "not now"}


async def test_what_the_owner_prefers_is_set_in_a_new_session(team: Team, key: str) -> None:
    scribe = team.agents["scribe"]
    offering = {"configOptions": [MODEL]}
    answers: dict[str, Frame] = {"session/set_config_option": {"result": {"configOptions": [MODEL]}}}
    async with connected(key, opening=offering, answers=answers) as agent:
        await read_async(team.assigned)
        await agent.asked("session/prompt")
        assert "session/set_config_option" not in methods(agent)
        await until_row(lambda: Agent.objects.get(pk=scribe.pk).offered)
        wanted = {"model": "large", "ghost": ""}
        await perform_async(session_options.set_preferences, scribe.pk, values=wanted, actor=team.actor("ada"))
        with pytest.raises(Invalid):
            await perform_async(
                session_options.set_preferences, scribe.pk, values={"model": "huge"}, actor=team.actor("ada")
            )
        await read_async(team.assigned)
        setting = await agent.asked("session/set_config_option")
        assert setting["params"]["value"] == "large"
        await agent.asked("session/prompt", 2)


async def test_a_member_chooses_the_model_of_a_session_but_only_its_owner_lets_it_act_unasked(
    team: Team, key: str
) -> None:
    task = await read_async(team.assigned)
    offering = {"configOptions": [MODEL, {**MODEL, "id": "m", "category": "mode", "currentValue": "small"}]}
    async with connected(key, opening=offering) as agent:
        first = await agent.asked("session/set_config_option")
        agent.say({"id": first["id"], "result": {"configOptions": [MODEL, *MODES_AS_OPTION]}})
        await agent.asked("session/prompt")
        bob, ada = team.actor("bob"), team.actor("ada")
        await perform_async(session_options.set_option, task.pk, option="model", value="large", actor=bob)
        setting = await agent.asked("session/set_config_option", 2)
        agent.say({"id": setting["id"], "result": {"configOptions": [{**MODEL, "currentValue": "large"}]}})
        await until_row(lambda: told(task)["options"][0]["value"], lambda value: value == "large")
        agent.update(setting["params"]["sessionId"], "config_option_update", configOptions=MODES_AS_OPTION)
        await until_row(lambda: told(task)["options"][0]["id"], lambda option: option == "mode")
        for actor in (bob, team.actor("gus")):
            with pytest.raises(Forbidden):
                await perform_async(session_options.set_option, task.pk, option="mode", value="yolo", actor=actor)
        await perform_async(session_options.set_option, task.pk, option="mode", value="yolo", actor=ada)
        await agent.asked("session/set_config_option", 3)
        assert (await read_async(team.journal)).count("session.option_set") == 2


MODES_AS_OPTION = [
    {
        "id": "mode",
        "name": "Mode",
        "category": "mode",
        "type": "select",
        "currentValue": "default",
        "options": [{"value": "default", "name": "Ask"}, {"value": "yolo", "name": "Do it"}],
    }
]


async def test_what_a_session_tells_beside_its_work_is_kept_and_shown(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        agent.update(session, "usage_update", used=53_000, size=200_000, cost={"amount": 0.12, "currency": "USD"})
        agent.update(session, "session_info_update", title="Sales, in depth")
        agent.update(session, "available_commands_update", availableCommands=[{"name": "plan"}])
        assert (await told_of(task, "commands"))[0]["name"] == "plan"
        assert (await told_of(task, "usage"))["used"] == 53_000
        assert (await told_of(task, "title")) == "Sales, in depth"


async def test_an_agent_that_was_restarted_goes_on_in_its_stored_session_and_its_replay_is_not_told_twice(
    team: Team, key: str
) -> None:
    task = await read_async(team.assigned)
    async with connected(key, capabilities=RESUMES) as before:
        first = await before.asked("session/prompt")
        before.chunk(first["params"]["sessionId"], "Half of it.", message="m1")
        await until_row(lambda: texts(task))
    answers: dict[str, Frame] = {"session/resume": {"result": {}}}
    async with connected(key, capabilities=RESUMES, answering=True) as after:
        await task_state(task, "ready")
        await read_async(give_again, team, task)
        resuming = await after.asked("session/resume")
        old = first["params"]["sessionId"]
        assert resuming["params"]["sessionId"] == old
        assert resuming["params"]["mcpServers"] == []
        after.chunk(old, "Half of it.", message="m1")
        after.update(old, "usage_update", used=1, size=2)
        after.say({"id": resuming["id"], **answers["session/resume"]})
        prompt = await after.asked("session/prompt")
        assert prompt["params"]["sessionId"] == old
        after.chunk(old, "The other half.")
        after.end_turn(prompt)
        await task_state(task, "in_review")
        assert await read_async(texts, task, "text", 2) == [("The other half.", False)]
        assert (await told_of(task, "usage")) == {"used": 1, "size": 2}
        assert await read_async(Session.objects.filter(task=task).count) == 1


async def test_a_history_that_goes_on_behind_the_answer_to_load_gets_into_no_later_turn(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key, capabilities=LOADS) as before:
        first = await before.asked("session/prompt")
    async with connected(key, capabilities=LOADS, answering=True) as after:
        await task_state(task, "ready")
        await read_async(give_again, team, task)
        loading = await after.asked("session/load")
        old = first["params"]["sessionId"]
        after.update(old, "user_message_chunk", content={"type": "text", "text": "Analyse the sales."})
        after.say({"id": loading["id"], "result": MODES})
        setting = await after.asked("session/set_mode")
        # What Gemini CLI does: its history is still on its way when it has answered.
        after.chunk(old, "Half of it, as told before.")
        after.update(old, "tool_call", toolCallId="t1", title="Read the file", status="completed")
        after.say({"id": setting["id"], "result": {}})
        prompt = await after.asked("session/prompt")
        after.chunk(old, "The other half.")
        after.end_turn(prompt)
        await task_state(task, "in_review")
        assert await read_async(texts, task, "text", 2) == [("The other half.", False)]
        assert not await read_async(Step.objects.filter(attempt__task=task).exists)


async def test_a_look_that_is_too_old_makes_no_history_of_a_turn(
    team: Team, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = await read_async(team.assigned)
    settled: list[UUID] = []
    settle = Pump.settle

    def noted(pump: Pump, command_id: UUID) -> Command | None:
        settled.append(command_id)
        return settle(pump, command_id)

    monkeypatch.setattr(Pump, "settle", noted)
    async with connected(key, capabilities=LOADS) as before:
        await before.asked("session/prompt")
    async with connected(key, capabilities=LOADS, answers={"session/load": {"result": {}}}) as after:
        await task_state(task, "ready")
        await read_async(give_again, team, task)
        prompt = await after.asked("session/prompt")
        stale = await read_async(lambda: Command.objects.get(method="session/load"))
        stale.state = "open"
        (line,) = switchboard().lines()
        line.looked(Look(owed=(stale,)))
        # It is found to have been sent before.
        await until_row(lambda: settled.count(stale.pk), lambda times: times == 2)
        after.chunk(prompt["params"]["sessionId"], "The whole of it.")
        after.end_turn(prompt)
        await task_state(task, "in_review")
        assert await read_async(texts, task, "text", 2) == [("The whole of it.", False)]


async def test_a_question_of_a_restarted_agent_is_a_new_one_though_it_counts_from_nought_again(
    team: Team, key: str
) -> None:
    task = await read_async(team.assigned)
    bob = await read_async(team.actor, "bob")
    async with connected(key, capabilities=RESUMES) as before:
        first = await before.asked("session/prompt")
        session = first["params"]["sessionId"]
        before.ask(session, 0)
        [asked] = await until_row(lambda: list(Approval.objects.filter(task=task)))
        await perform_async(approvals.decide_approval, asked.pk, option_id="yes", actor=bob)
        await before.answered(0)
    resumed: dict[str, Frame] = {"session/resume": {"result": {}}}
    async with connected(key, capabilities=RESUMES, answers=resumed) as after:
        await task_state(task, "ready")
        await read_async(give_again, team, task)
        prompt = await after.asked("session/prompt")
        assert prompt["params"]["sessionId"] == session
        after.ask(session, 0)
        [again] = await until_row(lambda: list(Approval.objects.filter(task=task, state="open")))
        assert again.attempt_id != asked.attempt_id
        await perform_async(approvals.decide_approval, again.pk, option_id="no", actor=bob)
        got = await after.answered(0)
        assert got["result"] == {"outcome": {"outcome": "selected", "optionId": "no"}}


def give_again(team: Team, task: Task) -> None:
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))


async def test_an_agent_that_lost_its_session_begins_anew_and_that_is_said(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key, capabilities=LOADS) as before:
        await before.asked("session/prompt")
    lost: dict[str, Frame] = {"session/load": {"error": {"code": -32002, "message": "no such session"}}}
    async with connected(key, capabilities=LOADS, answers=lost) as after:
        await task_state(task, "ready")
        await read_async(give_again, team, task)
        await after.asked("session/load")
        prompt = await after.asked("session/prompt")
        assert prompt["params"]["sessionId"] == f"{after.link}-1"
        assert (await told_of(task, "began_anew")) == "no such session"
        after.chunk(f"{after.link}-1", "All of it.")
        after.end_turn(prompt)
        await task_state(task, "in_review")


async def test_a_session_that_is_over_is_closed_where_the_agent_can_do_that(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key, capabilities=RESUMES) as agent:
        prompt = await agent.asked("session/prompt")
        agent.chunk(prompt["params"]["sessionId"], "Done.")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        await perform_async(review.accept_task, task.pk, actor=team.actor("ada"))
        closing = await agent.asked("session/close")
        assert closing["params"] == {"sessionId": prompt["params"]["sessionId"]}
        agent.say({"id": closing["id"], "result": {}})
        await until_row(lambda: Command.objects.get(pk=closing["id"]).state, lambda state: state == "answered")


async def test_an_agent_that_needs_a_login_is_signed_in_by_its_owner_and_gets_work_again(team: Team, key: str) -> None:
    scribe = team.agents["scribe"]
    methods_ = [{"id": "key", "name": "By key"}, {"id": "tty", "name": "Terminal", "type": "terminal", "args": ["-l"]}]
    announced = {**RESUMES, "authMethods": methods_}
    async with connected(key, capabilities=announced, answering=False) as agent:
        greeting = await agent.asked("initialize")
        agent.say({"id": greeting["id"], "result": {"protocolVersion": 1, **announced}})
        await read_async(team.assigned)
        opening = await agent.asked("session/new")
        agent.say({"id": opening["id"], "error": {"code": -32000, "message": "Log in first"}})
        await until_row(lambda: Agent.objects.get(pk=scribe.pk).announced, lambda said: "needs_login" in said)
        ada = team.actor("ada")
        for method in ("tty", "ghost"):
            with pytest.raises(Invalid):
                await perform_async(agent_requests.sign_in, scribe.pk, method=method, actor=ada)
        await perform_async(agent_requests.sign_in, scribe.pk, method="key", actor=ada)
        asked = await agent.asked("authenticate")
        assert asked["params"] == {"methodId": "key"}
        with pytest.raises(Conflict):
            await perform_async(agent_requests.sign_in, scribe.pk, method="key", actor=ada)
        agent.say({"id": asked["id"], "result": {}})
        await until_row(lambda: Agent.objects.get(pk=scribe.pk).announced, lambda said: "needs_login" not in said)


async def test_an_agent_says_which_sessions_it_has_stored(team: Team, key: str) -> None:
    scribe, ada = team.agents["scribe"], team.actor("ada")
    listed = {"sessions": [{"sessionId": "s1", "cwd": "/x", "title": "Old work"}]}
    async with connected(key, capabilities=RESUMES, answers={"session/list": {"result": listed}}) as agent:
        await until_row(lambda: Agent.objects.get(pk=scribe.pk).announced.get("list_sessions"))
        await perform_async(agent_requests.list_sessions, scribe.pk, actor=ada)
        await agent.asked("session/list")
        found = await until_row(lambda: agent_requests.latest(scribe.pk, "list", "answered"))
        assert found is not None
        assert found.answer["result"] == listed


async def test_a_child_session_is_a_step_of_its_parent_and_its_words_are_no_result(team: Team, key: str) -> None:
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        prompt = await agent.asked("session/prompt")
        session = prompt["params"]["sessionId"]
        agent.update(session, "subagent_update", sessionId="child", title="Reader", state={"state": "running"})
        agent.update("child", "tool_call", toolCallId="c1", title="Read it", kind="read", status="completed")
        agent.chunk("child", "I read it.", message="m")
        agent.update("child", "subagent_update", sessionId="grandchild", title="Counter", state={"state": "idle"})
        agent.update("grandchild", "tool_call", toolCallId="c1", title="Count it", status="completed")
        agent.update("grandchild", "usage_update", used=1, size=2)
        agent.update(session, "subagent_update", sessionId="child", state={"state": "idle", "stopReason": "end_turn"})
        agent.chunk(session, "It says 42.")
        agent.end_turn(prompt)
        await task_state(task, "in_review")
        done = await read_async(lambda: list(Step.objects.filter(attempt__task=task).values_list("title", "status")))
        names = ["Count it", "Counter", "Read it", "Reader"]
        assert sorted(done) == [(name, "completed") for name in names]
        assert "usage" not in await read_async(told, task), "a child's context is not its parent's"
        assert await read_async(texts, task) == [("It says 42.", False)]
        assert await read_async(texts, task, "thought") == [("I read it.", False)]


def with_files(team: Team) -> Task:
    """A task of a run that was given a picture, a note and a program."""
    given = [
        store([b"\x89PNG picture"], name="chart.png", content_type="image/png"),
        store([b"a,b\n1,2\n"], name="data.csv", content_type="text/csv"),
        store([b"\x7fELF\x00\x01"], name="tool.bin", content_type="application/octet-stream"),
    ]
    plan = [{"key": "write", "title": "Write it up", "skills": ["writing"]}]
    outcome = perform(
        runs.draft_run, team.workspace.pk, goal="Look at it", plan=plan, inputs=given, actor=team.actor("ada")
    )
    run = UUID(outcome.answer["id"])
    perform(runs.start_run, run, actor=team.actor("ada"))
    task = Task.objects.get(run=run)
    give_again(team, task)
    return task


@pytest.mark.parametrize("is_connector", [True, False])
async def test_pictures_texts_and_links_go_along_as_the_agent_can_take_them(
    team: Team, key: str, is_connector: bool
) -> None:
    able = {"agentCapabilities": {"promptCapabilities": {"image": True, "embeddedContext": True}}}
    await read_async(with_files, team)
    async with connected(key, link=uuid4(), is_connector=is_connector, capabilities=able) as agent:
        prompt = await agent.asked("session/prompt")
        blocks = {block["type"]: block for block in prompt["params"]["prompt"]}
        assert base64.b64decode(blocks["image"]["data"]) == b"\x89PNG picture"
        links = [block["uri"] for block in prompt["params"]["prompt"] if block["type"] == "resource_link"]
        if is_connector:
            assert links == ["chart.png", "data.csv", "tool.bin"]
            assert "resource" not in blocks
        else:
            assert blocks["resource"]["resource"]["text"] == "a,b\n1,2\n"
            assert [uri.rsplit("/", 1)[1] for uri in links] == ["chart.png", "tool.bin"]
            assert all(uri.startswith("http") for uri in links)
