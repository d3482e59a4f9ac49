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
create function private.can_subscribe(topic text) returns boolean
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
revoke execute on function private.can_subscribe(text) from public;
grant execute on function private.can_subscribe(text) to authenticated, service_role;

create policy "livewatch: members listen to their topics" on realtime.messages
    for select to authenticated
    using (extension in ('broadcast', 'presence') and private.can_subscribe((select realtime.topic())));

-- Presence only: nobody but the database's triggers may broadcast on these topics, so no member can forge a change.
create policy "livewatch: members are present on their topics" on realtime.messages
    for insert to authenticated
    with check (extension = 'presence' and private.can_subscribe((select realtime.topic())));

-- The probe: a listener asks the database for a nonce by the way that changes go, and times its arrival. It goes as a
-- broadcast, or for those who consume postgres_changes as a row of its own.
create table public.livewatch_probes (
    topic text primary key,
    nonce uuid not null
);
alter table public.livewatch_probes enable row level security;
revoke all on public.livewatch_probes from anon, authenticated;
grant select on public.livewatch_probes to authenticated;
grant all on public.livewatch_probes to service_role;
create policy "listeners see the probe of their topic" on public.livewatch_probes
    for select to authenticated using (private.can_subscribe(topic));

create function public.livewatch_probe(topic text, nonce uuid, kind text default 'broadcast') returns void
language plpgsql security definer set search_path = ''
as $$
begin
    if not private.can_subscribe(topic) then
        raise exception 'not a listener of topic %', topic using errcode = '42501';
    end if;
    if kind = 'postgres_changes' then
        insert into public.livewatch_probes as probe (topic, nonce)
        values (livewatch_probe.topic, livewatch_probe.nonce)
        on conflict on constraint livewatch_probes_pkey do update set nonce = excluded.nonce;
    else
        perform realtime.send(jsonb_build_object('nonce', nonce), 'probe', topic, true);
    end if;
end
$$;
revoke execute on function public.livewatch_probe(text, uuid, text) from public, anon;
grant execute on function public.livewatch_probe(text, uuid, text) to authenticated, service_role;

-- For projects that consume postgres_changes instead of broadcasts.
alter publication supabase_realtime add table
    public.streams, public.acquisition_scans, public.agent_executions,
    public.signal_alerts, public.notifications, public.org_members, public.livewatch_probes;
