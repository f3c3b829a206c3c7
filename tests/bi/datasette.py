"""Datasette's pages against SQL. Usage: datasette.py CHROMIUM SHOTS URL SQLITE_FILE EXTENSION METADATA."""

import re
import sqlite3
import sys
import urllib.parse

import yaml

from common import Report, browser, picture

program, shots, url, file, extension, metadata = sys.argv[1:]
metadata = yaml.safe_load(open(metadata))
report = Report("Datasette")
connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
connection.enable_load_extension(True)
connection.load_extension(extension)
ask = lambda sql, parameters=(): connection.execute(sql, parameters).fetchall()
one = lambda sql, parameters=(): ask(sql, parameters)[0][0]
rounded = lambda value, digits: f"{value:.{digits}f}"
percent = lambda value: f"{100 * value:.1f}%"
signed = lambda value: f"{100 * value:+.1f}%".replace("-", "\N{MINUS SIGN}")

# What the canned queries are asked with; one that is not here has no parameters.
PARAMETERS = {
    "daily_activity": {"zone": "Europe/Berlin"},
    "activity_by_the_clock": {"zone": ""},
    "rising": {"half_life_hours": ""},
    "metrics_by_title": {"title": "salt"},
    "watched_with": {"content_id": "1000000001"},
    "users_like": {"user_id": "1"},
    "why_similar": {"user_a": "1", "user_b": "2"},
    "recommendations_for": {"user_id": "1"},
    "taste_of": {"user_id": "1"},
    "results_of": {"experiment": "ranker", "goal": ""},
    "timeline_of": {"experiment": "ranker", "goal": "complete"},
}


def labels(page, card, role):
    """What the marks of a chart say of themselves, each a dictionary."""
    found = page.locator(f"#card-{card} [aria-roledescription='{role}']").evaluate_all(
        "all => all.map(e => e.getAttribute('aria-label'))"
    )
    return [dict(part.split(": ", 1) for part in label.split("; ") if ": " in part) for label in found]


def table(page, selector):
    return page.locator(f"{selector} tbody tr").evaluate_all(
        "rows => rows.map(r => [...r.children].map(c => c.innerText.trim()))"
    )


def metric(page, card):
    return page.locator(f"#chart-{card} p").inner_text()


def line(page, card, which):
    """The heights of a line's points, as fractions of the way from its lowest to its highest."""
    path = page.locator(f"#card-{card} path[aria-roledescription='line mark'][aria-label*='{which}']").get_attribute("d")
    heights = [-float(y) for _, y in re.findall(r"[ML](-?[\d.]+),(-?[\d.]+)", path)]
    return fractions(heights)


def fractions(values):
    low, high = min(values), max(values)
    return [round((value - low) / (high - low), 2) for value in values]


def close(got, wanted):
    """Points on a screen: a hundredth of the height is as near as it gets."""
    return len(got) == len(wanted) and all(abs(a - b) <= 0.011 for a, b in zip(got, wanted))


def dashboard(opened, slug):
    opened.open(f"{url}/-/dashboards/{slug}")
    page = opened.page
    charts = metadata["plugins"]["datasette-dashboards"][slug]["charts"]
    for chart, about in charts.items():
        if about["library"] == "vega-lite":
            page.wait_for_selector(f"#card-{chart} svg")
        else:
            page.wait_for_selector(f"#chart-{chart} :is(p, td)")
    report.check(f"{slug}: no complaint", opened.complaints, [])
    picture(page, shots, f"datasette-{slug}", ".dashboard-container")
    return page


