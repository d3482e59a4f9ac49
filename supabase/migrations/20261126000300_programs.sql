-- Programs: the streams that one process started one after the other know each other, so that lists can fold them.

-- Identifier that the process made for itself; null for a stream that says nothing of it.
alter table public.streams add column program text check (char_length(program) between 1 and 64);

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
            target_metrics, metadata, created_at, finished_at, heartbeat_at, ingest_key, program
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
            report.ingest_key, body ->> 'program'
        ) on conflict (org_id, slug) do nothing returning run.id into run_id;
    elsif report.kind = 'scans' then
        insert into public.acquisition_scans as run (
            org_id, slug, name, stream_id, status, steps, current_step, progress_percentage, targets_identified,
            targets_analyzed, created_at, started_at, completed_at, heartbeat_at, ingest_key
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
            report.reported_at, report.ingest_key
        ) on conflict (org_id, slug) do nothing returning run.id into run_id;
    else
        insert into public.agent_executions as run (
            org_id, slug, stream_id, agent_id, agent_name, status, input_summary, output_summary, created_at,
            started_at, completed_at, duration_ms, heartbeat_at, ingest_key
        ) values (
            report.org, report.slug, coalesce(report.stream_id, private.ensure_stream(report.org, 'default')),
            coalesce(body ->> 'agent_id', body ->> 'agent_name', report.slug),
            coalesce(body ->> 'agent_name', report.slug), coalesce(new_status, 'running'), body ->> 'input_summary',
            body ->> 'output_summary', report.reported_at,
            case when new_status is distinct from 'pending' then report.reported_at end,
            report.finished_at, case when report.finished_at is not null then 0 end,
            report.reported_at, report.ingest_key
        ) on conflict (org_id, slug) do nothing returning run.id into run_id;
    end if;
    return run_id;
end
$$;
