"""An agent's life as its owner and its team see it: it comes in by the copied line, works, and is taken away again."""

from __future__ import annotations

import time
from collections.abc import Callable

from agents.connector import exits
from tests.rig.trial import SLOW, NotItsWay, Trial, said_by
from tests.stories.installation import command_of
from tests.stories.waiting import until

NEWCOMER = 120.0
"""Seconds that somebody who has only the web page may need."""
LOST = 20.0
"""Seconds within which a connection that is gone is shown as gone."""


def joins(trial: Trial) -> str:
    """The copied line was run with an empty home: the lamp is on, the key is in a file of its owner's only."""
    agent = trial.agent
    trial.person.sees_the_light(agent.name, shot=agent.name)
    whole = time.monotonic() - agent.wanted
    kept = [path.relative_to(agent.home).as_posix() for path in agent.settings.iterdir()]
    assert sorted(kept) == [".config/clawgroups/agents.json", ".config/clawgroups/keys.json"], kept
    assert (agent.settings / "keys.json").stat().st_mode & 0o777 == 0o600
    assert not agent.has_key_in_a_command_line()
    assert whole < NEWCOMER, f"{whole:.0f} s from the first page to the light"
    return (
        f"{agent.told()['announced'].get('version') or 'no version'}, {agent.took:.1f} s; {whole:.0f} s with the pages"
    )


def files(trial: Trial) -> str:
    """A file comes with the task, and others come out of it."""
    manner = trial.manner
    work = trial.give("Take a file and give one", manner.takes, files=manner.given)
    task = work.finish()
    (name,) = manner.given
    assert [path.read_bytes() for path in trial.agent.work.glob(f"*/{name}")] == [manner.given[name]]
    told = task["attempts"][0]["transcript"]
    # Gemini CLI says that it has read a file, and nothing of what stands there.
    reads = [item for item in told if item["kind"] == "step" and item["tool"] == "read"]
    assert manner.shows in trial.agent.script.json(told) or [one["status"] for one in reads] == ["completed"], told
    made = sorted(one["name"] for one in task["artifacts"] if one["kind"] == "result")
    assert set(manner.makes) <= set(made), work.words()
    return f"{name} in; {len(made)} out" if made else f"{name} in; makes none"


def by_phone(trial: Trial) -> str:
    """It asks before it acts; a person answers on a phone, once yes and once no."""
    manner = trial.manner
    if not manner.asks:
        raise NotItsWay(manner.why_not)
    if not manner.markers:
        for kind in ("allow_once", "reject_once"):
            work = trial.give(f"Ask, and be told {kind}", manner.talks)
            work.answer(kind, by_phone=True)
            work.state("done")
        return "allowed and refused"
    work = trial.give("Write two files", "[[WRITE yes.txt allowed]] [[WRITE no.txt refused]] [[TEXT both tried]]")
    work.answer("allow_once", by_phone=True)
    work.answer("reject_once", by_phone=True)
    task = work.state("done")
    made = [one["name"] for one in task["artifacts"] if one["kind"] == "result"]
    steps = [item["status"] for item in task["attempts"][0]["transcript"] if item["kind"] == "step"]
    assert made == ["yes.txt"], work.words()
    return "allowed and refused" if len(steps) == 2 else f"calls {steps}"


def taken_over(trial: Trial) -> str:
    """A person takes over in the middle of the turn, on a phone, edits the draft, and hands back."""
    manner, script = trial.manner, trial.agent.script
    work = trial.talk(long=True)
    path = work.path
    trial.person.takes_over(trial.agent.workspace, work.task["id"], shot=trial.agent.name)
    took = work.stopped(1)
    draft = script.get(path)["draft"]["text"]
    assert manner.mark in draft, draft[:300]
    script.post(f"{path}/draft", {"text": f"{draft}\n\nA person wrote this sentence."})
    script.post(f"{path}/handback", {"note": "[[RESET]] Keep my sentence."})
    task = work.finish(seconds=120)
    last = task["attempts"][-1]
    assert last["acknowledgement"].strip(), work.words()
    if not manner.markers:
        return f"stopped in {took:.1f} s, acknowledged, went on in its way"
    assert "A person wrote this sentence." in last["result"], work.words()
    return f"stopped in {took:.1f} s, acknowledged, went on"


def line_cut(trial: Trial) -> str:
    """The way to the server is cut in the middle of a turn, until everybody sees that the agent is gone."""

    def cut() -> None:
        trial.way.cut()
        try:
            until(lambda: not trial.agent.online, seconds=LOST, what="the loss of the connection")
        finally:
            trial.way.heal()

    return _outlives(trial, cut)


def server_killed(trial: Trial) -> str:
    """The web server is killed in the middle of a turn."""

    def kill() -> None:
        killed = trial.product.kill("web")
        trial.product.returned("web", killed)
        trial.agent.script.reachable()

    return _outlives(trial, kill)


def server_restarted(trial: Trial) -> str:
    """The whole installation is stopped in good order in the middle of a turn, and started again."""

    def restart() -> None:
        assert trial.product.stop() == 0
        trial.product.start()
        trial.agent.script.reachable()

    return _outlives(trial, restart)


def _outlives(trial: Trial, disturb: Callable[[], None]) -> str:
    """The turn is finished by the programs that began it: in one attempt, with no word lost and none twice."""
    if not trial.manner.talks:
        disturb()
        until(lambda: trial.agent.online, seconds=SLOW, what="the return")
        trial.give("Do the next task", trial.manner.takes, files=trial.manner.given).finish()
        return f"came back and did the next task ({trial.manner.why_not})"
    work = trial.talk()
    before = trial.agent.pipeline()
    disturb()
    (attempt,) = work.finish(seconds=120)["attempts"]
    said = said_by(attempt)
    assert trial.whole(said), said
    assert trial.agent.pipeline() == before, (before, trial.agent.pipeline())
    return "one attempt, every word once, same process"


def removed(trial: Trial) -> str:
    """Its seat is taken away, then it is retired: the connector ends as documented, and nothing of it goes on."""
    agent = trial.agent
    trial.person.unseats(agent.workspace, agent.told()["handle"], shot=agent.name)
    assert agent.online, "the loss of one seat ended the connection"
    below = agent.processes()
    trial.person.retires(agent.id, shot=agent.name)
    code, said = agent.ended(30), agent.log()
    assert code == exits.REFUSED, (code, said[-500:])
    gone = "the server refused the key: The agent was retired. Its key is no longer kept here; what it worked on"
    assert gone in said, said[-500:]
    assert not (agent.settings / "keys.json").exists()
    until(lambda: not any(map(command_of, below)), seconds=10, what="the end of the agent's processes")
    code, said = agent.again()
    assert code == exits.USAGE, (code, said)
    assert "no agent has been connected from here yet" in said, said
    return "ends with 3 and says why; no key, no process is left"