def check_activity(opened):
    page = dashboard(opened, "activity")
    events, users = ask("select count(*), count(distinct user_id) from user_behaviors")[0]
    views, completions = ask("select sum(action = 'view'), sum(action = 'complete') from user_behaviors")[0]
    report.check("events", metric(page, "events"), f"{events:,}")
    report.check("users", metric(page, "users"), f"{users:,}")
    report.check("views", metric(page, "views"), f"{views:,}")
    report.check("completions per view", metric(page, "completion"), percent(completions / views))
    for what, action in [("views", "view"), ("completions", "complete")]:
        wanted = [
            row[0]
            for row in ask(
                "select sum(action = ?) from user_behaviors group by date(occurred_at) order by date(occurred_at)", (action,)
            )
        ]
        got = line(page, "by-day", what)
        report.check(f"{what} by day: {len(wanted)} points where they should be", close(got, fractions(wanted)), True)
    wanted = ask("select rank, title from trending_content(12, 168, (select max(occurred_at) from user_behaviors)) order by rank")
    report.check("trending", [(int(label["rank"]), label["title"]) for label in labels(page, "trending", "bar")], wanted)
    wanted = ask(
        "select c.title, count(*) from user_behaviors b join contents c using (content_id) where action = 'view'"
        " group by content_id order by 2 desc, content_id limit 12"
    )
    report.check(
        "most viewed",
        [(label["title"], int(label["views"].replace(",", ""))) for label in labels(page, "most-viewed", "bar")],
        wanted,
    )
    wanted = ask(
        "select g.value, 1.0 * sum(action = 'complete') / sum(action = 'view') from user_behaviors b"
        " join contents c using (content_id), json_each(c.genres) g"
        " group by 1 order by 2 desc, 1"
    )
    report.check(
        "genres",
        [(label["genre"], label["completions per view"]) for label in labels(page, "genres", "bar")],
        [(genre, percent(rate)) for genre, rate in wanted],
    )
    wanted = {slot: f"{events / hours:,.0f}" for slot, hours, events in ask("select slot, hours, events from activity_by_slot")}
    report.check("slots", {label["slot"]: label["events an hour"] for label in labels(page, "slots", "bar")}, wanted)
    wanted = [
        [status, f"{events:,}", f"{100 * share:.2f}%"]
        for status, events, share in ask("select * from context_quality order by events desc")
    ]
    report.check("contexts", table(page, "#chart-contexts"), wanted)
    titles = page.locator("#card-trending text").evaluate_all("all => all.map(e => e.textContent)")
    report.check("no title is cut", [title for title in titles if "…" in title], [])


def check_experiment(opened):
    page = dashboard(opened, "experiment")
    (row,) = ask(
        "select experiment, goal, users, best_variant, control_rate, best_rate, lift, chance_to_win, verdict"
        " from experiment_summary"
    )
    got = table(page, "#chart-verdict")[0]
    wanted = [
        row[0],
        row[1],
        f"{row[2]:,}",
        row[3],
        percent(row[4]),
        percent(row[5]),
        f"{100 * row[6]:+.0f}%",
        percent(row[7]),
        row[8],
    ]
    report.check("verdict", got[:3] + got[4:], wanted)
    # The rates again from the log alone: everybody of a variant, and those who converted.
    plain = ask(
        "select variant, count(*), sum(converted) from ("
        "  select user_id, max(case when json_valid(context) then context ->> '$.experimentVariant' end) as variant,"
        "  max(action = 'convert') as converted"
        "  from user_behaviors group by user_id) where variant is not null group by variant order by variant"
    )
    points = labels(page, "rates", "point")
    got = [(label["variant"], label["users"], label["conversions"], label["rate"]) for label in points]
    report.check(
        "rates",
        got,
        [(variant, f"{users:,}", f"{conversions:,}", percent(conversions / users)) for variant, users, conversions in plain],
    )
    bounds = ask("select rate_lower, rate_upper from experiment_results order by variant")
    report.check(
        "their intervals",
        [(label["from"], label["to"]) for label in points],
        [(percent(low), percent(high)) for low, high in bounds],
    )
    wanted = ask(
        "select segment, diff, diff_lower, diff_upper from experiment_segments"
        " where dimension = 'device' and diff is not null order by segment, variant"
    )
    got = [(label["segment"], label["difference"], label["from"], label["to"]) for label in labels(page, "segments", "point")]
    report.check("segments", got, [(segment, signed(diff), signed(low), signed(high)) for segment, diff, low, high in wanted])
    wanted = [row[0] for row in ask("select diff from experiment_timeline where cs_lower is not null order by day")]
    report.check("timeline", close(line(page, "timeline", "diff"), fractions(wanted)), True)
    wanted = ask(
        "select metric, variant, users, value, diff, lift, p_value from experiment_numeric"
        " where status = 'ok' and not is_control order by metric, variant"
    )
    wanted = [[m, v, f"{u:,}", rounded(x, 2), f"{d:+.2f}", f"{100 * l:+.1f}%", rounded(p, 4)] for m, v, u, x, d, l, p in wanted]
    report.check("means a user", table(page, "#chart-numbers"), wanted)


