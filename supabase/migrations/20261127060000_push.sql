-- Web push: the devices of a person, and what each of them is to be told.

-- A browser that a person chose to be told on. It belongs to a session: signing out ends it.
create table public.push_devices (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references auth.users (id) on delete cascade,
    session_id uuid not null,
    -- Whoever knows these three can send messages to the device.
    endpoint text not null unique check (char_length(endpoint) <= 1000 and endpoint ~ '^https://[^/@\s]+\.[^/@\s]+/'),
    p256dh text not null check (char_length(p256dh) between 86 and 88),
    auth text not null check (char_length(auth) between 22 and 24),
    name text not null check (char_length(name) between 1 and 120),
    -- What the push service answered last, and when.
    answer text check (char_length(answer) <= 400),
    answered_at timestamptz,
    created_at timestamptz not null default now()
);
create index push_devices_user_id_idx on public.push_devices (user_id);
alter table public.push_devices enable row level security;
revoke all on public.push_devices from anon, authenticated;
grant select (id, user_id, session_id, name, answer, answered_at, created_at) on public.push_devices to authenticated;
grant delete on public.push_devices to authenticated;
grant all on public.push_devices to service_role;
create policy "people see their own devices" on public.push_devices for select to authenticated
    using (user_id = (select auth.uid()));
create policy "people remove their own devices" on public.push_devices for delete to authenticated
    using (user_id = (select auth.uid()));

-- Adds the device of the current session, or gives one that is known new keys. A browser has one endpoint: it leaves
-- whoever had it before. Returns its id.
create function public.add_push_device(endpoint text, p256dh text, auth_secret text, name text) returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
    me constant uuid := auth.uid();
    most constant integer := 20;
    added uuid;
begin
    if me is null or not exists (select from auth.sessions as session
                                 where session.id = private.my_session() and session.user_id = me) then
        raise exception 'No device was added: the session has ended. Sign in again.' using errcode = 'LW403';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('push_devices:' || me, 0));
    delete from public.push_devices as device
    where device.user_id = me
        and not exists (select from auth.sessions as session where session.id = device.session_id);
    delete from public.push_devices as device
    where device.endpoint = add_push_device.endpoint and device.user_id <> me;
    if (select count(*) from public.push_devices as device
        where device.user_id = me and device.endpoint <> add_push_device.endpoint) >= most then
        raise exception 'You have % devices already, as many as there may be. Remove one in the settings first.', most
            using errcode = 'LW409';
    end if;
    insert into public.push_devices as device (user_id, session_id, endpoint, p256dh, auth, name)
    values (me, private.my_session(), add_push_device.endpoint, add_push_device.p256dh, auth_secret,
        left(add_push_device.name, 120))
    on conflict on constraint push_devices_endpoint_key do update
        set session_id = excluded.session_id, p256dh = excluded.p256dh, auth = excluded.auth, name = excluded.name,
            answer = null, answered_at = null
    returning device.id into added;
    return added;
end
$$;

-- Removes the own device with this endpoint, which the browser knows; returns whether there was one.
create function public.remove_push_device(endpoint text) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.push_devices as device
    where device.endpoint = remove_push_device.endpoint and device.user_id = auth.uid();
    return found;
end
$$;

-- Returns where an own device is reached, for a test of it.
create function private.own_push_device(device uuid)
returns table (endpoint text, p256dh text, auth text, name text)
language sql stable security definer set search_path = ''
as $$
    select each.endpoint, each.p256dh, each.auth, each.name from public.push_devices as each
    where each.id = own_push_device.device and each.user_id = auth.uid()
$$;

-- A person without an organisation has nothing to be told of.
create function private.remove_push_devices() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.push_devices as device using (select distinct user_id from removed) as gone
    where device.user_id = gone.user_id
        and not exists (select from public.org_members as member where member.user_id = gone.user_id);
    return null;
end
$$;
create trigger remove_push_devices after delete on public.org_members referencing old table as removed
    for each statement execute function private.remove_push_devices();

