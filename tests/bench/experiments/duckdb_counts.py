"""Counts of an experiment in DuckDB: asked `experiment from to`, answers the milliseconds."""
import sys
import time

import duckdb

database = duckdb.connect()
database.execute(
    """
    create table events as
    select column0 as user_id, column2 as action, make_timestamp(column5::bigint * 1000000) as occurred_at,
      column4 ->> 'experimentName' as experiment, column4 ->> 'experimentVariant' as variant
    from read_csv(?, delim = '\t', header = false, quote = '', all_varchar = true)
    """,
    [sys.argv[1]],
)
print("ready", flush=True)
for line in sys.stdin:
    experiment, start, end = line.split()
    begun = time.perf_counter()
    database.execute(
        """
        with exposed as (
          select user_id, min(variant) as variant, max(variant) as last_variant, min(occurred_at) as first_exposure
          from events
          where experiment = $1 and variant is not null and occurred_at >= $2::timestamp and occurred_at < $3::timestamp
          group by user_id
        ),
        users as (
          select x.variant, x.user_id, count(*) filter (e.action = 'view') as views, count(*) filter (e.action = 'complete') as goals
          from exposed x
          join events e on e.user_id = x.user_id and e.occurred_at >= x.first_exposure and e.occurred_at < $3::timestamp
          where x.variant = x.last_variant
          group by x.variant, x.user_id
        )
        select variant, count(*), sum(views), count(*) filter (goals > 0), sum(goals) from users group by variant order by variant
        """,
        [experiment, start, end],
    ).fetchall()
    print((time.perf_counter() - begun) * 1e3, flush=True)