def check_person(opened):
    page = dashboard(opened, "person")
    report.check("the user", page.locator("#user_id").input_value(), "1")
    wanted = ask("select genre, share from favorite_genres('1', 10) order by rank")
    report.check(
        "genres",
        [(label["genre"], label["share of the taste"]) for label in labels(page, "genres", "bar")][: len(wanted)],
        [(genre, percent(share)) for genre, share in wanted],
    )
    wanted = ask("select rank, 'user ' || user_id, similarity from similar_users('1', 10) order by rank")
    got = [(int(label["rank"]), label["user"], label["similarity (0 to 1)"]) for label in labels(page, "similar", "bar")]
    report.check("similar users", got, [(rank, user, rounded(similarity, 3)) for rank, user, similarity in wanted])
    wanted = [
        [str(rank), title, rounded(score, 3)]
        for rank, title, score in ask("select rank, title, score from recommend('1', 10) order by rank")
    ]
    got = table(page, "#chart-next")
    report.check("what to watch next", [[row[0], row[1], row[4]] for row in got], wanted)
    seen = {
        title
        for (title,) in ask(
            "select title from contents where content_id in (select content_id from user_behaviors where user_id = '1')"
        )
    }
    report.check("reasons are what the user saw", all(set(row[2].split(", ")) <= seen for row in got), True)
    page.fill("#user_id", "42")
    page.click("input[type=submit]")
    page.wait_for_selector("#chart-next td")
    wanted = [title for (title,) in ask("select title from recommend('42', 10) order by rank")]
    report.check("the same for another user", [row[1] for row in table(page, "#chart-next")], wanted)


def check_queries(opened):
    about = metadata["databases"]["cotaste"]
    tables = {name for (name,) in ask("select name from sqlite_master")}
    report.check("no query hides a table", sorted(tables & set(about["queries"])), [])
    report.check("what is described is there", sorted(set(about["tables"]) - tables), [])
    for name, columns in ((name, set(described.get("columns", {}))) for name, described in about["tables"].items()):
        there = {row[1] for row in ask("select * from pragma_table_info(?)", (name,))}
        report.check(f"described columns of {name}", sorted(columns - there), [])
    for name, query in about["queries"].items():
        parameters = PARAMETERS.get(name, {})
        opened.open(f"{url}/cotaste/{name}?{urllib.parse.urlencode(parameters)}")
        report.check(f"{name}: no complaint", opened.complaints, [])
        wanted = [["" if value is None else str(value) for value in row] for row in ask(query["sql"], parameters)]
        report.check(f"{name}: has rows", bool(wanted), True)
        report.check(
            f"{name}: its rows",
            [[cell.replace("\xa0", "") for cell in row] for row in table(opened.page, "table.rows-and-columns")],
            wanted,
        )
        if name == "recommendations_for":
            picture(opened.page, shots, "datasette-query", "section.content")


def check_tables(opened):
    opened.open(f"{url}/cotaste")
    report.check("the database's page: no complaint", opened.complaints, [])
    listed = set(opened.page.locator("h3 a, #views + ul a").all_inner_texts())
    internal = {name for name in listed if name.startswith(("cotaste_", "sqlite_"))}
    report.check(
        "what is internal is not listed",
        internal,
        {"cotaste_health", "cotaste_health_checks", "cotaste_settings", "cotaste_stats"},
    )
    for name in sorted(listed):
        opened.open(f"{url}/cotaste/{name}?_size=5")
        report.check(f"{name}: no complaint", opened.complaints, [])
        if name == "content_genres":
            continue
        columns = ask("select name, type from pragma_table_info(?)", (name,))
        plain = {"TEXT", "INTEGER", "REAL"} | ({"BLOB"} if name == "content_embeddings" else set())
        report.check(f"{name}: plain types", [(column, kind) for column, kind in columns if kind not in plain], [])
        rates = [
            column
            for column, _ in columns
            if column.endswith(("_rate", "share", "_p")) or column in ("support", "confidence", "p_value", "chance_to_win")
        ]
        for column in rates:
            outside = one(f'select count(*) from (select "{column}" as x from "{name}" limit 2000) where x < 0 or x > 1 + 1e-12')
            report.check(f"{name}.{column} is a fraction", outside, 0)


with browser(program, 1600) as opened:
    check_activity(opened)
    check_experiment(opened)
    check_person(opened)
    check_queries(opened)
    check_tables(opened)
report.end()
