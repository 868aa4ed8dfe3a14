"""Conversations of several rounds, which a test tells the scripted provider at `POST /plan?model=…` before it has them:
a list of rounds, `{"thought", "text", "calls": [{"name", "arguments"}]}`, none of which must be there. They are said in
the format of whoever is asked. The round is that to which the results in a request have come; who offers no tools hears
the last.

How a round is said is in speakers.py.
"""

from speakers import SPEAKERS, dumped

PLANS = {}


def pieces(vendor, request, results, streamed):
    """What is said next, in the pieces in which it is sent."""
    plan = PLANS[request.model]
    number = round_of(plan, results) if offers_tools(request) else len(plan) - 1
    whole, stream = SPEAKERS[vendor]
    said = {"thought": "", "text": "", "calls": [], **plan[number]}
    said["calls"] = [{**call, "id": f"call_{number}_{place}"} for place, call in enumerate(said["calls"])]
    return list(stream(said, request)) if streamed else [dumped(whole(said, request))]


def round_of(plan, results):
    """A round that calls tools is over once as many results are there as it and those before it asked for."""
    for number, said in enumerate(plan):
        results -= len(said.get("calls", []))
        if results < 0:
            return number
    return len(plan) - 1


def offers_tools(request):
    return bool(request.fields.get("tools") or request.fields.get("toolConfig"))