-- What a device has been told of a group of messages, and when it is looked at next. A group is what one run, or one
-- address, sends; the device shows it as one. There is one row however many messages come, so that a storm of them is
-- one push, and another one when it is over.
create table private.push_groups (
    device_id uuid not null references public.push_devices (id) on delete cascade,
    org_id uuid not null,
    user_id uuid not null,
    table_name text not null,
    tag text not null,
    -- Null once all is said.
    due_at timestamptz,
    -- Whether nothing was new when it was looked at last. A writer that sees this makes it due again, for it may write
    -- after the last look.
    is_closing boolean not null default false,
    attempts integer not null default 0,
    failing_since timestamptz,
    -- The latest version of a row, and how many were unread, when the device was told; both 0 before.
    told_version bigint not null default 0,
    told_unread integer not null default 0,
    changed_at timestamptz not null default clock_timestamp(),
    primary key (device_id, org_id, tag),
    foreign key (org_id, user_id) references public.org_members (org_id, user_id) on delete cascade
);
create index push_groups_due_at_idx on private.push_groups (due_at) where due_at is not null;
create index push_groups_user_idx on private.push_groups (user_id, org_id, tag);
create index push_groups_member_idx on private.push_groups (org_id, user_id);
create index push_groups_changed_at_idx on private.push_groups (changed_at) where due_at is null;
alter table private.push_groups enable row level security;

-- The groups of messages: alerts by their stream, notifications by where they lead.
create function private.alert_tag(stream uuid) returns text
language sql immutable set search_path = ''
as $$
    select 'alerts:' || coalesce(stream::text, '')
$$;
create function private.notification_tag(action_url text) returns text
language sql immutable set search_path = ''
as $$
    select 'notifications:' || coalesce(md5(action_url), '')
$$;
create index signal_alerts_unread_idx on public.signal_alerts (user_id, org_id, private.alert_tag(stream_id))
    where read_at is null and status = 'new';
create index notifications_unread_idx on public.notifications (user_id, org_id, private.notification_tag(action_url))
    where read_at is null;

-- Makes the groups of new messages due, on the devices of their recipients.
create function private.note_pushes() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if tg_table_name = 'signal_alerts' then
        insert into private.push_groups as noted (device_id, org_id, user_id, table_name, tag, due_at)
        select distinct device.id, each.org_id, each.user_id, 'signal_alerts', private.alert_tag(each.stream_id),
            statement_timestamp() + interval '1 second'
        from added as each join public.push_devices as device on device.user_id = each.user_id
        where each.read_at is null and each.status = 'new' and not exists (
            select from private.push_groups as known
            where known.device_id = device.id and known.org_id = each.org_id
                and known.tag = private.alert_tag(each.stream_id) and known.due_at is not null and not known.is_closing)
        on conflict (device_id, org_id, tag) do update
            set due_at = excluded.due_at, is_closing = false, attempts = 0, failing_since = null,
                changed_at = clock_timestamp();
    else
        insert into private.push_groups as noted (device_id, org_id, user_id, table_name, tag, due_at)
        select distinct device.id, each.org_id, each.user_id, 'notifications',
            private.notification_tag(each.action_url), statement_timestamp() + interval '1 second'
        from added as each join public.push_devices as device on device.user_id = each.user_id
        where each.read_at is null and not exists (
            select from private.push_groups as known
            where known.device_id = device.id and known.org_id = each.org_id
                and known.tag = private.notification_tag(each.action_url)
                and known.due_at is not null and not known.is_closing)
        on conflict (device_id, org_id, tag) do update
            set due_at = excluded.due_at, is_closing = false, attempts = 0, failing_since = null,
                changed_at = clock_timestamp();
    end if;
    return null;
end
$$;
create trigger note_pushes after insert on public.signal_alerts referencing new table as added
    for each statement execute function private.note_pushes();
create trigger note_pushes after insert on public.notifications referencing new table as added
    for each statement execute function private.note_pushes();

-- Has devices look again at groups of which messages were read, marked or deleted, if they show them.
create function private.note_reading() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if tg_table_name = 'signal_alerts' then
        update private.push_groups as noted
        set due_at = clock_timestamp() + interval '1 second', is_closing = false, changed_at = clock_timestamp()
        from (select distinct was.user_id, was.org_id, private.alert_tag(was.stream_id) as tag from changed as was) as each
        where noted.user_id = each.user_id and noted.org_id = each.org_id and noted.tag = each.tag
            and noted.told_unread > 0
            and (noted.due_at is null or noted.due_at > clock_timestamp() + interval '1 second' and noted.attempts = 0);
    else
        update private.push_groups as noted
        set due_at = clock_timestamp() + interval '1 second', is_closing = false, changed_at = clock_timestamp()
        from (select distinct was.user_id, was.org_id, private.notification_tag(was.action_url) as tag
              from changed as was) as each
        where noted.user_id = each.user_id and noted.org_id = each.org_id and noted.tag = each.tag
            and noted.told_unread > 0
            and (noted.due_at is null or noted.due_at > clock_timestamp() + interval '1 second' and noted.attempts = 0);
    end if;
    return null;
