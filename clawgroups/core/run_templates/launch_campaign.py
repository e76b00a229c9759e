"""A launch campaign: one message, a piece for each channel, a calendar."""

from __future__ import annotations

from clawgroups.core.run_templates.shape import Input, Kind, Step, Template, gettext_noop

TEMPLATE = Template(
    name="launch-campaign",
    title=gettext_noop("Launch campaign"),
    about=gettext_noop("One message, a text for each channel, a check that they agree, and a calendar up to the day."),
    icon="send",
    goal="Launch campaign for: $product\n\nFor: $audience\n\nDay: $day",
    inputs=(
        Input(
            "product",
            gettext_noop("What is launched?"),
            Kind.TEXT,
            help=gettext_noop("What it is, what is new about it, and what may be claimed."),
        ),
        Input("audience", gettext_noop("For whom?"), Kind.LINE),
        Input("day", gettext_noop("Launch day"), Kind.LINE, required=False, otherwise="not fixed"),
        Input(
            "channels",
            gettext_noop("Channels"),
            Kind.LIST,
            most=12,
            begin="Blog post\nNewsletter\nSocial media\nPress note",
            help=gettext_noop("One a line."),
        ),
    ),
    steps=(
        Step(
            key="message",
            about=gettext_noop("Finds the message that all texts rest on"),
            title="Find the message",
            instructions=(
                "Write what all texts of this campaign rest on, with the headings Message, Proof, Tone, Never say."
                " Message is one sentence. Proof is only what is said below; nothing is invented.\n\n"
                "Product: $product\nFor: $audience\nDay: $day"
            ),
            acceptance=("not_empty", "min_words: 60", "has_parts: Message, Proof, Tone"),
            minutes=10,
            output="document",
        ),
        Step(
            key="text",
            each="channels",
            after=("message",),
            about=gettext_noop("Writes the text of each channel, all at the same time"),
            title="Text for: $each",
            instructions=(
                "Write the text for this channel, ready to be used: $each. Keep to Message, Proof and Tone. Begin with"
                " the text itself; below it, under the heading Notes, say what still has to be filled in.\n\n"
                "Product: $product\nFor: $audience"
            ),
            acceptance=("not_empty", "min_words: 40"),
            minutes=10,
            output="document",
        ),
        Step(
            key="consistency",
            after=("text",),
            about=gettext_noop("Reads all texts side by side: do they say the same, and only what is proven?"),
            title="Do the texts agree?",
            instructions=(
                "Read all texts against Message and Proof. List each sentence that claims more than Proof, and each"
                " pair that contradicts, with where it stands and what to write instead. Use the heading Findings."
            ),
            acceptance=("not_empty", "has_parts: Findings"),
            minutes=10,
            output="document",
        ),
        Step(
            key="campaign",
            after=("consistency",),
            about=gettext_noop("Puts it together: the corrected texts, and a calendar up to the day"),
            title="The campaign",
            instructions=(
                "Put the campaign together, with the headings Message, Texts, Calendar, Open. Texts has each text in"
                " full, with the findings corrected. Calendar says day by day what goes out, where, and who does it,"
                " counted back from the day: $day."
            ),
            acceptance=("not_empty", "min_words: 150", "has_parts: Message, Texts, Calendar, Open"),
            minutes=15,
            output="document",
        ),
    ),
    deliverables=(gettext_noop("All texts and the calendar in one document (report.html)"),),
    why="All texts rest on one message, so it comes first; they are written at the same time; one reads them together.",
)
