"""What the crowd is called, works on, says and asks: plain words, enough of them that its pages look like real ones."""

from __future__ import annotations

from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = _words(
    "Amber Birch Cedar Coral Dusty Ember Fern Flint Hazel Indigo "
    "Juniper Linden Maple Misty Ochre Olive Russet Sage Silver Willow"
)
SECOND = _words("Heron Otter Finch Badger Lynx Marten Plover Raven Swift Tern Wren Hare Kite Mole Newt Owl")
PEOPLE = (("noor", "Noor Haddad"), ("jonas", "Jonas Weber"), ("mei", "Mei Tanaka"), ("ruth", "Ruth Okafor"))
SKILLS = ("reading", "counting", "writing", "checking", "translating", "charting")
VERBS = {
    "reading": ("Read the receipts of", "Go through the contracts of", "Collect the price lists of"),
    "counting": ("Add up the sales of", "Reconcile the stock of", "Find the outliers in"),
    "writing": ("Write the summary of", "Draft the letter to", "Describe the market of"),
    "checking": ("Check the figures of", "Compare both versions of", "Verify the sources of"),
    "translating": ("Translate the notice for", "Put into plain words the terms of", "Localise the leaflet for"),
    "charting": ("Draw the curve of", "Map the routes of", "Chart the margins of"),
}
PLACES = _words(
    "Porto Lyon Ghent Turin Malmö Gdańsk Graz Cork Bergen Aarhus Leipzig Utrecht "
    "Bilbao Tartu Brno Varna Split Patras Basel Tampere Łódź Dijon Parma Bremen"
)
MONTHS = _words("January February March April May June July August September October November December")
CALLS = (
    ("read", "Read {place}/{month}.csv"),
    ("search", "Search the notes for “{place}”"),
    ("execute", "Run the totals of {month}"),
    ("edit", "Write {place}-{month}.md"),
    ("fetch", "Look up the exchange rate of {month}"),
    ("think", "Plan the next pages"),
    ("read", "Open the price list of {place}"),
    ("execute", "Compare {month} with the month before"),
)
PLAN = ("Look through the files", "Note what is missing", "Work out the figures", "Write it down", "Check it once more")
THOUGHT = "The totals of {month} look too high next to the month before; two receipts may have been counted twice."
SAID = (
    "I have read what there is about **{place}**. Most of it adds up; the notes of {month} are in another currency, "
    "so I convert them first.\n\n- 14 receipts agree\n- 2 have no date\n- 1 is a copy\n"
)
NEWEST = "Now I am at the part about {month}, and then only the check is left."
RESULT = "The figures of {place} for {month} are complete: **{number}** in all, three receipts left out, with reasons."
QUESTIONS = (
    "The price list of {place} names two prices for the same item. Which of them counts?",
    "Shall I leave out the receipts without a date, or put them into {month}?",
    "May I write to the branch in {place} for the missing page?",
)
PERMISSIONS = (
    ("execute", "Run the import of {place} into the shared table"),
    ("edit", "Replace {place}-{month}.md, which somebody else wrote"),
    ("delete", "Delete the draft of {month}"),
)
STUCK = (
    ("impossible", "The file of {place} is a scan that nobody of the team can read."),
    ("not_accepted", "Three tries were returned: the totals do not match the source."),
    ("task_timed_out", "Its time is used up; somebody has to say how it goes on."),
)
CHAT = (
    "The north is in. {place} looks better than last year.",
    "Please keep an eye on {place}: the receipts there are a mess.",
    "I have put the new price list into the run.",
    "Whoever finishes early can help with {month}.",
    "Good work so far. Numbers before words, please.",
)
ACCEPTANCE = ("not_empty", "Every number names the receipt it comes from")


def agent_name(number: int) -> str:
    """A name of its own for each of any number of agents."""
    first, second = FIRST[number % len(FIRST)], SECOND[(number // len(FIRST) + number) % len(SECOND)]
    round_ = number // (len(FIRST) * len(SECOND))
    return f"{first} {second}" + (f" {round_ + 1}" if round_ else "")


class Speech:
    """Fills the words above, always the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def __call__(self, text: str) -> str:
        pick = self.random.choice
        return text.format(place=pick(PLACES), month=pick(MONTHS), number=self.random.randrange(1000, 90_000))

    def title(self, skill: str) -> str:
        """What a task that needs this skill is called."""
        return f"{self.random.choice(VERBS[skill])} {self.random.choice(PLACES)}, {self.random.choice(MONTHS)}"
