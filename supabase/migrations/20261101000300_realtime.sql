-- Every committed change of a monitored row, as a private broadcast on the topic of those who may see it.

-- Called with the column whose value names the topic: ('org', 'org_id') or ('user', 'user_id').
-- An update carries the new row only: readers hold the old one, and a message stays half the size.
create function private.broadcast_row() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    scope text := tg_argv[0];
    scope_column text := tg_argv[1];
    nothing record;
begin
    if tg_op = 'DELETE' then
        perform realtime.broadcast_changes(
            scope || ':' || (to_jsonb(old) ->> scope_column),
            tg_op, tg_op, tg_table_name, tg_table_schema, nothing, old);
    else
        perform realtime.broadcast_changes(
            scope || ':' || (to_jsonb(new) ->> scope_column),
            tg_op, tg_op, tg_table_name, tg_table_schema, new, nothing);
    end if;
    return null;
end
$$;
revoke execute on function private.broadcast_row() from public;

create trigger broadcast_row after insert or update or delete on public.streams
    for each row execute function private.broadcast_row('org', 'org_id');
create trigger broadcast_row after insert or update or delete on public.acquisition_scans
    for each row execute function private.broadcast_row('org', 'org_id');
create trigger broadcast_row after insert or update or delete on public.agent_executions
    for each row execute function private.broadcast_row('org', 'org_id');
create trigger broadcast_row after insert or update or delete on public.signal_alerts
    for each row execute function private.broadcast_row('user', 'user_id');
create trigger broadcast_row after insert or update or delete on public.notifications
    for each row execute function private.broadcast_row('user', 'user_id');
create trigger broadcast_row after insert or update or delete on public.org_members
    for each row execute function private.broadcast_row('user', 'user_id');

-- Topics are org:<org_id> for members and user:<user_id> for that user alone.
create function private.may_listen(topic text) returns boolean
language plpgsql stable security definer set search_path = ''
as $$
begin
    return case split_part(topic, ':', 1)
        when 'org' then private.is_member((select auth.uid()), split_part(topic, ':', 2)::uuid)
        when 'user' then topic = 'user:' || (select auth.uid())::text
        else false
    end;
exception when invalid_text_representation then
    return false;
end
$$;
revoke execute on function private.may_listen(text) from public;
grant execute on function private.may_listen(text) to authenticated, service_role;

create policy "livewatch: members listen to their topics" on realtime.messages
    for select to authenticated
    using (extension in ('broadcast', 'presence') and private.may_listen((select realtime.topic())));

-- Presence only: nobody but the database's triggers may broadcast on these topics, so no member can forge a change.
create policy "livewatch: members are present on their topics" on realtime.messages
    for insert to authenticated
    with check (extension = 'presence' and private.may_listen((select realtime.topic())));

-- The canary: a listener asks the database to broadcast a nonce on its topic, and times its return.
create function public.livewatch_canary(topic text, nonce uuid) returns void
language plpgsql security definer set search_path = ''
as $$
begin
    if not private.may_listen(topic) then
        raise exception 'not a listener of topic %', topic using errcode = '42501';
    end if;
    perform realtime.send(jsonb_build_object('nonce', nonce), 'canary', topic, true);
end
$$;
revoke execute on function public.livewatch_canary(text, uuid) from public, anon;
grant execute on function public.livewatch_canary(text, uuid) to authenticated, service_role;

-- For projects that consume postgres_changes instead of broadcasts.
alter publication supabase_realtime add table
    public.streams, public.acquisition_scans, public.agent_executions,
    public.signal_alerts, public.notifications, public.org_members;
