-- Programs that follow what an organisation's runs do read what was updated last. Streams and scans have this index already;
-- a run of an agent is updated a few times only, so that it costs little.
create index agent_executions_updated_at_idx on public.agent_executions (org_id, updated_at desc);
