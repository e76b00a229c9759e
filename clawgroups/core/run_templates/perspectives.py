"""A clash of perspectives: each argues, each answers the others, one weighs."""

from __future__ import annotations

from clawgroups.core.run_templates.shape import Input, Kind, Step, Template, gettext_noop

TEMPLATE = Template(
    name="perspectives",
    title=gettext_noop("Clash of perspectives"),
    about=gettext_noop(
        "A question, argued from several sides that answer each other; then a verdict with what it costs."
    ),
    icon="split",
    goal="Argue this from several sides and come to a verdict: $question",
    inputs=(
        Input("question", gettext_noop("The question"), Kind.TEXT, help=gettext_noop("Best one that can be decided.")),
        Input(
            "sides",
            gettext_noop("Perspectives"),
            Kind.LIST,
            most=8,
            begin="Advocate\nSceptic\nCustomer\nFinance",
            help=gettext_noop("One a line."),
        ),
    ),
    steps=(
        Step(
            key="case",
            each="sides",
            about=gettext_noop("Each side makes its case, without seeing the others"),
            title="The case of: $each",
            instructions=(
                "You speak as: $each. Make the strongest honest case on the question below, in at most 300 words: your"
                " position in a sentence, three reasons, what would change your mind.\n\nQuestion: $question"
            ),
            acceptance=("not_empty", "min_words: 60"),
            minutes=5,
        ),
        Step(
            key="answer",
            each="sides",
            after=("case",),
            about=gettext_noop("Each side answers the strongest point of the others"),
            title="The answer of: $each",
            instructions=(
                "You speak as: $each. Read the cases of all sides. Take the strongest point of each of the others and"
                " answer it; say where you give way.\n\nQuestion: $question"
            ),
            acceptance=("not_empty", "min_words: 60"),
            minutes=5,
        ),
        Step(
            key="verdict",
            after=("answer",),
            about=gettext_noop("One weighs it all, and says what speaks against the verdict"),
            title="The verdict",
            instructions=(
                "Weigh the cases and answers, taking no side. With the headings Verdict, Why, What speaks against it,"
                " What we do not know, Next step. Points on which all sides agree come first.\n\nQuestion: $question"
            ),
            acceptance=("not_empty", "min_words: 100", "has_parts: Verdict, Why, What speaks against it, Next step"),
            minutes=10,
            output="document",
        ),
    ),
    deliverables=(gettext_noop("The verdict, with what speaks against it (report.html)"),),
    why="The sides argue without seeing each other, so that none copies; each answers the others; then one weighs.",
)
