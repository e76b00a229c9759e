"""A market report whose every figure comes from tables."""

from __future__ import annotations

from clawgroups.core.run_templates.shape import Input, Kind, Step, Template, gettext_noop

TEMPLATE = Template(
    name="market-report",
    title=gettext_noop("Market report from data"),
    about=gettext_noop(
        "Tables in, a report out: who leads, how it is spread, how it develops. Every number is checked."
    ),
    icon="table",
    goal="Market report: $subject\n\n$question",
    inputs=(
        Input("subject", gettext_noop("Market"), Kind.LINE, help=gettext_noop("What the tables are about.")),
        Input(
            "question",
            gettext_noop("What do you want to know?"),
            Kind.TEXT,
            required=False,
            help=gettext_noop("Name columns of your tables: what is said about them comes first."),
            otherwise="Who leads, how is it spread, and how does it develop?",
        ),
        Input(
            "tables",
            gettext_noop("Tables"),
            Kind.TABLES,
            most=20,
            help=gettext_noop("CSV, TSV or XLSX, with a header line. Each is looked at on its own, at the same time."),
        ),
    ),
    steps=(
        Step(
            key="profile",
            each="tables",
            about=gettext_noop("Reads each table: columns, gaps, outliers, sums, a chart and a workbook"),
            title="Profile $each",
            instructions=(
                "Read $each. Describe its columns, types, gaps and outliers, compute the aggregates that matter for the"
                " goal, draw a chart, and put it all into a workbook."
            ),
            kind="profile",
            skills=("data-analysis",),
            acceptance=("not_empty", "file_type: .xlsx", "opens"),
            minutes=5,
            output="workbook",
        ),
        Step(
            key="report",
            after=("profile",),
            about=gettext_noop("Writes the report from the profiles, with the source of every number"),
            title="Write the report on $subject",
            instructions="Answer the goal from the profiles. Give the source of every number.",
            kind="report",
            skills=("writing",),
            acceptance=("not_empty", "min_words: 80", "numbers_match_source"),
            minutes=10,
            output="document",
        ),
        Step(
            key="check",
            after=("report",),
            about=gettext_noop("Recomputes every number from the files"),
            title="Check the report against the data",
            instructions="Recompute every number of the report from the files, and list what does not agree.",
            kind="review",
            skills=("review",),
            minutes=5,
        ),
    ),
    deliverables=(
        gettext_noop("The report as a web page (report.html)"),
        gettext_noop("A workbook of each table, with live formulas and charts"),
    ),
    why=(
        "Each table is profiled on its own, at the same time; the report is written from the profiles; somebody other"
        " than its author recomputes its numbers from the files."
    ),
    samples=("coffee-sales.csv",),
    sample_words={
        "subject": "Coffee in four cities",
        "question": "Which city and which product bring the most revenue, and how did revenue develop?",
    },
)
