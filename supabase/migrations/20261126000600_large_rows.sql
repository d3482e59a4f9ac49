-- Rows beyond the size of a broadcast, and the order of exports.

-- Broadcasts a committed change like before, but of a row that is too large only its key: a hosted project drops a
-- broadcast of more than 256 KB, and clients close a connection that brings more than 1 MB. Subscribers read the row.
create or replace function private.broadcast_row() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    max_bytes constant integer := 200000;
    -- A row of fewer bytes cannot be larger than that, however well it was compressed.
    min_bytes constant integer := 700;
    changed record;
    topic text;
    nothing record;
    content jsonb;
begin
    if tg_op = 'DELETE' then
        changed := old;
    else
        changed := new;
    end if;
    if tg_argv[0] = 'org' then
        topic := 'org:' || changed.org_id;
    else
        topic := 'user:' || changed.user_id;
    end if;
    if pg_column_size(changed) > min_bytes then
        content := to_jsonb(changed);
        if octet_length(content::text) > max_bytes then
            perform realtime.send(
                jsonb_build_object(
                    'schema', tg_table_schema, 'table', tg_table_name, 'operation', tg_op, 'key_only', true,
                    case when tg_op = 'DELETE' then 'old_record' else 'record' end,
                    jsonb_build_object('id', content -> 'id', 'version', content -> 'version')
                ),
                tg_op, topic, true
            );
            return null;
        end if;
    end if;
    if tg_op = 'DELETE' then
        perform realtime.broadcast_changes(topic, tg_op, tg_op, tg_table_name, tg_table_schema, nothing, old);
    else
        perform realtime.broadcast_changes(topic, tg_op, tg_op, tg_table_name, tg_table_schema, new, nothing);
    end if;
    return null;
end
$$;

-- Exports read page by page, newest first.
create index streams_org_id_created_at_idx on public.streams (org_id, created_at desc, id desc);
create index acquisition_scans_org_id_created_at_idx on public.acquisition_scans (org_id, created_at desc, id desc);
create index signal_alerts_user_id_created_at_idx on public.signal_alerts (user_id, created_at desc, id desc);
