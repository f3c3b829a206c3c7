"""Datasette plugin: every connection gets cotaste, so that its views can be browsed and its functions used in queries."""

import cotaste
from datasette import hookimpl


@hookimpl
def prepare_connection(conn):
    cotaste.load(conn)
