-- Presence: who is online and what they look at, reported by the app's processes; and typing indicators.

-- One row per organisation and process of the app, with the people who have a window there. `people` holds user_id, name,
-- since, is_idle and places of each; a place has a page's path and title, the selected row and is_idle.
create table public.viewers (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    process uuid not null,
    people jsonb not null check (jsonb_typeof(people) = 'array'),
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (org_id, process)
);
select private.watch_table('viewers', writers => 'database');

-- Tells whether a person wants to be shown as online.
create function private.is_shown(person uuid) returns boolean
language sql stable security definer set search_path = ''
as $$
    select coalesce(
        (select preferences -> 'online' from public.profiles where user_id = person) is distinct from 'false', true)
$$;

-- Heartbeats of the app's processes, apart from the people who have windows there: a row of `viewers` changes, and is sent
-- to everybody, only when its people do. A row of 16 KB every 15 s would be 90 MB of stored broadcasts a day.
create table private.viewer_processes (
    process uuid primary key,
    -- By the database's clock; a process that is silent for 45 s is taken for dead.
    seen_at timestamptz not null default clock_timestamp()
);
alter table private.viewer_processes enable row level security;

-- Takes the reports of one process, each with org_id and people, and with them its heartbeat. Keeps of these the present
-- members who want to be seen, with the names of their profiles and the time since which they are here; without any, the
-- process has no row. Forgets the people of dead processes in the same organisations. Returns the organisations whose rows
-- others are changing just now, to be reported again.
--
-- It waits for no lock, since it locks rows of several organisations, in an order that a deletion of members or of an
-- organisation does not know. These wait for it instead, so that nobody who was removed is written afterwards.
create function private.report_viewers(process uuid, reports jsonb) returns setof uuid
language plpgsql security definer set search_path = ''
as $$
declare
    alive_since constant timestamptz := clock_timestamp() - interval '45 s';
    max_people constant integer := 200;
    org uuid;
    reported jsonb;
    present jsonb;
begin
    insert into private.viewer_processes as known (process) values (report_viewers.process)
    on conflict on constraint viewer_processes_pkey do update set seen_at = excluded.seen_at;
    delete from private.viewer_processes as dead where dead.process in (
        select silent.process from private.viewer_processes as silent
        where silent.seen_at < alive_since for update skip locked
    );
    for org, reported in
        select (report ->> 'org_id')::uuid, report -> 'people' from jsonb_array_elements(reports) as report
    loop
        perform from public.organizations where id = org for key share skip locked;
        if not found then
            if exists (select from public.organizations where id = org) then
                return next org;
            end if;
            continue;
        end if;
        perform from public.viewers as known
        where known.org_id = org and known.process = report_viewers.process
        for update skip locked;
        if not found and exists (
            select from public.viewers as known
            where known.org_id = org and known.process = report_viewers.process
        ) then
            return next org;
            continue;
        end if;
        with members as materialized (
            select member.user_id from public.org_members as member
            where member.org_id = org and member.user_id in (
                select (person ->> 'user_id')::uuid from jsonb_array_elements(reported) as person
            )
            for key share skip locked
        ), before as (
            select person ->> 'user_id' as user_id, person -> 'since' as since
            from public.viewers as known, jsonb_array_elements(known.people) as person
            where known.org_id = org and known.process = report_viewers.process
        ), shown as (
            select given.place, given.person || jsonb_build_object(
                'name', profile.display_name, 'since', coalesce(before.since, to_jsonb(clock_timestamp()))
            ) as person
            from jsonb_array_elements(reported) with ordinality as given (person, place)
            join members on members.user_id = (given.person ->> 'user_id')::uuid
            join public.profiles as profile on profile.user_id = members.user_id
            left join before on before.user_id = given.person ->> 'user_id'
            where private.is_shown(members.user_id)
            order by given.place
            limit max_people
        )
        select jsonb_agg(shown.person order by shown.place) into present from shown;
        if present is null then
            delete from public.viewers as known
            where known.org_id = org and known.process = report_viewers.process;
        else
            update public.viewers as known set people = present
            where known.org_id = org and known.process = report_viewers.process and known.people <> present;
            insert into public.viewers (org_id, process, people) values (org, report_viewers.process, present)
            on conflict on constraint viewers_org_id_process_key do nothing;
        end if;
        delete from public.viewers where id in (
            select theirs.id from public.viewers as theirs
            where theirs.org_id = org and not exists (
                select from private.viewer_processes as alive where alive.process = theirs.process
            )
            for update skip locked
        );
    end loop;
end
$$;

-- Removes a person from the rows of an organisation, or of all for null.
create function private.forget_viewer(person uuid, org uuid) returns void
language sql security definer set search_path = ''
as $$
    update public.viewers set people = (
        select coalesce(jsonb_agg(other order by place), '[]')
        from jsonb_array_elements(people) with ordinality as given (other, place)
        where other ->> 'user_id' <> person::text
    )
    where (org is null or org_id = org)
        and people @> jsonb_build_array(jsonb_build_object('user_id', person))
$$;

-- Those who are removed, and those who do not want to be seen any more, are gone from every row at once.
create function private.forget_removed_viewer() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform private.forget_viewer(old.user_id, old.org_id);
    return null;
end
$$;
create trigger forget_removed_viewer after delete on public.org_members
    for each row execute function private.forget_removed_viewer();

create function private.forget_invisible_viewer() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform private.forget_viewer(new.user_id, null);
    return null;
end
$$;
create trigger forget_invisible_viewer after update of preferences on public.profiles
    for each row when (
        new.preferences -> 'online' = 'false' and new.preferences -> 'online' is distinct from old.preferences -> 'online'
    )
    execute function private.forget_invisible_viewer();

-- Tells an organisation that a person is typing: about a subject, and in which way (kind). Only present members who want
-- to be seen are told of, and by the name of their profile. Nothing is stored.
create function private.report_typing(org uuid, person uuid, subject text, kind text) returns void
language sql security definer set search_path = ''
as $$
    select realtime.send(
        jsonb_build_object(
            'user_id', member.user_id, 'name', profile.display_name, 'subject', left(subject, 200),
            'kind', left(kind, 40)
        ),
        'typing', 'org:' || member.org_id, true
    )
    from public.org_members as member
    join public.profiles as profile on profile.user_id = member.user_id
    where member.org_id = org and member.user_id = person and private.is_shown(person)
$$;

-- By the app's own role only: a user could name others.
revoke execute on all functions in schema private from public;
grant execute on function private.report_viewers(uuid, jsonb), private.report_typing(uuid, uuid, text, text)
    to livewatch_app;
