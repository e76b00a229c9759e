from __future__ import annotations

import pytest

from agents.llm.base import Endpoint, Fault, FaultKind, Message, Reply, Request
from agents.llm.scripted import Scripted

END = Endpoint("sglang", "http://127.0.0.1:1/v1", "kimi-k2.6")


def question(text: str = "Plan it.") -> Request:
    return Request((Message("user", text),))


def test_it_gives_its_answers_in_order_the_last_one_for_ever_and_keeps_what_it_was_asked() -> None:
    model = Scripted(["first", {"tasks": []}, Reply("last")])
    said = [model(END, question(str(number))).text for number in range(4)]
    assert said == ["first", '{"tasks": []}', "last", "last"]
    assert [request.messages[0].text for request in model.asked] == ["0", "1", "2", "3"]
    assert model.endpoints == [END] * 4


def test_it_answers_by_a_function_of_the_request() -> None:
    model = Scripted(lambda request: request.messages[-1].text.upper())
    reply = model(END, question("plan"))
    assert (reply.text, reply.model) == ("PLAN", "kimi-k2.6")
    assert reply.usage.prompt > 0


def test_a_fault_is_raised_anew_each_time() -> None:
    model = Scripted([Fault(FaultKind.BUSY, "Later.", again_in=3.0)])
    raised = []
    for _ in range(2):
        with pytest.raises(Fault, match="Later") as fault:
            model(END, question())
        raised.append(fault.value)
    assert raised[0] is not raised[1]
    assert {(fault.kind, fault.again_in) for fault in raised} == {(FaultKind.BUSY, 3.0)}


def test_what_is_not_wanted_is_not_answered() -> None:
    model = Scripted(["unheard"])
    with pytest.raises(Fault) as raised:
        model(END, question(), wanted=lambda: False)
    assert raised.value.kind is FaultKind.ABORTED


def test_an_empty_script_is_a_server_that_is_not_there() -> None:
    with pytest.raises(Fault) as raised:
        Scripted([])(END, question())
    assert raised.value.kind is FaultKind.UNREACHABLE
