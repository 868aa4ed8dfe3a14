"""Loops of tools: what the scripted provider shall say in them, and what must have happened when they are over."""

import json
import urllib.parse
import urllib.request

WEATHER = {"Paris": "18 °C, zebra", "Rome": "25 °C, okapi", "Oslo": "9 °C, tapir"}
ANSWER = 'It is warmest in Rome: wörd 🌍.\n"Quoted"'


def get_weather(city: str) -> str:
    """The weather of a city."""
    return WEATHER[city]


def tell(house, model, rounds):
    """Tells the scripted provider what a model shall say, round by round: see ../plans.py."""
    query = urllib.parse.urlencode({"model": model})
    request = urllib.request.Request(f"{house.provider}/plan?{query}", json.dumps(rounds).encode(), method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def rounds():
    """One call, then two at once, then the answer, each after a thought."""
    def call(city):
        return {"name": "get_weather", "arguments": {"city": city}}

    return [{"thought": "I should look.", "calls": [call("Paris")]},
            {"thought": "There are more.", "text": "Two more.", "calls": [call("Rome"), call("Oslo")]},
            {"thought": "Now I know.", "text": ANSWER}]


def assert_looped(requests):
    """Each round reached the provider with the results of all before it."""
    animals = [weather.split()[-1] for weather in WEATHER.values()]
    results = [[animal in request.body for animal in animals] for request in requests]
    assert results == [[False] * 3, [True, False, False], [True] * 3]
