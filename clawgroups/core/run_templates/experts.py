"""Parallel experts: independent answers to one question, and what they come to."""

from __future__ import annotations

from clawgroups.core.run_templates.shape import Input, Kind, Step, Template, gettext_noop

TEMPLATE = Template(
    name="experts",
    title=gettext_noop("Parallel experts"),
    about=gettext_noop("Several experts answer at once, each from their field; one puts the answers together."),
    icon="people",
    goal="Ask experts of several fields, and put their answers together: $question",
    inputs=(
        Input("question", gettext_noop("The question"), Kind.TEXT),
        Input(
            "fields",
            gettext_noop("Fields"),
            Kind.LIST,
            most=12,
            begin="Engineering\nLaw\nMarketing\nSecurity",
            help=gettext_noop("One a line."),
        ),
    ),
    steps=(
        Step(
            key="expert",
            each="fields",
            about=gettext_noop("Each expert answers from their field, without seeing the others"),
            title="Expert: $each",
            instructions=(
                "You are an expert for: $each. Answer the question below from your field alone, with the headings"
                " Answer, Reasons, What I am not sure of. Name your sources where you have any; guess nothing.\n\n"
                "Question: $question"
            ),
            acceptance=("not_empty", "min_words: 60", "has_parts: Answer, Reasons"),
            minutes=10,
            output="document",
        ),
        Step(
            key="together",
            after=("expert",),
            about=gettext_noop("Puts the answers together: where they agree, where not, what is open"),
            title="Put the answers together",
            instructions=(
                "Put the experts' answers together, with the headings Answer, Where they agree, Where they differ,"
                " Open. Name who said what. Decide nothing that they left open.\n\nQuestion: $question"
            ),
            acceptance=("not_empty", "min_words: 100", "has_parts: Answer, Where they agree, Where they differ, Open"),
            minutes=10,
            output="document",
        ),
    ),
    deliverables=(gettext_noop("One answer, with where the experts agree and where not (report.html)"),),
    why="The experts do not see each other's answers, so that they are independent, and all work at the same time.",
)