end
$$;
create trigger note_reading after update on public.signal_alerts referencing old table as changed
    for each statement execute function private.note_reading();
create trigger note_reading after update on public.notifications referencing old table as changed
    for each statement execute function private.note_reading();
create trigger note_deletion after delete on public.signal_alerts referencing old table as changed
    for each statement execute function private.note_reading();
create trigger note_deletion after delete on public.notifications referencing old table as changed
    for each statement execute function private.note_reading();

-- Takes groups that are due, for `lease`: a process that is killed meanwhile leaves them to another one. Devices whose
-- session has ended are removed.
create function private.claim_pushes(batch integer, lease interval)
returns table (
    device_id uuid, org_id uuid, tag text, table_name text, endpoint text, p256dh text, auth text, is_closing boolean,
    attempts integer, failing_since timestamptz, told_version bigint, told_unread integer, version bigint,
    unread integer, rank integer, newest jsonb, badge integer, org_name text, has_other_organizations boolean,
    quiet text, quiet_zone text
)
language plpgsql security definer set search_path = ''
as $$
#variable_conflict use_column
begin
    delete from public.push_devices as device using private.push_groups as due
    where due.due_at <= clock_timestamp() and device.id = due.device_id
        and not exists (select from auth.sessions as session where session.id = device.session_id);
    delete from private.push_groups as old
    where old.due_at is null and old.changed_at < clock_timestamp() - interval '30 days';
    return query
    with taken as (
        update private.push_groups as noted set due_at = clock_timestamp() + lease
        from (
            select due.device_id, due.org_id, due.tag from private.push_groups as due
            where due.due_at <= clock_timestamp() order by due.due_at limit batch for update skip locked
        ) as due
        where noted.device_id = due.device_id and noted.org_id = due.org_id and noted.tag = due.tag
        returning noted.*
    )
    select taken.device_id, taken.org_id, taken.tag, taken.table_name, device.endpoint, device.p256dh, device.auth,
        taken.is_closing, taken.attempts, taken.failing_since, taken.told_version, taken.told_unread,
        coalesce(state.version, 0), coalesce(state.unread, 0)::integer, coalesce(state.rank, 1), state.newest,
        (select count(*)::integer from public.signal_alerts as each
         where each.user_id = taken.user_id and each.read_at is null and each.status = 'new')
        + (select count(*)::integer from public.notifications as each
           where each.user_id = taken.user_id and each.read_at is null),
        (select organization.name from public.organizations as organization where organization.id = taken.org_id),
        (select count(*) > 1 from public.org_members as member where member.user_id = taken.user_id),
        profile.preferences ->> 'quiet', profile.preferences ->> 'quiet_zone'
    from taken join public.push_devices as device on device.id = taken.device_id
    left join public.profiles as profile on profile.user_id = taken.user_id
    left join lateral (
        select max(each.version) as version, count(*) as unread,
            max(array_position(array['low', 'medium', 'high', 'urgent'], each.priority) - 1) as rank,
            (array_agg(jsonb_build_object(
                'title', each.target_name,
                'body', concat_ws(' · ', replace(each.signal_type, '_', ' '), each.company_name,
                    'strength ' || each.signal_strength),
                'url', '/streams/' || each.stream_id, 'is_run', each.stream_id is not null, 'id', each.id)
                order by each.version desc))[1] as newest
        from public.signal_alerts as each
        where taken.table_name = 'signal_alerts' and each.user_id = taken.user_id and each.org_id = taken.org_id
            and private.alert_tag(each.stream_id) = taken.tag and each.read_at is null and each.status = 'new'
        having count(*) > 0
        union all
        select max(each.version), count(*), max(case each.type when 'error' then 2 when 'warning' then 2 else 1 end),
            (array_agg(jsonb_build_object('title', each.title, 'body', each.message, 'url', each.action_url,
                'is_run', each.action_url is not null, 'id', each.id) order by each.version desc))[1]
        from public.notifications as each
        where taken.table_name = 'notifications' and each.user_id = taken.user_id and each.org_id = taken.org_id
            and private.notification_tag(each.action_url) = taken.tag and each.read_at is null
        having count(*) > 0
    ) as state on true;
