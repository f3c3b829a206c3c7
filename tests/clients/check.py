"""The Python clients: sqlite3, SQLAlchemy, psycopg 3, asyncpg, DuckDB's scanners. Usage: check.py EXPECTED SQLITE_FILE EXTENSION PG_HOST."""

import asyncio
import os
import shutil
import sqlite3
import sys

import common

report = common.Report(common.load(sys.argv[1]))
file, extension, host = sys.argv[2:5]


def copy(name):
    """A file of its own for each client, which may write."""
    path = os.path.join(os.path.dirname(file), f"{name}.db")
    shutil.copy(file, path)
    return path


def marks(style):
    def fill(sql, count):
        return sql.format(*(style(i) for i in range(count)))

    return fill


def sqlite_types(rows):
    # SQLite has no type for timestamps: they are ISO 8601 text.
    return {name: {"text": "text"}.get(common.kind(declared), common.kind(declared)) for name, declared in rows}


def check_sqlite3():
    client = "sqlite3 (Python)"
    connection = sqlite3.connect(copy("python"), isolation_level=None)
    connection.enable_load_extension(True)
    connection.load_extension(extension)
    fill = marks(lambda _: "?")
    query = lambda sql, parameters=(): connection.execute(fill(sql, len(parameters)), parameters).fetchall()
    common.ask(report, client, query)
    connection.execute("begin")
    query(common.RECORD, ("ann", 680, "view"))
    report.check(client, "its own event is seen", query(common.CONTENT, (680,))[0][2], 3)
    connection.execute("rollback")
    report.check(client, "a rolled back event is not", query(common.CONTENT, (680,))[0][2], 2)
    declared = {name: common.kind(kind) for _, name, kind, *_ in query("pragma table_info(content_metrics)")}
    wanted = {**common.TYPES, "first_activity": "text"}
    report.check(client, "types of a view", {name: declared.get(name) for name in wanted}, wanted)
    connection.close()
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    connection.enable_load_extension(True)
    connection.load_extension(extension)
    report.check(client, "read-only: reads", connection.execute(common.PAIR.format("'ann'", "'bob'")).fetchone()[0], report.expected["text ids"])
    refused(client, lambda: connection.execute(common.RECORD.format("'ann'", 680, "'view'")).fetchall(), "readonly")


def refused(client, write, word):
    try:
        write()
    except Exception as error:
        report.check(client, f"read-only: a write is refused ({error})", word in str(error).replace("-", ""), True)
    else:
        report.check(client, "read-only: a write is refused", "written", "an error")


def check_sqlalchemy():
    import sqlalchemy
    from sqlalchemy import event, text

    def engine_of(url, client, wanted, typed):
        engine = sqlalchemy.create_engine(url)
        if url.startswith("sqlite"):

            @event.listens_for(engine, "connect")
            def load(connection, _):
                connection.enable_load_extension(True)
                connection.load_extension(extension)

        def query(sql, parameters=()):
            names = [f":p{i}" for i in range(len(parameters))]
            with engine.begin() as connection:
                found = connection.execute(text(sql.format(*names)), {f"p{i}": value for i, value in enumerate(parameters)})
                return found.fetchall()

        common.ask(report, client, query, uuids=typed)
        inspector = sqlalchemy.inspect(engine)
        # In SQLite most of them are virtual tables.
        listed = inspector.get_view_names() + inspector.get_table_names()
        report.check(client, "lists the views", "content_metrics" in listed, True)
        declared = {column["name"]: common.kind(column["type"]) for column in inspector.get_columns("content_metrics")}
        report.check(client, "types of a view", {name: declared.get(name) for name in wanted}, wanted)

    engine_of(f"sqlite:///{copy('sqlalchemy')}", "SQLAlchemy, SQLite", {**common.TYPES, "first_activity": "text"}, True)
    engine_of(f"postgresql+psycopg://postgres@/clients?host={host}", "SQLAlchemy, Postgres", common.TYPES, "typed")


