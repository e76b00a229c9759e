"""Every view of the product, with everything that has to stand there, for whoever draws or walks through them all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.stories.installation import Installation
from tests.stories.sales import generate
from tests.stories.script import Script
from tests.stories.waiting import until

# Put together, so that nobody takes it for a folder of some machine.
MY_WORK = "/{}/".format("work")
SIZES = {"1440": (1440, 900), "390": (390, 844)}
GATHER = """
import json
from clawgroups.models import Artifact, Task
from tests.browser.crowd import gather
made = gather(agents=AGENTS, tasks=TASKS)
states = ("waiting", "working", "held", "in_review", "done", "failed", "stuck")
found = {s: Task.objects.filter(run=made.run, state=s).first() for s in states}
file = Artifact.objects.filter(run=made.run, kind="result").first()
print(json.dumps({"workspace": str(made.workspace), "run": str(made.run), "file": str(file.pk) if file else "",
    "tasks": {s: str(t.pk) for s, t in found.items() if t}}))
"""


@dataclass(frozen=True)
class View:
    """A page under the name by which it stands on the sheet."""

    name: str
    address: str
    part: str = ""
    """What a phone shows of it, where that is not its top: a fragment."""
    is_narrow: bool = False
    """Whether only a phone has it as a view of its own."""
    doing: Callable[[Page], object] | None = None
    """What is done on the page before it stands as it is shown: something is opened, refused or cut off."""


@dataclass(frozen=True)
class Figures:
    """A run of the three built-in agents, which takes them half a minute."""

    script: Script
    workspace: str
    run: str

    def done(self) -> Figures:
        """Wait for its end."""
        until(lambda: self.script.get(f"/api/v1/runs/{self.run}")["state"] == "done", seconds=120, what="the run's end")
        return self


def figures(script: Script) -> Figures:
    """Have a goal worked on, in a workspace with a long name in which something was said."""
    workspace, sales = (
        script.workspace("Quarterly figures for the branches in the north and the south"),
        generate(20_261),
    )
    said = {"body": "Please keep it short: `units`, **revenue**, and a chart."}
    script.post(f"/api/v1/workspaces/{workspace}/messages", said)
    goal = "Which region sells best, and how did revenue develop?"
    return Figures(script, workspace, script.give(workspace, goal, sales.name, sales.content()))


def views(claw: Installation, script: Script, done: Figures, *, agents: int = 300, tasks: int = 600) -> list[View]:
    """What there is to look at; makes everything that has to stand there, a crowd of so many agents among it."""
    quiet = script.workspace("Nothing here yet")
    busy, run = done.workspace, done.run
    sales = generate(20_261)
    planned = script.workspace("Next quarter")
    path = f"/api/v1/workspaces/{planned}/runs"
    plan = script.upload(path, {"goal": "Which product shall we push?"}, [(sales.name, sales.content())]).json["id"]
    until(lambda: script.get(f"/api/v1/runs/{plan}")["state"] == "proposed", seconds=60, what="the plan")
    told = GATHER.replace("AGENTS", str(agents)).replace("TASKS", str(tasks))
    crowd = json.loads(claw.manage("shell", "-c", told).splitlines()[-1])
    room, small = f"/w/{crowd['workspace']}/", f"/w/{busy}/"
    many, figured = f"{room}runs/{crowd['run']}/", f"{small}runs/{run}/"
    report = script.task(run, "report")["id"]
    agent = script.post("/api/v1/agents", {"name": "A new hand"})["id"]
    code = script.post(f"/api/v1/agents/{agent}/enrolment", {"launcher": "kimi"})["code"]
    agent = script.get("/api/v1/agents")["items"][0]["id"]
    kinds = ("board", "graph", "timeline", "fleet", "list")
    return [
        View("workspaces", "/"),
        View("templates", f"/templates/?w={quiet}"),
        View("template, form", f"/templates/landing-pages/?w={quiet}"),
        View("template, nobody there", "/templates/perspectives/"),
        View("workspace, empty", f"/w/{quiet}/"),
        View("workspace, done", small),
        View("workspace, 300 agents", room),
        View("workspace, its run", small, "#now", is_narrow=True),
        View("workspace, its team", room, "#around", is_narrow=True),
        View("plan to check", f"/w/{planned}/runs/{plan}/"),
        *(View(f"{kind}, small run", f"{figured}view/{kind}/", f"#run-view-{run}") for kind in kinds),
        *(View(f"{kind}, 300 agents", f"{many}view/{kind}/", f"#run-view-{crowd['run']}") for kind in kinds),
        *(View(f"task, {state}", f"{room}tasks/{pk}/") for state, pk in crowd["tasks"].items()),
        View("task, done by an agent", f"{small}tasks/{report}/"),
        View("receipt", f"{small}tasks/{report}/receipt/"),
        View("story", f"{small}tasks/{report}/story/"),
        View("files of a run", f"{figured}files/"),
        *([View("a file", f"{room}files/{crowd['file']}/")] if crowd["file"] else []),
        View("files of a workspace", f"{small}files/"),
        View("runs", f"{small}runs/"),
        View("run, done", figured),
        View("messages", f"{room}messages/"),
        View("deadlines", f"{small}deadlines/"),
        View("answers", f"{small}answers/"),
        View("answers-new", f"{small}answers/new/"),
        View("audit trail", f"{small}audit/?verify=1"),
        View("threads", f"{room}threads/"),
        View("search", f"{room}search/?q=report"),
        View("members", f"{room}members/"),
        View("needs you", "/needs-you/"),
        View("my work", MY_WORK),
        View("agents", "/agents/"),
        View("agent", f"/agents/{agent}/"),
        View("new agent", "/agents/new/"),
        View("connect an agent", f"/agents/{agent}/connect/"),
        View("a line", f"/join/{code}/"),
        View("a line that is not known", "/join/0000-0000-0000-0000/"),
        View("go anywhere", "/go/?q=report"),
        View("style page", "/style/"),
        View("me", "/me/"),
        View("notices", "/me/notices/"),
        View("not found", "/nowhere/"),
    ]


def aside(script: Script, done: Figures) -> list[View]:
    """Pages that few look at, on sheets of their own: forms, settings, lists, the administration."""
    small, run = f"/w/{done.workspace}/", f"/w/{done.workspace}/runs/{done.run}/"
    task = f"{small}tasks/{script.task(done.run, 'report')['id']}/"
    mine = script.post("/api/v1/agents", {"name": "Of mine"})["id"]
    return [
        *(View(name, f"{small}{name}/") for name in ("coordinator", "choices", "memory", "stop", "invitations")),
        View("profile", f"{small}members/me/"),
        *(View(f"run, {name}", f"{run}{name}/") for name in ("share", "model-calls", "stop", "plan/change")),
        *(View(f"task, {name}", f"{task}{name}/") for name in ("match", "attempts", "drafts")),
        *(View(f"agent, {name}", f"/agents/{mine}/{name}/") for name in ("edit", "dial")),
        View("model servers", "/model-servers/"),
        View("audit trail of all", "/audit/"),
        View("security", "/me/security/"),
        View("administration", "/admin/"),
        *(View(f"administration, {name}s", f"/admin/clawgroups/{name}/") for name in ("task", "workspace", "run")),
        View("administration, people", "/admin/auth/user/"),
        View("administration, agents", "/admin/agents/agent/"),
        *(View(f"account, {name}", f"/accounts/{name}/") for name in ("email", "password/change", "logout")),
    ]


def outside(script: Script, done: Figures) -> list[View]:
    """Pages of those who have not signed in."""
    room = {"role": "member", "seconds": 3600}
    invited = script.post(f"/api/v1/workspaces/{done.workspace}/invitations", room)["link"]
    shared = script.post(f"/api/v1/runs/{done.run}/shares", {"seconds": 3600})["link"]
    return [
        View("invitation", invited.removeprefix(script.url)),
        View("invitation that is over", "/invite/aaaa-bbbb-cccc-dddd/"),
        View("shared run", shared.removeprefix(script.url)),
        *(View(f"account, {name}", f"/accounts/{name}/") for name in ("login", "signup", "password/reset")),
    ]
