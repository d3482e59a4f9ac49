-- Status pages: what everybody who has a link sees of chosen jobs, without signing in. There is none unless an admin
-- makes one, and it is off until it is switched on.
--
-- A page is read by one function, which takes the token of its link and which only the app itself may call. What it
-- returns is all that leaves an organisation: no errors, no lines of logs, no people, no other jobs.

create table public.status_pages (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    title text not null check (char_length(btrim(title)) between 1 and 120),
    about text not null default '' check (char_length(about) <= 1000),
    is_enabled boolean not null default false,
    created_at timestamptz not null default now(),
    unique (id, org_id)
);
create index status_pages_org_id_idx on public.status_pages (org_id);

-- Readable as it is, since admins are shown the link again; 244 random bits.
create table public.status_page_links (
    page_id uuid primary key,
    org_id uuid not null,
    token text not null unique default translate(encode(decode(
        replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'), 'base64'), '+/=', '-_'),
    foreign key (page_id, org_id) references public.status_pages (id, org_id) on delete cascade
);
create index status_page_links_org_id_idx on public.status_page_links (org_id);

create table public.status_page_jobs (
    page_id uuid not null,
    org_id uuid not null,
    job_id uuid not null,
    public_name text not null check (char_length(btrim(public_name)) between 1 and 120),
    position smallint not null,
    primary key (page_id, job_id),
    foreign key (page_id, org_id) references public.status_pages (id, org_id) on delete cascade,
    foreign key (job_id, org_id) references public.jobs (id, org_id) on delete cascade
);
create index status_page_jobs_job_id_idx on public.status_page_jobs (job_id, org_id);

-- What operators tell the public; it is over at `resolved_at`.
create table public.status_notes (
    id uuid primary key default gen_random_uuid(),
    page_id uuid not null,
    org_id uuid not null,
    title text not null check (char_length(btrim(title)) between 1 and 120),
    body text not null default '' check (char_length(body) <= 2000),
    created_at timestamptz not null default now(),
    resolved_at timestamptz,
    foreign key (page_id, org_id) references public.status_pages (id, org_id) on delete cascade
);
create index status_notes_page_id_idx on public.status_notes (page_id, created_at desc);

alter table public.status_pages enable row level security;
alter table public.status_page_links enable row level security;
alter table public.status_page_jobs enable row level security;
alter table public.status_notes enable row level security;
revoke all on public.status_pages, public.status_page_links, public.status_page_jobs, public.status_notes
    from anon, authenticated;
grant select on public.status_pages, public.status_page_links, public.status_page_jobs, public.status_notes
    to authenticated;
grant all on public.status_pages, public.status_page_links, public.status_page_jobs, public.status_notes
    to service_role;
create policy "members see" on public.status_pages for select to authenticated
    using (org_id in (select private.my_orgs()));
create policy "admins see" on public.status_page_links for select to authenticated
    using (org_id in (select private.my_administered_orgs()));
create policy "members see" on public.status_page_jobs for select to authenticated
    using (org_id in (select private.my_orgs()));
create policy "members see" on public.status_notes for select to authenticated
    using (org_id in (select private.my_orgs()));

-- Makes a page, or changes the one with the id; returns its id. `jobs` lists {"id", "name"} in the order of the page.
create function public.put_status_page(
    org uuid, page uuid, title text, about text, is_enabled boolean, jobs jsonb) returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
    written uuid;
begin
    if org not in (select private.my_administered_orgs()) then
        raise exception 'The status page % was not saved: only admins may publish.', put_status_page.title
            using errcode = 'LW403';
    elsif jsonb_array_length(put_status_page.jobs) > 50 then
        raise exception 'The status page was not saved: it has % jobs, and 50 are the most. Make a second page.',
            jsonb_array_length(put_status_page.jobs) using errcode = 'LW422';
    elsif exists (
        select from jsonb_to_recordset(put_status_page.jobs) as each (id uuid, name text)
        where not exists (select from public.jobs as job where job.id = each.id and job.org_id = org)
    ) then
        raise exception 'The status page was not saved: one of its jobs is gone. Choose the jobs again.'
            using errcode = 'LW422';
    end if;
    if page is null then
        if (select count(*) from public.status_pages as one where one.org_id = org) >= 20 then
            raise exception 'The status page was not made: an organisation has at most 20. Remove one first.'
                using errcode = 'LW422';
        end if;
        insert into public.status_pages (org_id, title, about, is_enabled)
        values (org, btrim(put_status_page.title), put_status_page.about, put_status_page.is_enabled)
        returning id into written;
        insert into public.status_page_links (page_id, org_id) values (written, org);
    else
        update public.status_pages as one set title = btrim(put_status_page.title), about = put_status_page.about,
            is_enabled = put_status_page.is_enabled
        where one.id = page and one.org_id = org returning one.id into written;
        if written is null then
            raise exception 'There is no such status page: it was removed.' using errcode = 'LW404';
        end if;
        delete from public.status_page_jobs as chosen where chosen.page_id = written;
    end if;
    insert into public.status_page_jobs (page_id, org_id, job_id, public_name, position)
    select written, org, (each.value ->> 'id')::uuid, btrim(each.value ->> 'name'), each.ordinality
    from jsonb_array_elements(put_status_page.jobs) with ordinality as each;
    perform private.note_audit(org, case when page is null then 'status_page.created' else 'status_page.changed' end,
        btrim(put_status_page.title), null,
        jsonb_build_object('is_enabled', put_status_page.is_enabled, 'jobs', put_status_page.jobs));
    return written;
end
$$;

-- Gives a page a new link; the old one leads nowhere from then on. Returns whether there is such a page.
create function public.renew_status_link(org uuid, page uuid) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
    if org not in (select private.my_administered_orgs()) then
        raise exception 'The link was not changed: only admins may publish.' using errcode = 'LW403';
    end if;
    update public.status_page_links as link set token = default where link.page_id = page and link.org_id = org;
    if not found then
        return false;
    end if;
    perform private.note_audit(org, 'status_page.link_renewed',
        (select one.title from public.status_pages as one where one.id = page));
    return true;
end
$$;

-- Removes a page with its link and notes; returns whether there was such a page.
create function public.remove_status_page(org uuid, page uuid) returns boolean
language plpgsql security definer set search_path = ''
as $$
declare
    gone text;
begin
    if org not in (select private.my_administered_orgs()) then
        raise exception 'The status page was not removed: only admins may publish.' using errcode = 'LW403';
    end if;
    delete from public.status_pages as one where one.id = page and one.org_id = org returning one.title into gone;
    if gone is null then
        return false;
    end if;
    perform private.note_audit(org, 'status_page.removed', gone);
    return true;
end
$$;

-- Publishes a note on a page.
create function public.add_status_note(org uuid, page uuid, title text, body text) returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
    written uuid;
begin
    if org not in (select private.my_writable_orgs()) then
        raise exception 'The note was not published: only operators and admins may write notes.'
            using errcode = 'LW403';
    elsif not exists (select from public.status_pages as one where one.id = page and one.org_id = org) then
        raise exception 'There is no such status page: it was removed.' using errcode = 'LW404';
    end if;
    insert into public.status_notes (page_id, org_id, title, body)
    values (page, org, btrim(add_status_note.title), add_status_note.body) returning id into written;
    perform private.note_audit(org, 'status_note.published', btrim(add_status_note.title));
    return written;
end
$$;

-- Ends what a note tells of, or removes the note; returns whether there is such a note.
create function public.end_status_note(org uuid, note uuid, is_removed boolean) returns boolean
language plpgsql security definer set search_path = ''
as $$
declare
    ended text;
begin
    if org not in (select private.my_writable_orgs()) then
        raise exception 'The note was not changed: only operators and admins may write notes.' using errcode = 'LW403';
    end if;
    if is_removed then
        delete from public.status_notes as one where one.id = note and one.org_id = org returning one.title into ended;
    else
        update public.status_notes as one set resolved_at = coalesce(one.resolved_at, now())
        where one.id = note and one.org_id = org returning one.title into ended;
    end if;
    if ended is null then
        return false;
    end if;
    perform private.note_audit(org, case when is_removed then 'status_note.removed' else 'status_note.resolved' end,
        ended);
    return true;
end
$$;

-- The newest run of a job, and how the newest one that ended did.
create function private.status_of_job(job public.jobs) returns jsonb
language sql stable set search_path = ''
as $$
    with runs as (
        (select number, goal_status as status, is_finished, incidents, goal_status <> 'not_started' as has_begun,
             finished_at
         from public.streams where job.kind = 'streams' and job_id = job.id order by number desc limit 20)
        union all
        (select number, status, is_finished, incidents, started_at is not null, completed_at
         from public.acquisition_scans where job.kind = 'scans' and job_id = job.id order by number desc limit 20)
        union all
        (select number, status, is_finished, incidents, started_at is not null, completed_at
         from public.agent_executions where job.kind = 'agents' and job_id = job.id order by number desc limit 20)
    ), judged as (
        select *, case when is_finished or status in ('failed', 'blocked') then private.outcome(status) end as outcome
        from runs
    )
    select jsonb_build_object(
        'is_late', exists (
            select from public.schedules as one
            where one.job_id = job.id and one.late_since is not null and one.paused_at is null),
        'last', (select jsonb_build_object('outcome', outcome, 'incidents', incidents, 'has_begun', has_begun)
                 from judged order by number desc limit 1),
        'ended', (select jsonb_build_object('outcome', outcome, 'at', finished_at)
                  from judged where outcome is not null order by number desc limit 1))
$$;

-- Returns what is public of the page with a link; null for a link that leads nowhere, and for a page that is off.
create function private.read_status_page(link text) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select jsonb_build_object(
        'title', page.title, 'about', page.about, 'at', now(),
        'jobs', coalesce((
            select jsonb_agg(jsonb_build_object(
                'name', chosen.public_name, 'kind', job.kind, 'slug', job.slug,
                'run', private.status_of_job(job),
                'days', coalesce((
                    select jsonb_object_agg(day.at, day.counts) from (
                        select part.at, jsonb_object_agg(part.measure, part.count) as counts from (
                            select to_char(each.at at time zone 'UTC', 'YYYY-MM-DD') as at, each.measure,
                                sum(each.count) as count
                            from (
                                select known.at, known.measure, known.count from public.run_rollups as known
                                where known.org_id = page.org_id and known.grain = 'day' and known.job_id = job.id
                                    and known.measure in ('succeeded', 'failed', 'stopped')
                                    and known.at >= date_trunc('day', now(), 'UTC') - interval '89 days'
                                union all
                                select fresh.at, fresh.measure, fresh.count from public.run_rollup_changes as fresh
                                where fresh.org_id = page.org_id and fresh.job_id = job.id and isfinite(fresh.at)
                                    and fresh.measure in ('succeeded', 'failed', 'stopped')
                                    and fresh.at >= date_trunc('day', now(), 'UTC') - interval '89 days'
                            ) as each
                            group by 1, 2 having sum(each.count) > 0
                        ) as part group by part.at
                    ) as day), '{}')
                ) order by chosen.position)
            from public.status_page_jobs as chosen join public.jobs as job on job.id = chosen.job_id
            where chosen.page_id = page.id and job.org_id = page.org_id), '[]'),
        'incidents', coalesce((
            select jsonb_agg(jsonb_build_object('name', found.public_name, 'kind', found.kind,
                'began_at', found.began_at, 'recovered_at', found.recovered_at) order by found.created_at desc)
            from (
                select chosen.public_name, one.kind, one.began_at, one.recovered_at, one.created_at
                from public.status_page_jobs as chosen join public.incidents as one on one.job_id = chosen.job_id
                where chosen.page_id = page.id and one.org_id = page.org_id and isfinite(one.began_at)
                    and (one.created_at > now() - interval '14 days' or one.recovered_at is null)
                order by one.created_at desc limit 50
            ) as found), '[]'),
        'notes', coalesce((
            select jsonb_agg(jsonb_build_object('title', note.title, 'body', note.body, 'at', note.created_at,
                'resolved_at', note.resolved_at) order by note.created_at desc)
            from (
                select * from public.status_notes as one
                where one.page_id = page.id
                    and (one.created_at > now() - interval '14 days' or one.resolved_at is null)
                order by one.created_at desc limit 50
            ) as note), '[]'))
    from public.status_page_links as given join public.status_pages as page on page.id = given.page_id
    where given.token = read_status_page.link and page.is_enabled
$$;

revoke execute on function private.status_of_job(public.jobs), private.read_status_page(text) from public;
grant execute on function private.read_status_page(text) to livewatch_app;
revoke execute on function
    public.put_status_page(uuid, uuid, text, text, boolean, jsonb), public.renew_status_link(uuid, uuid),
    public.remove_status_page(uuid, uuid), public.add_status_note(uuid, uuid, text, text),
    public.end_status_note(uuid, uuid, boolean) from public, anon;
grant execute on function
    public.put_status_page(uuid, uuid, text, text, boolean, jsonb), public.renew_status_link(uuid, uuid),
    public.remove_status_page(uuid, uuid), public.add_status_note(uuid, uuid, text, text),
    public.end_status_note(uuid, uuid, boolean) to authenticated, service_role;
