-- What a program says of a run beside its progress: tags, and the environment in which it runs.
--
-- Environments have a table of their own: rows of runs are broadcast whole with every report, and nobody needs an
-- environment until it is opened.

create table public.run_environments (
    run_id uuid primary key,
    org_id uuid not null references public.organizations (id) on delete cascade,
    kind text not null check (kind in ('streams', 'scans', 'agents')),
    content jsonb not null check (jsonb_typeof(content) = 'object' and octet_length(content::text) <= 65536),
    created_at timestamptz not null default now()
);
create index run_environments_org_id_idx on public.run_environments (org_id);
alter table public.run_environments enable row level security;
revoke all on public.run_environments from anon, authenticated;
grant select on public.run_environments to authenticated;
grant all on public.run_environments to service_role;
create policy "members see" on public.run_environments for select to authenticated
    using (org_id in (select private.my_orgs()));
create policy "keys see" on public.run_environments for select to authenticated
    using (org_id in (select private.ingest_orgs('read')));

-- Deletes the environment of a deleted run.
create function private.delete_environment() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.run_environments where run_id = old.id;
    return null;
end
$$;
create trigger delete_environment after delete on public.streams
    for each row execute function private.delete_environment();
create trigger delete_environment after delete on public.acquisition_scans
    for each row execute function private.delete_environment();
create trigger delete_environment after delete on public.agent_executions
    for each row execute function private.delete_environment();

-- Stores the environment of a run of the current key's organisation. The latest counts: that of the newest attempt, or of
-- several processes that of the one which joined last.
create function private.store_environment(org uuid, kind text, run uuid, content jsonb) returns void
language sql security definer set search_path = ''
as $$
    insert into public.run_environments as known (run_id, org_id, kind, content, created_at)
    select reported.id, reported.org_id, reported.kind, store_environment.content, private.event_time()
    from private.reported_runs as reported
    where reported.id = run and reported.org_id = org and reported.kind = store_environment.kind
        and org in (select private.ingest_orgs('runs'))
    on conflict (run_id) do update set content = excluded.content, created_at = excluded.created_at
$$;

-- Returns the tags of a run with those that a report adds, in the order in which they came; none is removed. `added` is
-- null for a report without any.
create function private.with_tags(tags text[], added jsonb) returns text[]
language plpgsql stable set search_path = ''
as $$
declare
    most constant integer := 20;
    found text[];
begin
    if added is null then
        return tags;
    end if;
    found := tags || array(
        select tag from jsonb_array_elements_text(added) with ordinality as each (tag, place)
        where tag <> all (tags) group by tag order by min(place));
    if cardinality(found) > most then
        perform private.raise_api_error('422', format(
            'tags is %s: a run has at most %s tags, and with these it would have %s. Remove some on its page.',
            added, most, cardinality(found)), 'tags');
    end if;
    return found;
end
$$;

-- Updates unfinished streams, each reported once, in one statement; returns those that there are. What a body leaves out
-- stays.
create or replace function private.update_streams(reports private.run_report[]) returns table (slug text, id uuid)
language plpgsql set search_path = ''
as $$
begin
    return query update public.streams as run set
        name = coalesce(report.body ->> 'name', run.name),
        description = coalesce(report.body ->> 'description', run.description),
        stream_type = coalesce(report.body ->> 'stream_type', run.stream_type),
        total = private.reported_total(report.body, run.total),
        completed = private.advanced(
            coalesce(
                (report.body ->> 'completed')::double precision,
                case when report.body ? 'percent' then private.reported_total(report.body, run.total)
                    * (report.body ->> 'percent')::double precision / 100 end,
                run.completed),
            report.body),
        unit = nullif(coalesce(report.body ->> 'unit', run.unit), ''),
        bars = case when report.body ? 'bars'
            then private.merge_bars(run.bars, report.body -> 'bars', report.reported_at) else run.bars end,
        bar_count = greatest(
            run.bar_count, (report.body ->> 'bar_count')::integer, jsonb_array_length(report.body -> 'bars')),
        goal_status = coalesce(report.body ->> 'status', run.goal_status),
        target_metrics = coalesce(report.body -> 'target_metrics', run.target_metrics),
        metadata = coalesce(report.body -> 'metadata', run.metadata),
        tags = private.with_tags(run.tags, report.body -> 'tags'),
        error = case when report.body ? 'error' then report.body ->> 'error' else run.error end,
        finished_at = private.end_time(report.finished_at, run.created_at),
        heartbeat_at = greatest(run.heartbeat_at, report.reported_at), ingest_key = report.ingest_key
    from unnest(reports) as report
    where run.org_id = report.org and run.slug = report.slug and not run.is_finished
    returning run.slug, run.id;
