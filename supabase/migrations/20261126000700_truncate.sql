-- Truncated tables: no trigger for rows fires, so each topic that has rows is told to read the table again.

create function private.announce_truncate() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    topic text;
begin
    for topic in execute format(
        'select distinct %L || %I from %I.%I',
        tg_argv[0] || ':', tg_argv[0] || '_id', tg_table_schema, tg_table_name
    ) loop
        perform realtime.send(
            jsonb_build_object('schema', tg_table_schema, 'table', tg_table_name, 'operation', tg_op), tg_op, topic, true);
    end loop;
    return null;
end
$$;
revoke execute on function private.announce_truncate() from public;

-- The triggers, policies and grants of a monitored table, and since here also the trigger for truncation. The parameters
-- are those of `watch_rows`.
alter function private.watch_table(text, text, text, text[]) rename to watch_rows;
create function private.watch_table(
    table_name text, scope text default 'org', writers text default 'members', markable text[] default '{}'
) returns void
language plpgsql set search_path = ''
as $$
begin
    perform private.watch_rows(table_name, scope, writers, markable);
    execute format(
        'create trigger announce_truncate before truncate on public.%I
             for each statement execute function private.announce_truncate(%L)', table_name, scope);
end
$$;
revoke execute on function private.watch_table(text, text, text, text[]) from public;

do $$
declare
    watched record;
begin
    for watched in
        select class.relname as name, encode(rows.tgargs, 'escape') as arguments
        from pg_catalog.pg_trigger as rows join pg_catalog.pg_class as class on class.oid = rows.tgrelid
        where rows.tgname = 'broadcast_row'
    loop
        execute format(
            'create trigger announce_truncate before truncate on public.%I
                 for each statement execute function private.announce_truncate(%L)',
            watched.name, case when watched.arguments like 'user%' then 'user' else 'org' end);
    end loop;
end
$$;
