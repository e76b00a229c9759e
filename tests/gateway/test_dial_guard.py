"""Who may be dialled: what a name leads to is judged once, and that is what is connected to."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from agents.models import Dial
from clawgroups.services import dials
from clawgroups.services.perform import perform_async, read_async
from tests.conftest import Team
from tests.gateway.far import NAME, Make, Names, certified, dial_is, give, hosted
from tests.gateway.support import until_row

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("opened")]


async def test_a_private_address_waits_for_an_administrator_and_another_one_asks_anew(
    nobody_here: Team, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "DIAL_PRIVATE", False)
    make()
    async with hosted() as host:
        scribe = await give(nobody_here, host)
        row = await dial_is(scribe, "refused")
        assert row.said == (
            f"{NAME} is not dialled: it leads into a private network (127.0.0.1), which an administrator has to allow."
        )
        assert host.knocks == []
        sue = await read_async(nobody_here.actor, "sue")
        await perform_async(dials.allow_private, scribe.pk, allowed=True, actor=sue)
        await host.asked("initialize")
        await give(nobody_here, host, address=host.address.replace("/acp", "/other"))
        await host.closed()
        assert (await dial_is(scribe, "refused")).private is False
        assert len(host.knocks) == 1


async def test_a_name_is_resolved_once_and_what_was_judged_is_what_is_connected_to(
    nobody_here: Team, make: Make
) -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    make(resolve=names)
    async with hosted() as host:
        scribe = await give(nobody_here, host)
        await host.asked("initialize")
        assert names.asked == 1
        await (await host.line()).socket.close()
        row = await dial_is(scribe, "refused")
        assert row.said == f"{NAME} is not dialled: it leads to 169.254.169.254, which is never dialled."
        assert len(host.knocks) == 1


async def test_one_bad_address_among_good_ones_is_enough(nobody_here: Team, make: Make) -> None:
    make(resolve=Names(["127.0.0.1", "fe80::1"]))
    async with hosted() as host:
        scribe = await give(nobody_here, host)
        await dial_is(scribe, "refused")
        assert host.knocks == []


async def test_the_second_machine_of_a_name_is_tried_when_the_first_does_not_answer(
    nobody_here: Team, make: Make
) -> None:
    make(resolve=Names(["127.0.0.2", "127.0.0.1"]))
    async with hosted() as host:
        await give(nobody_here, host)
        await host.asked("initialize")


async def test_tls_is_checked_against_the_name_in_the_address(
    nobody_here: Team, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = certified(tmp_path)
    make()
    async with hosted(tls=context) as host:
        scribe = await give(nobody_here, host)
        row = await until_row(lambda: Dial.objects.get(pk=scribe.pk), lambda row: row.tries)
        assert row.said.startswith("Its certificate is not to be trusted: ")
        assert host.lines == []
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        ada = await read_async(nobody_here.actor, "ada")
        await perform_async(dials.retry_dial, scribe.pk, actor=ada)
        await host.asked("initialize")
        assert (await host.line()).headers["Host"] == f"{NAME}:{host.port}"