def check_psycopg():
    import psycopg

    client = "psycopg 3"
    with psycopg.connect(host=host, user="postgres", dbname="clients") as connection:
        fill = marks(lambda _: "%s")
        query = lambda sql, parameters=(): connection.execute(fill(sql, len(parameters)), parameters).fetchall()
        common.ask(report, client, query, uuids="typed")
        query(common.RECORD, ("ann", 680, "view"))
        report.check(client, "its own event is seen", query(common.CONTENT, (680,))[0][2], 3)
        connection.rollback()
        report.check(client, "a rolled back event is not", query(common.CONTENT, (680,))[0][2], 2)
        connection.rollback()
        connection.read_only = True
        refused(client, lambda: query(common.RECORD, ("ann", 680, "view")), "readonly")


def check_asyncpg():
    import asyncpg

    async def run():
        client = "asyncpg"
        connection = await asyncpg.connect(host=host, user="postgres", database="clients")
        loop = asyncio.get_running_loop()
        answers = {}

        # The questions are asked twice: first to learn them, then with the answers at hand.
        class Later(Exception):
            pass

        def query(sql, parameters=()):
            key = (sql, tuple(map(str, parameters)))
            if key not in answers:
                raise Later(sql, parameters)
            return answers[key]

        scratch = common.Report(report.expected)
        while True:
            try:
                # asyncpg takes what the server says the parameter is: text for a user's id.
                common.ask(scratch, client, query, integers=False, uuids=True)
                break
            except Later as later:
                sql, parameters = later.args
                rows = await connection.fetch(sql.format(*(f"${i + 1}" for i in range(len(parameters)))), *parameters)
                answers[(sql, tuple(map(str, parameters)))] = [tuple(row) for row in rows]
                scratch = common.Report(report.expected)
        report.clients.update(scratch.clients)
        value = await connection.fetchval("select user_similarity($1::bigint, $2::bigint)", 1, 2)
        report.check(client, "integer ids with a cast", value, report.expected["integer ids"])
        value = await connection.fetchval("select user_similarity($1::uuid, $2::uuid)", *common.UUIDS)
        report.check(client, "uuid ids with a cast", value, report.expected["uuid ids"])
        try:
            async with connection.transaction(readonly=True):
                await connection.fetchval("select record_behavior($1, $2, $3)", "ann", 680, "view")
        except asyncpg.ReadOnlySQLTransactionError as error:
            report.check(client, "read-only: a write is refused", "read-only" in str(error), True)
        else:
            report.check(client, "read-only: a write is refused", "written", "an error")
        await connection.close()
        del loop

    asyncio.run(run())


def check_duckdb():
    import duckdb
    from duckdb_extensions import import_extension

    import_extension("postgres_scanner")
    import_extension("sqlite_scanner")
    connection = duckdb.connect()
    connection.execute("load postgres_scanner; load sqlite_scanner")
    connection.execute(f"attach 'host={host} user=postgres dbname=clients' as pg (type postgres, read_only)")
    rows = connection.execute("select total_views, average_rating, unique_users from pg.content_metrics where content_id = 550").fetchall()
    report.check("DuckDB, postgres scanner", "a view", [[int(r[0]), r[1], int(r[2])] for r in rows], [report.expected["content"]])
    rows = connection.execute("select column_name, data_type from information_schema.columns where table_catalog = 'pg' and table_name = 'content_metrics'").fetchall()
    declared = {name: common.kind(kind) for name, kind in rows}
    report.check("DuckDB, postgres scanner", "types of a view", {name: declared.get(name) for name in common.TYPES}, common.TYPES)
    # DuckDB brings a SQLite of its own that loads no extension: the tables can be read, the views that call functions cannot.
    connection.execute(f"attach '{copy('duckdb')}' as lite (type sqlite, read_only)")
    counts = connection.execute("select user_id, count(*) from lite.user_behaviors group by 1 order by 2 desc, 1 limit 1").fetchall()
    report.check("DuckDB, sqlite scanner", "the log", counts, [("ann", 3)])


for check in (check_sqlite3, check_sqlalchemy, check_psycopg, check_asyncpg, check_duckdb):
    try:
        check()
    except Exception as error:
        report.check(check.__name__, "runs to its end", f"{type(error).__name__}: {error}", None)
sys.exit(report.end() > 0)
