-- Monitored tables: row versions, broadcasts to private topics, their policies, the probe, and `private.watch_table`.

-- Numbers every write of every monitored row. A version is taken under the row's lock, so it only grows, also for a row
-- that is deleted and inserted again under the same id: of two states, readers always know the newer.
create sequence private.row_version;

-- Sets version and times; keeps id, organisation and creation time. A writer's own values are ignored.
create function private.stamp_row() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if tg_op = 'INSERT' then
        new.created_at := coalesce(new.created_at, now());
    else
        new.id := old.id;
        new.org_id := old.org_id;
        new.created_at := old.created_at;
    end if;
    new.version := nextval('private.row_version');
    new.updated_at := clock_timestamp();
    return new;
end
$$;

-- Broadcasts a committed change on the topic of its readers: `org:<org_id>` or `user:<user_id>`, by the trigger's
-- argument. An update carries the new row only: subscribers hold the old one, and messages stay half the size.
create function private.broadcast_row() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    changed record;
    topic text;
    nothing record;
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
    if tg_op = 'DELETE' then
        perform realtime.broadcast_changes(topic, tg_op, tg_op, tg_table_name, tg_table_schema, nothing, old);
    else
        perform realtime.broadcast_changes(topic, tg_op, tg_op, tg_table_name, tg_table_schema, new, nothing);
    end if;
    return null;
end
$$;

-- Tells whether the current user may subscribe to a topic: `org:<org_id>` to members, `user:<user_id>` to that user.
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

create policy "livewatch: members listen to their topics" on realtime.messages
    for select to authenticated
    using (extension in ('broadcast', 'presence') and private.can_subscribe((select realtime.topic())));

-- Allows presence only. Broadcasts come from the database's triggers alone, so no member can forge a change.
create policy "livewatch: members are present on their topics" on realtime.messages
    for insert to authenticated
    with check (extension = 'presence' and private.can_subscribe((select realtime.topic())));

-- The latest probe of each topic, for subscribers that use postgres_changes.
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

-- Sends a probe with a nonce on the path that changes take, so that a subscriber can measure its lag.
create function public.livewatch_probe(topic text, nonce uuid, kind text default 'broadcast') returns void
language plpgsql security definer set search_path = ''
as $$
begin
    if not private.can_subscribe(topic) then
        raise exception 'No probe was sent to the topic %: only its subscribers may ask for one.', to_json(topic)
            using errcode = '42501', hint = 'Become a member of the organisation first.';
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

-- Turns a table of the schema `public` into a monitored one: triggers, row-level security, policies, grants and the
-- publication. Call it once, below `create table`.
--
--   scope      'org': members see the rows. 'user': only the recipient, `user_id`, sees, marks and deletes them.
--   writers    'members': operators and admins write ('org') or send to members ('user'). 'database': only triggers do.
--   markable   Columns that a recipient may update; for the scope 'user'.
create function private.watch_table(
    table_name text, scope text default 'org', writers text default 'members', markable text[] default '{}'
) returns void
language plpgsql set search_path = ''
as $$
declare
    is_personal constant boolean := scope = 'user';
    has_writers constant boolean := writers = 'members';
    column_name text;
    definition text;