end
$$;

-- Updates an unfinished run and returns its id; null if there is none. What the body leaves out stays.
create or replace function private.update_run(report private.run_report) returns uuid
language plpgsql set search_path = ''
as $$
declare
    body constant jsonb := report.body;
    new_status constant text := report.body ->> 'status';
    run_id uuid;
begin
    if report.kind = 'streams' then
        select updated.id into run_id from private.update_streams(array[report]) as updated;
    elsif report.kind = 'scans' then
        update public.acquisition_scans as run set
            name = coalesce(body ->> 'name', run.name),
            stream_id = coalesce(report.stream_id, run.stream_id),
            status = coalesce(new_status, run.status),
            steps = coalesce(body -> 'steps', run.steps),
            current_step = coalesce(body ->> 'step', run.current_step),
            progress_percentage = coalesce(
                (body ->> 'progress')::double precision,
                case when new_status = 'completed' and not body ? 'keep_progress' then 100 end,
                private.counted_progress(
                    coalesce((body ->> 'targets_analyzed')::bigint, run.targets_analyzed)
                        + (body ->> 'advance')::bigint,
                    coalesce((body ->> 'targets_identified')::bigint, run.targets_identified)),
                run.progress_percentage),
            targets_identified = coalesce((body ->> 'targets_identified')::bigint, run.targets_identified),
            targets_analyzed = coalesce((body ->> 'targets_analyzed')::bigint, run.targets_analyzed)
                + coalesce((body ->> 'advance')::bigint, 0),
            error = case when body ? 'error' then body ->> 'error' else run.error end,
            tags = private.with_tags(run.tags, body -> 'tags'),
            started_at = coalesce(run.started_at, case when new_status <> 'configuring' then report.reported_at end),
            completed_at = private.end_time(report.finished_at, run.started_at),
            heartbeat_at = greatest(run.heartbeat_at, report.reported_at), ingest_key = report.ingest_key
        where run.org_id = report.org and run.slug = report.slug and not run.is_finished
        returning run.id into run_id;
    else
        update public.agent_executions as run set
            agent_id = coalesce(body ->> 'agent_id', run.agent_id),
            agent_name = coalesce(body ->> 'agent_name', run.agent_name),
            stream_id = coalesce(report.stream_id, run.stream_id),
            status = coalesce(new_status, run.status),
            input_summary = coalesce(body ->> 'input_summary', run.input_summary),
            output_summary = coalesce(body ->> 'output_summary', run.output_summary),
            error = case when body ? 'error' then body ->> 'error' else run.error end,
            tags = private.with_tags(run.tags, body -> 'tags'),
            started_at = coalesce(run.started_at, case when new_status <> 'pending' then report.reported_at end),
            completed_at = private.end_time(report.finished_at, run.started_at),
            duration_ms = extract(epoch from
                private.end_time(report.finished_at, coalesce(run.started_at, report.reported_at))
                - coalesce(run.started_at, report.reported_at)) * 1000,
            heartbeat_at = greatest(run.heartbeat_at, report.reported_at), ingest_key = report.ingest_key
        where run.org_id = report.org and run.slug = report.slug and not run.is_finished
        returning run.id into run_id;
    end if;
    return run_id;
end
$$;

-- Inserts a run and returns its id; null if the slug is taken.
create or replace function private.insert_run(report private.run_report) returns uuid
language plpgsql set search_path = ''
as $$
declare
    body constant jsonb := report.body;
    new_status constant text := report.body ->> 'status';
    run_id uuid;
