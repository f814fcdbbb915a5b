"""Brings requests to where they mean something, and keeps which of them came there.

What schemathesis invents names nothing that exists: it is told of a hub, a
record, a call. SCHEMA_REAL has, as JSON, a value for each name in a path, and
a body for operations whose good ones are hard to invent. An operation's first
request, and every other one after it, takes these.
"""

import atexit
import json
import os
import random
from collections import Counter

import schemathesis
import urllib3.util.connection

REAL = json.loads(os.environ["SCHEMA_REAL"])
REACHED = os.environ["SCHEMA_REACHED"]

asked: Counter[str] = Counter()
answered: dict[str, Counter[int]] = {}


def name_of(operation) -> str:
    return f"{operation.method.upper()} {operation.path}"


@schemathesis.hook
def before_call(ctx, case, kwargs) -> None:
    # One connection for each request, and so an address for each.
    if case.headers is None:
        case.headers = {}
    case.headers["Connection"] = "close"
    operation = case.operation
    if case.method.upper() != operation.method.upper():
        return
    name = name_of(operation)
    asked[name] += 1
    if asked[name] % 2 == 0:
        return
    real = {key: REAL["names"][key] for key in case.path_parameters or {} if key in REAL["names"]}
    case.path_parameters = {**(case.path_parameters or {}), **real}
    if asked[name] > 1:
        return
    case.query = dict(REAL["queries"].get(name, {}))
    if name in REAL["bodies"]:
        case.body = REAL["bodies"][name]
        case.media_type = "application/json"


@schemathesis.hook
def after_call(ctx, case, response) -> None:
    counted = answered.setdefault(name_of(case.operation), Counter())
    counted[response.status_code] += 1


@atexit.register
def keep() -> None:
    with open(REACHED, "w", encoding="utf-8") as file:
        json.dump(answered, file)


# The server gives each address so many requests that nobody signs. A machine
# has a whole network of addresses to ask itself from.
connect = urllib3.util.connection.create_connection


def from_anywhere(address, timeout=None, source_address=None, socket_options=None):
    source = f"127.{random.randrange(100, 200)}.{random.randrange(256)}.{random.randrange(1, 255)}"
    return connect(address, timeout, (source, 0), socket_options)


urllib3.util.connection.create_connection = from_anywhere