begin
    if scope not in ('org', 'user') then
        raise exception 'The scope % of public.% is unknown: use ''org'' or ''user''.', to_json(scope), table_name;
    elsif writers not in ('members', 'database') then
        raise exception 'The writers % of public.% are unknown: use ''members'' or ''database''.',
            to_json(writers), table_name;
    elsif not is_personal and cardinality(markable) > 0 then
        raise exception 'Columns % of public.% cannot be markable: rows of the scope ''org'' have no recipient.',
            markable, table_name using hint = 'Leave markable out, or use the scope ''user''.';
    elsif to_regclass(format('public.%I', table_name)) is null then
        raise exception 'There is no table public.%: create it before the call of private.watch_table.', table_name;
    end if;
    for column_name, definition in
        select needed.name, needed.definition from (values
            ('id', 'uuid primary key default gen_random_uuid()', true),
            ('org_id', 'uuid not null references public.organizations (id) on delete cascade', true),
            ('user_id', 'uuid not null, with a foreign key (org_id, user_id) to public.org_members', is_personal),
            ('version', 'bigint not null default 0', true),
            ('created_at', 'timestamptz not null default now()', true),
            ('updated_at', 'timestamptz not null default now()', true)
        ) as needed (name, definition, is_needed)
        where needed.is_needed and not exists (
            select from pg_catalog.pg_attribute as present
            where present.attrelid = format('public.%I', table_name)::regclass
                and present.attname = needed.name and not present.attisdropped
        )
        limit 1
    loop
        raise exception 'Table public.% lacks the column %: add `% %`.',
            table_name, column_name, column_name, definition using errcode = 'undefined_column';
    end loop;
    if exists (
        select from pg_catalog.pg_trigger as present
        where present.tgrelid = format('public.%I', table_name)::regclass and present.tgname = 'broadcast_row'
    ) then
        raise exception 'Table public.% is watched already: remove the second call of private.watch_table.', table_name
            using errcode = 'duplicate_object';
    end if;

    execute format(
        'create trigger stamp_row before insert or update on public.%I
             for each row execute function private.stamp_row()', table_name);
    execute format(
        'create trigger broadcast_row after insert or update or delete on public.%I
             for each row execute function private.broadcast_row(%L)', table_name, scope);
    execute format('alter table public.%I enable row level security', table_name);
    execute format('revoke all on public.%I from anon, authenticated', table_name);
    execute format('grant select on public.%I to authenticated', table_name);
    execute format('grant all on public.%I to service_role', table_name);
    if has_writers then
        execute format('grant insert on public.%I to authenticated', table_name);
    end if;
    if is_personal then
        perform private.protect_personal_rows(table_name, has_writers, markable);
    else
        perform private.protect_shared_rows(table_name, has_writers);
    end if;
    execute format('alter publication supabase_realtime add table public.%I', table_name);
end
$$;

-- Policies of rows that an organisation shares. A writer cannot move a row elsewhere: stamp_row keeps org_id.
create function private.protect_shared_rows(table_name text, has_writers boolean) returns void
language plpgsql set search_path = ''
as $$
begin
    execute format(
        'create policy "members see" on public.%I
             for select to authenticated using (org_id in (select private.my_orgs()))', table_name);
    if not has_writers then
        return;
    end if;
    execute format('grant update, delete on public.%I to authenticated', table_name);
    execute format(
        'create policy "operators and admins insert" on public.%I
             for insert to authenticated with check (org_id in (select private.my_writable_orgs()))', table_name);
    execute format(
        'create policy "operators and admins update" on public.%I
             for update to authenticated using (org_id in (select private.my_writable_orgs()))', table_name);
    execute format(
        'create policy "operators and admins delete" on public.%I
             for delete to authenticated using (org_id in (select private.my_writable_orgs()))', table_name);
end
$$;

-- Policies of rows that only their recipient sees. A sender cannot read back what it sent.
create function private.protect_personal_rows(table_name text, has_writers boolean, markable text[]) returns void
language plpgsql set search_path = ''
as $$
begin
    execute format('grant delete on public.%I to authenticated', table_name);
    if cardinality(markable) > 0 then
        execute format('grant update (%s) on public.%I to authenticated',
                       (select string_agg(quote_ident(name), ', ') from unnest(markable) as name), table_name);
    end if;
    execute format(
        'create policy "recipients see" on public.%I for select to authenticated
             using (user_id = (select auth.uid()) and org_id in (select private.my_orgs()))', table_name);
    execute format(
        'create policy "recipients mark" on public.%I for update to authenticated
             using (user_id = (select auth.uid()) and org_id in (select private.my_orgs()))', table_name);
    execute format(
        'create policy "recipients delete" on public.%I for delete to authenticated
             using (user_id = (select auth.uid()) and org_id in (select private.my_orgs()))', table_name);
    if has_writers then
        execute format(
            'create policy "operators and admins send to members" on public.%I for insert to authenticated
                 with check (org_id in (select private.my_writable_orgs())
                             and private.is_member(user_id, org_id))', table_name);
    end if;
end
$$;

-- Members learn of their own joining and leaving. The table has no versions, so it is not a monitored one.
create trigger broadcast_row after insert or update or delete on public.org_members
    for each row execute function private.broadcast_row('user');
alter publication supabase_realtime add table public.org_members, public.livewatch_probes;

revoke execute on function public.livewatch_probe(text, uuid, text) from public, anon;
grant execute on function public.livewatch_probe(text, uuid, text) to authenticated, service_role;
revoke execute on all functions in schema private from public;
grant execute on function private.can_subscribe(text) to authenticated, service_role;