begin
    if report.kind = 'streams' then
        insert into public.streams as run (
            org_id, slug, name, description, stream_type, total, completed, unit, bars, bar_count, goal_status,
            target_metrics, metadata, created_at, finished_at, heartbeat_at, ingest_key, program,
            tags
        ) values (
            report.org, report.slug, coalesce(body ->> 'name', report.slug), coalesce(body ->> 'description', ''),
            coalesce(body ->> 'stream_type', 'general'), private.reported_total(body, 0),
            private.add_amounts(
                coalesce(
                    (body ->> 'completed')::double precision,
                    private.reported_total(body, 0) * (body ->> 'percent')::double precision / 100, 0),
                coalesce((body ->> 'advance')::double precision, 0)),
            nullif(body ->> 'unit', ''), private.merge_bars('[]', coalesce(body -> 'bars', '[]'), report.reported_at),
            coalesce(greatest((body ->> 'bar_count')::integer, jsonb_array_length(body -> 'bars')), 0),
            coalesce(new_status, 'in_progress'), coalesce(body -> 'target_metrics', '{}'),
            coalesce(body -> 'metadata', '{}'), report.reported_at, report.finished_at, report.reported_at,
            report.ingest_key, body ->> 'program', private.with_tags('{}', body -> 'tags')
        ) on conflict (org_id, slug) do nothing returning run.id into run_id;
    elsif report.kind = 'scans' then
        insert into public.acquisition_scans as run (
            org_id, slug, name, stream_id, status, steps, current_step, progress_percentage, targets_identified,
            targets_analyzed, created_at, started_at, completed_at, heartbeat_at, ingest_key, tags
        ) values (
            report.org, report.slug, coalesce(body ->> 'name', report.slug), report.stream_id,
            coalesce(new_status, 'scanning'), coalesce(body -> 'steps', '[]'), body ->> 'step',
            coalesce(
                (body ->> 'progress')::double precision, case new_status when 'completed' then 100 end,
                private.counted_progress((body ->> 'advance')::bigint, (body ->> 'targets_identified')::bigint), 0),
            coalesce((body ->> 'targets_identified')::bigint, 0),
            coalesce((body ->> 'targets_analyzed')::bigint, 0) + coalesce((body ->> 'advance')::bigint, 0),
            report.reported_at,
            case when new_status is distinct from 'configuring' then report.reported_at end, report.finished_at,
            report.reported_at, report.ingest_key, private.with_tags('{}', body -> 'tags')
        ) on conflict (org_id, slug) do nothing returning run.id into run_id;
    else
        insert into public.agent_executions as run (
            org_id, slug, stream_id, agent_id, agent_name, status, input_summary, output_summary, created_at,
            started_at, completed_at, duration_ms, heartbeat_at, ingest_key, tags
        ) values (
            report.org, report.slug, coalesce(report.stream_id, private.ensure_stream(report.org, 'default')),
            coalesce(body ->> 'agent_id', body ->> 'agent_name', report.slug),
            coalesce(body ->> 'agent_name', report.slug), coalesce(new_status, 'running'), body ->> 'input_summary',
            body ->> 'output_summary', report.reported_at,
            case when new_status is distinct from 'pending' then report.reported_at end,
            report.finished_at, case when report.finished_at is not null then 0 end,
            report.reported_at, report.ingest_key, private.with_tags('{}', body -> 'tags')
        ) on conflict (org_id, slug) do nothing returning run.id into run_id;
    end if;
    return run_id;
end
$$;

-- Updates a run, or creates it at its first report; a report after its end begins the next run of its job. Tries again
-- when another report comes in between.
create or replace function private.upsert_run(org uuid, kind text, slug text, body jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    begins constant boolean := coalesce((body ->> 'begins')::boolean, true);
    report private.run_report;
    earlier private.reported_runs;
    run_id uuid;
    is_new boolean := false;
begin
    for attempt in 1..3 loop
        report := private.read_report(org, kind, slug, body);
        if body ?| array['attempt', 'program'] then
            earlier := private.earlier_run(report);
            if earlier.id is not null then
                perform private.make_way(report, earlier);
            end if;
        end if;
        run_id := private.update_run(report);
        if run_id is null then
            earlier := private.earlier_run(report);
            if earlier.id is null and begins then
                run_id := private.insert_run(report);
                is_new := run_id is not null;
            elsif earlier.id is null then
                perform private.raise_api_error('404', format(
                    'There is no %s/%s to continue: report its beginning first.', kind, slug));
            elsif earlier.is_finished and not private.make_way(report, earlier) then
                perform private.raise_finished(kind, slug, earlier.status);
            end if;
        end if;
        if run_id is not null then
            if body ? 'reporter' then
                perform private.join_run(org, run_id, body ->> 'reporter');
            end if;
            if body ? 'environment' then
                perform private.store_environment(org, kind, run_id, body -> 'environment');
            end if;
            return jsonb_build_object('status', case when is_new then 201 else 200 end, 'id', run_id);
        end if;
    end loop;
    raise exception '%/% was changed by others during 3 attempts: report it again.', kind, slug using errcode = '40001';
end
$$;

revoke execute on function
    private.delete_environment(), private.store_environment(uuid, text, uuid, jsonb),
    private.with_tags(text[], jsonb) from public;
grant execute on function
    private.store_environment(uuid, text, uuid, jsonb), private.with_tags(text[], jsonb)
    to authenticated, service_role;
