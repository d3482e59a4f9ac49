-- Indexes for organisations with years of history.

-- The orders in which feeds of agent executions and scans read their rows: unfinished ones first. Without them a feed
-- sorted all that there are, each time it was opened and at each comparison of its versions.
create index agent_executions_feed_idx on public.agent_executions (org_id, is_finished, created_at desc);
create index acquisition_scans_feed_idx on public.acquisition_scans (org_id, is_finished, updated_at desc);

-- A search among errors reads those alone, not also the warnings between them, which are several times as many.
create index log_lines_errors_idx on public.log_lines (org_id, at desc, id desc)
    where level in ('error', 'critical');
