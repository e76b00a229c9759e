"""A project from a few words: brief, milestones, risks, one page."""

from __future__ import annotations

from clawgroups.core.run_templates.shape import Input, Kind, Step, Template, gettext_noop

TEMPLATE = Template(
    name="project",
    title=gettext_noop("Project"),
    about=gettext_noop("From a few words to a plan that people can work by: brief, milestones, risks, one page."),
    icon="planning",
    goal="Plan the project: $project\n\nDone when: $outcome\n\nUntil: $until",
    inputs=(
        Input("project", gettext_noop("What is the project?"), Kind.TEXT),
        Input(
            "outcome",
            gettext_noop("When is it done?"),
            Kind.LINE,
            required=False,
            otherwise="to be worked out in the brief",
        ),
        Input("until", gettext_noop("Until when?"), Kind.LINE, required=False, otherwise="not fixed"),
        Input(
            "people",
            gettext_noop("Who takes part?"),
            Kind.LIST,
            required=False,
            most=20,
            help=gettext_noop("One a line, with what they do: “Ada, design”."),
        ),
    ),
    steps=(
        Step(
            key="brief",
            about=gettext_noop("Writes the brief: what it is for, what belongs to it, what does not"),
            title="Write the brief",
            instructions=(
                "Write the brief of this project in at most one page, with the headings Purpose, Scope, Not in scope,"
                " Open questions. Keep to what is said; what is not said is an open question.\n\n"
                "Project: $project\nDone when: $outcome\nUntil: $until\nPeople: $people"
            ),
            acceptance=("not_empty", "min_words: 80", "has_parts: Purpose, Scope, Open questions"),
            minutes=10,
            output="document",
        ),
        Step(
            key="milestones",
            after=("brief",),
            about=gettext_noop("Cuts it into milestones and tasks, each with somebody who does it"),
            title="Cut it into milestones and tasks",
            instructions=(
                "From the brief, make milestones in order. For each: what is there when it is reached, its tasks, who"
                " does each (of: $people), what it waits for, and until when. Answer as Markdown with the heading"
                " Milestones and a table of the tasks."
            ),
            acceptance=("not_empty", "min_words: 80", "has_parts: Milestones"),
            minutes=15,
            output="document",
        ),
        Step(
            key="risks",
            after=("brief",),
            about=gettext_noop("Looks for what can go wrong, and what to do about it now"),
            title="Find the risks",
            instructions=(
                "From the brief, name the five risks that matter most: how likely, how bad, the first sign of it, and"
                " what to do now. Answer as Markdown with the heading Risks."
            ),
            acceptance=("not_empty", "min_words: 60", "has_parts: Risks"),
            minutes=10,
            output="document",
        ),
        Step(
            key="plan",
            after=("milestones", "risks"),
            about=gettext_noop("Puts it on one page, and says what to do tomorrow"),
            title="The plan on one page",
            instructions=(
                "Put brief, milestones and risks together on one page, with the headings Summary, Milestones, Risks,"
                " First steps. The first steps are what to do tomorrow, each with a name. Contradictions between the"
                " parts are named, not smoothed over."
            ),
            acceptance=("not_empty", "min_words: 120", "has_parts: Summary, Milestones, Risks, First steps"),
            minutes=10,
            output="document",
        ),
    ),
    deliverables=(gettext_noop("The plan on one page, with brief, milestones and risks (report.html)"),),
    why="The brief comes first, as all rests on it; milestones and risks follow at the same time; then one page.",
)
