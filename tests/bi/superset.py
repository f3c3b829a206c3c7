"""Superset's dashboards against SQL. Usage: superset.py CHROMIUM SHOTS URL POSTGRES_URL."""

import io
import sys

import psycopg2
from PIL import Image

from common import Report, browser, picture

program, shots, url, postgres = sys.argv[1:]
report = Report("Superset")
connection = psycopg2.connect(postgres, options="-c timezone=utc")
connection.set_session(readonly=True)
percent = lambda value, digits=1: f"{100 * value:.{digits}f}%"
signed = lambda value: f"{100 * value:+.1f}%"


def ask(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def dashboard(opened, slug, charts):
    """Opens a dashboard; returns what its charts were sent, by the chart's name."""
    sent = {}

    def keep(response):
        if "/api/v1/chart/data" in response.url:
            body = response.json()["result"][0]
            sent[frozenset(body["colnames"])] = body

    opened.page.on("response", keep)
    opened.page.set_viewport_size({"width": 1280, "height": 1700})
    opened.open(f"{url}/superset/dashboard/{slug}/")
    opened.page.wait_for_function(
        "count => document.querySelectorAll('[data-test=chart-container], .dashboard-chart').length >= count"
        " && !document.querySelector('.loading, [data-test=loading-indicator]')",
        arg=charts,
        timeout=60000,
    )
    opened.page.wait_for_load_state("networkidle")
    # The charts are drawn with an animation.
    opened.page.wait_for_timeout(2500)
    opened.page.remove_listener("response", keep)
    report.check(f"{slug}: no complaint", opened.complaints, [])
    report.check(
        f"{slug}: no error on the page",
        opened.page.locator("[data-test=error-alert], .ant-alert-error, [role=alert]").all_inner_texts(),
        [],
    )
    report.check(f"{slug}: every query went well", [body["error"] for body in sent.values() if body["error"]], [])
    picture(opened.page, shots, f"superset-{slug.removeprefix('cotaste-')}", ".grid-container, [data-test=grid-container]")
    return sent


def card(page, name):
    return page.locator(".dashboard-component-chart-holder", has=page.get_by_text(name, exact=True)).first


def table(page, name):
    return (
        card(page, name).locator("tbody tr").evaluate_all("rows => rows.map(r => [...r.children].map(c => c.innerText.trim()))")
    )


def bars(page, name, colour):
    """The lengths of a chart's bars from the top, as fractions of the longest: what was drawn, in pixels."""
    image = Image.open(io.BytesIO(card(page, name).screenshot())).convert("RGB")
    alike = lambda x, y: all(abs(a - b) < 12 for a, b in zip(image.getpixel((x, y)), colour))
    lengths, inside = [], False
    for y in range(image.height):
        length = sum(alike(x, y) for x in range(image.width))
        if length > 20:
            lengths[-1:] = [max(lengths[-1], length)] if inside else lengths[-1:] + [length]
        inside = length > 20
    return [length / max(lengths) for length in lengths]


def drawn(page, name, colour, values):
    got = bars(page, name, colour)
    wanted = [float(value) / float(max(values)) for value in values]
    near = len(got) == len(wanted) and all(abs(a - b) < 0.02 for a, b in zip(got, wanted))
    report.check(f"{name}: the bars are as long as the values", got if not near else wanted, wanted)


def rows(sent, *columns):
    """What a chart was sent, in the order it was."""
    found = sent.get(frozenset(columns), {"data": []})
    return [tuple(row[column] for column in columns) for row in found["data"]]


ORANGE, BLUE, GREEN, PURPLE = (224, 142, 69), (31, 111, 139), (106, 153, 78), (156, 107, 174)


def check_activity(opened):
    sent = dashboard(opened, "cotaste-activity", 10)
    page = opened.page
    events, users, views, completions = ask(
        "select count(*), count(distinct user_id), count(*) filter (where action = 'view'),"
        " count(*) filter (where action = 'complete') from user_behaviors"
    )[0]
    for name, wanted in [
        ("Events", f"{events:,}"),
        ("Users", f"{users:,}"),
        ("Views", f"{views:,}"),
        ("Completions per view", percent(completions / views)),
    ]:
        report.check(name, wanted in card(page, name).inner_text().split("\n"), True)
    wanted = ask(
        "select extract(epoch from date_trunc('day', occurred_at)) * 1000, count(*) filter (where action = 'view'),"
        " count(*) filter (where action = 'complete') from user_behaviors group by 1 order by 1"
    )
    report.check(
        "views and completions by day",
        rows(sent, "time", "views", "completions"),
        [(int(day), *counts) for day, *counts in wanted],
    )
    # Bars are sent from the bottom to the top.
    wanted = ask(
        "select title, score from trending_content(12, 168, (select max(occurred_at) from user_behaviors)) order by rank"
    )
    report.check("trending", rows(sent, "title", "score")[::-1], wanted)
    drawn(page, "Trending titles", ORANGE, [score for _, score in wanted])
    wanted = ask(
        "select c.title, count(*) from user_behaviors b join contents c using (content_id) where action = 'view'"
        " group by content_id, c.title order by 2 desc, content_id limit 12"
    )
    report.check("most viewed", rows(sent, "title", "views")[::-1], wanted)
    drawn(page, "Most viewed titles", BLUE, [count for _, count in wanted])
    wanted = ask("select genre, completion_rate from genre_metrics order by completion_rate desc")
    report.check("genres", rows(sent, "genre", "completions per view")[::-1], wanted)
    drawn(page, "Completions per view by genre", GREEN, [rate for _, rate in wanted])
    wanted = ask("select slot, events_per_hour from activity_by_slot order by events_per_hour desc")
    report.check("slots", rows(sent, "slot", "events an hour")[::-1], wanted)
    drawn(page, "Events an hour by time slot", PURPLE, [rate for _, rate in wanted])
    wanted = [
        [status, f"{count:,}", percent(share, 2)]
        for status, count, share in ask("select * from context_quality order by events desc")
    ]
    report.check("contexts", table(page, "Contexts of events"), wanted)


def check_experiment(opened):
    sent = dashboard(opened, "cotaste-experiment", 6)
    page = opened.page
    wanted = ask(
        "select experiment, goal, users, days_running, best_variant, control_rate, best_rate, lift, chance_to_win, verdict"
        " from experiment_summary"
    )
    report.check(
        "verdict",
        table(page, "Verdict"),
        [
            [e, g, f"{u:,}", f"{d:,.0f}", v, percent(c), percent(b), signed(l), percent(w), text]
            for e, g, u, d, v, c, b, l, w, text in wanted
        ],
    )
    # The rates again from the log alone: everybody of a variant, and those who converted.
    plain = ask(
        "select variant, count(*), sum(converted) from (select user_id, max(variant) as variant,"
        " max(case action when 'convert' then 1 else 0 end) as converted from user_behaviors group by user_id) u"
        " where variant is not null group by variant order by variant"
    )
    got = [row[:4] for row in table(page, "Variants")]
    report.check("variants", got, [[v, f"{u:,}", f"{c:,}", percent(c / u)] for v, u, c in plain])
    drawn(page, "Conversion rate by variant", BLUE, sorted((c / u for _, u, c in plain), reverse=True))
    wanted = ask(
        "select extract(epoch from day) * 1000, diff, cs_lower, cs_upper from experiment_timeline"
        " where cs_lower is not null order by 1"
    )
    got = rows(sent, "day", "difference, enhanced_ml", "from, enhanced_ml", "to, enhanced_ml")
    report.check("timeline", got, [(int(day), *values) for day, *values in wanted])
    wanted = ask(
        "select segment, variant, users, conversion_rate, diff, diff_lower, diff_upper, p_adjusted from experiment_segments"
        " where dimension = 'device' and diff is not null order by 1, 2"
    )
    wanted = [[s, v, f"{u:,}", percent(r), signed(d), signed(a), signed(b), f"{p:.3f}"] for s, v, u, r, d, a, b, p in wanted]
    report.check("devices", table(page, "Difference by device"), wanted)
    wanted = ask(
        "select metric, variant, value, diff, lift, p_value from experiment_numeric"
        " where status = 'ok' and not is_control order by 1, 2"
    )
    wanted = [[m, v, f"{x:,.2f}", f"{d:+,.2f}", signed(l), f"{p:.4f}"] for m, v, x, d, l, p in wanted]
    report.check(
        "means a user", [[cell.replace("\N{MINUS SIGN}", "-") for cell in row] for row in table(page, "Means a user")], wanted
    )


# Superset's pages want a picture from elsewhere, which superset_config.py forbids.
with browser(program, 1700, ignored=("scarf.sh",)) as opened:
    opened.open(f"{url}/login/")
    opened.page.fill("#username", "admin")
    opened.page.fill("#password", "admin")
    opened.page.click("button[type=submit]")
    opened.page.wait_for_url(lambda address: "/login" not in address)
    opened.page.wait_for_load_state("networkidle")
    check_activity(opened)
    check_experiment(opened)
report.end()
