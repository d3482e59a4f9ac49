-- Search in the logs of an organisation: its lines by time, and those of the higher levels by themselves.
--
-- No index of words or trigrams: row-level security would not let a user's search use one, since the operators are not
-- leakproof, and every line would pay for it. A search reads lines in order of time, some 600,000 a second.
create index log_lines_org_at_idx on public.log_lines (org_id, at desc, id desc);
drop index public.log_lines_org_id_idx;
create index log_lines_severe_idx on public.log_lines (org_id, at desc, id desc)
    where level in ('warning', 'error', 'critical');
