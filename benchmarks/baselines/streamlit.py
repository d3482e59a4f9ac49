"""Baseline in Streamlit: the same cards in a fragment that runs every second; started by `streamlit run`."""

import os

import psycopg
import streamlit as st


@st.cache_resource
def connection() -> psycopg.Connection[tuple[str, str, int, float]]:
    """Return the connection that all sessions share."""
    return psycopg.connect(os.environ["BENCH_DATABASE_URL"], autocommit=True)


@st.fragment(run_every=1.0)
def cards() -> None:
    """Build cards with a name, a progress bar and figures, like the monitoring page."""
    cursor = connection().execute(
        "select id::text, name, completed, percentage from streams where org_id = %s order by created_at, id",
        (os.environ["BENCH_ORG"],),
    )
    columns = st.columns(3)
    for index, (id, name, completed, percentage) in enumerate(cursor.fetchall()):
        with columns[index % 3], st.container(border=True):
            st.write(name)
            st.progress(min(1.0, float(percentage) / 100))
            st.html(
                f'<b data-table="streams" data-id="{id}" data-field="completed">{completed}</b> '
                f'<i data-id="{id}" data-field="percentage">{percentage:.1f}%</i>'
            )


cards()
