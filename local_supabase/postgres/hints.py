"""Hints for statements that work on a hosted project and fail here, because a part of the platform is missing."""

import re

import psycopg

# By the schema that a part of the platform brings.
SCHEMAS = {
    "cron": "pg_cron", "graphql": "pg_graphql", "net": "pg_net", "pgmq": "Queues (pgmq)", "pgsodium": "pgsodium",
    "supabase_functions": "database webhooks", "vault": "Vault",
}  # fmt: skip
FUNCTIONS = {
    "crypt": "create users by the admin API, which hashes passwords with argon2id",
    "gen_salt": "create users by the admin API, which hashes passwords with argon2id",
    "uuid_generate_v4": "call gen_random_uuid(), which needs no extension",
}
_MISSING_SCHEMA = re.compile(rf'(?:schema "|relation "|type "|function )({"|".join(SCHEMAS)})\b')
_MISSING_FUNCTION = re.compile(rf"function (?:\w+\.)?({'|'.join(FUNCTIONS)})\(")
_EXTENSION = re.compile(r'extension "(.+)" is not available')


def hint_of(error: psycopg.Error) -> str | None:
    """Return what to do about a failed statement; PostgreSQL's own hint unless a part of the platform is missing."""
    message = error.diag.message_primary or ""
    if isinstance(error, psycopg.errors.ActiveSqlTransaction):
        return "migrations run in a transaction, so leave this statement out, or run it with psql"
    if _EXTENSION.search(message):
        return (
            "the embedded PostgreSQL brings only the extensions plpgsql and vector: leave this one out, "
            "or create it only where pg_available_extensions lists it"
        )
    if match := _MISSING_SCHEMA.search(message):
        return (
            f"the local Supabase has no {SCHEMAS[match[1]]}: leave this statement out, or run it only where it exists"
        )
    if match := _MISSING_FUNCTION.search(message):
        return f"its extension is not in the embedded PostgreSQL: {FUNCTIONS[match[1]]}"
    return error.diag.message_hint