end
$$;

-- Notes what became of groups that were claimed. Each result has `device_id`, `org_id`, `tag`, `outcome` (`sent`,
-- `nothing`, `quiet`, `later`, `gone` or `refused`), `wait` in seconds, `version` and `unread`, and `answer` for the person.
create function private.settle_pushes(results jsonb) returns void
language plpgsql security definer set search_path = ''
as $$
declare
    result record;
begin
    for result in
        select * from jsonb_to_recordset(results) as each (
            device_id uuid, org_id uuid, tag text, outcome text, wait double precision, version bigint, unread integer,
            answer text)
        order by each.device_id, each.org_id, each.tag
    loop
        if result.outcome = 'gone' then
            delete from public.push_devices as device where device.id = result.device_id;
            continue;
        end if;
        if result.answer is not null then
            update public.push_devices as device
            set answer = left(result.answer, 400), answered_at = clock_timestamp()
            where device.id = result.device_id;
        end if;
        if result.outcome = 'nothing' then
            delete from private.push_groups as noted
            where noted.device_id = result.device_id and noted.org_id = result.org_id and noted.tag = result.tag
                and noted.is_closing and result.unread = 0;
            update private.push_groups as noted
            set due_at = case when noted.is_closing then null else clock_timestamp() + interval '15 seconds' end,
                is_closing = not noted.is_closing, told_unread = result.unread, changed_at = clock_timestamp()
            where noted.device_id = result.device_id and noted.org_id = result.org_id and noted.tag = result.tag;
        else
            update private.push_groups as noted
            set due_at = case when result.wait is not null
                    then clock_timestamp() + make_interval(secs => result.wait) end,
                is_closing = false,
                attempts = case when result.outcome = 'later' then noted.attempts + 1 else 0 end,
                failing_since = case when result.outcome = 'later'
                    then coalesce(noted.failing_since, clock_timestamp()) end,
                told_version = case when result.outcome = 'sent' then result.version else noted.told_version end,
                told_unread = case when result.outcome = 'sent' then result.unread else noted.told_unread end,
                changed_at = clock_timestamp()
            where noted.device_id = result.device_id and noted.org_id = result.org_id and noted.tag = result.tag;
        end if;
    end loop;
end
$$;

-- Marks the unread messages of one group of the current user, as a click in the device's notification does; returns how
-- many there were.
create function public.mark_push_group(org uuid, tag text) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
    marked integer;
begin
    if tag like 'alerts:%' then
        update public.signal_alerts as each set read_at = now(), status = 'acknowledged'
        where each.user_id = (select auth.uid()) and each.org_id = org and each.read_at is null and each.status = 'new'
            and private.alert_tag(each.stream_id) = mark_push_group.tag;
    else
        update public.notifications as each set read_at = now()
        where each.user_id = (select auth.uid()) and each.org_id = org and each.read_at is null
            and private.notification_tag(each.action_url) = mark_push_group.tag;
    end if;
    get diagnostics marked = row_count;
    return marked;
end
$$;

-- Unread messages of the current user in all organisations: the number on the icon of the app.
create function public.push_badge() returns integer
language sql stable security invoker set search_path = ''
as $$
    select (select count(*)::integer from public.signal_alerts as each
            where each.user_id = (select auth.uid()) and each.read_at is null and each.status = 'new')
        + (select count(*)::integer from public.notifications as each
           where each.user_id = (select auth.uid()) and each.read_at is null)
$$;

revoke execute on function
    private.own_push_device(uuid), private.remove_push_devices(), private.alert_tag(uuid),
    private.notification_tag(text), private.note_pushes(), private.note_reading(),
    private.claim_pushes(integer, interval), private.settle_pushes(jsonb) from public;
grant execute on function private.alert_tag(uuid), private.notification_tag(text) to authenticated, service_role;
grant execute on function private.own_push_device(uuid) to authenticated, service_role;
grant execute on function private.claim_pushes(integer, interval), private.settle_pushes(jsonb) to livewatch_app;
revoke execute on function public.add_push_device(text, text, text, text), public.remove_push_device(text),
    public.mark_push_group(uuid, text), public.push_badge() from public, anon;
grant execute on function public.add_push_device(text, text, text, text), public.remove_push_device(text),
    public.mark_push_group(uuid, text), public.push_badge() to authenticated, service_role;
