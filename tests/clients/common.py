"""What every client is asked, and what it must answer."""

import json
import uuid

UUIDS = (uuid.UUID("6f1f4a44-3c61-4ee5-a5a4-2d4d13b2a6f1"), uuid.UUID("0b7a7e52-9f0f-4b6c-8d4e-5a4c3b2a1908"))
PAIR = "select user_similarity({0}, {1})"
CONTENT = "select total_views, average_rating, unique_users from content_metrics where content_id = {0}"
ALIKE = "select user_id, rank from similar_users({0}, {1}) order by rank"
RECORD = "select record_behavior({0}, {1}, {2})"
VARIANTS = "select variant, users from experiment_results where experiment = {0} order by variant"
# A view's columns and the kind of type that introspection must tell.
TYPES = {"content_id": "integer", "title": "text", "average_rating": "double", "first_activity": "timestamp"}


class Report:
    """What was checked of each client, in order."""

    def __init__(self, expected):
        self.expected, self.clients = expected, {}

    def check(self, client, what, got, wanted):
        found = self.clients.setdefault(client, [])
        found.append(None if got == wanted else f"{what}: {got!r} instead of {wanted!r}")

    def end(self):
        """Tells a line a client; how many failed."""
        failed = 0
        for client, found in self.clients.items():
            wrong = [why for why in found if why]
            failed += bool(wrong)
            print(f"FAILED {client}: {'; '.join(wrong)}" if wrong else f"ok {client}: {len(found)} checks")
        return failed


def number(value):
    return None if value is None else float(value)


def ask(report, client, query, *, integers=True, uuids=True, as_text=str):
    """`query(sql, parameters)` gives the rows; sql has {0}, {1}, ... where the parameters go."""
    expected = report.expected

    def pair(what, a, b):
        report.check(client, what, number(query(PAIR, (a, b))[0][0]), expected[what])

    pair("text ids", "ann", "bob")
    if integers:
        pair("integer ids", 1, 2)
    if uuids:
        pair("uuid ids", *(UUIDS if uuids == "typed" else map(as_text, UUIDS)))
    # Often enough for a driver to prepare it on the server.
    answers = {number(query(PAIR, ("ann", "bob"))[0][0]) for _ in range(12)}
    report.check(client, "prepared statements", answers, {expected["text ids"]})
    report.check(client, "NULL", query("select user_similarity(null, {0})", ("bob",))[0][0], None)
    views, rating, users = query(CONTENT, (550,))[0]
    report.check(client, "a view by key", [int(views), number(rating), int(users)], expected["content"])
    views, rating, users = query(CONTENT, (13,))[0]
    report.check(client, "a NULL in a view", rating, None)
    rows = [[user, int(rank)] for user, rank in query(ALIKE, ("ann", 3))]
    report.check(client, "rows of a function", rows, expected["alike"])
    rows = [[variant, int(users)] for variant, users in query(VARIANTS, ("ranker",))]
    report.check(client, "a view of experiments", rows, expected["variants"])


def kind(type_name):
    name = str(type_name).lower()
    for kind, words in {
        "timestamp": ("timestamp", "datetime"),
        "double": ("double", "real", "float"),
        "integer": ("bigint", "integer", "int8"),
        "text": ("text", "varchar", "string"),
    }.items():
        if any(word in name for word in words):
            return kind
    return name


def load(path):
    with open(path) as file:
        return json.load(file)
