-- Metrics have a number, by which programs read lists of them.
alter table public.run_metrics add column number bigint generated always as identity;
