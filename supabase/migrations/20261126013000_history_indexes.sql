-- Indexes for organisations with years of history.

-- The runs that have not ended, few of all: a feed holds them first. With an index of every run in that order each
-- report would write one more entry.
create index streams_unfinished_idx on public.streams (org_id, updated_at desc) where not is_finished;
create index acquisition_scans_unfinished_idx on public.acquisition_scans (org_id, updated_at desc) where not is_finished;
create index agent_executions_unfinished_idx on public.agent_executions (org_id, created_at desc) where not is_finished;

-- A search among errors reads those alone, not also the warnings between them, which are several times as many.
create index log_lines_errors_idx on public.log_lines (org_id, at desc, id desc)
    where level in ('error', 'critical');
