-- Rules: of what happens in an organisation, whom to tell, how and how often.
--
-- What happens passes `public.activities` and `public.signal_alerts`, whose triggers queue what a rule may listen to, in
-- the transaction of the event. One process takes it from the queue, and in one transaction writes what fired and what it
-- gathers for the next message; and in another one the message itself: notifications, and deliveries to channels.

create table public.rules (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    name text not null check (char_length(btrim(name)) between 1 and 120),
    is_enabled boolean not null default true,
    events text[] not null check (
        cardinality(events) > 0 and events <@ array[
            'failed', 'at_risk', 'finished', 'unreachable', 'stalled', 'slow', 'overdue', 'late', 'alert',
            'overlong', 'behind', 'absent']),
    -- For what, whom, and how often; the app writes and validates it.
    definition jsonb not null check (jsonb_typeof(definition) = 'object' and pg_column_size(definition) <= 32768),
    -- Nothing fires until then.
    snoozed_until timestamptz,
    created_by uuid references auth.users (id) on delete set null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index rules_org_id_idx on public.rules (org_id);
alter table public.rules enable row level security;
revoke all on public.rules from anon, authenticated;
grant select on public.rules to authenticated;
grant all on public.rules to service_role;
create policy "members see" on public.rules for select to authenticated
    using (org_id in (select private.my_orgs()));

create table private.rule_events (
    id bigint generated always as identity primary key,
    org_id uuid not null references public.organizations (id) on delete cascade,
    event text not null,
    subject_table text not null,
    subject_id uuid not null,
    -- What makes the event one: the activity or the alert.
    source uuid not null,
    -- Of an activity: the name of its subject then, and of a recovery what it is of.
    detail jsonb not null default '{}',
    at timestamptz not null
);

-- What a rule was told of; open until `resolved_at`.
create table public.firings (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    rule_id uuid not null references public.rules (id) on delete cascade,
    event text not null,
    source uuid not null,
    subject_table text not null,
    subject_id uuid not null,
    subject_name text not null,
    job_id uuid,
    at timestamptz not null,
    resolved_at timestamptz,
    -- When it is told again while it is open.
    remind_at timestamptz,
    -- Of what time alone makes: the attempt of a run, the beginning from which it counts, and the percentage to reach.
    attempt integer,
    began_at timestamptz,
    percent double precision,
    unique (rule_id, source)
);
create index firings_rule_id_idx on public.firings (rule_id, at desc);
create index firings_org_id_idx on public.firings (org_id, at desc);
create index firings_open_idx on public.firings (subject_id, event) where resolved_at is null;
create index firings_open_jobs_idx on public.firings (org_id, job_id) where resolved_at is null and event = 'failed';
create index firings_remind_at_idx on public.firings (remind_at) where remind_at is not null;
create index firings_timed_idx on public.firings (subject_table, at)
    where resolved_at is null and event in ('overlong', 'behind', 'absent');
alter table public.firings enable row level security;
revoke all on public.firings from anon, authenticated;
grant select on public.firings to authenticated;
grant all on public.firings to service_role;
create policy "members see" on public.firings for select to authenticated
    using (event <> 'alert' and org_id in (select private.my_orgs())
        or org_id in (select private.my_administered_orgs()));

-- What a rule has to tell in its next message; its first 50 events, and the number of all. It is kept apart by whom an
-- earlier rule tells of the same events.
create table private.gatherings (
    rule_id uuid not null references public.rules (id) on delete cascade,
    id uuid not null default gen_random_uuid(),
    org_id uuid not null,
    opened_at timestamptz not null default clock_timestamp(),
    due_at timestamptz not null,
    count integer not null,
    events jsonb not null,
    -- Whom the message is kept from: people, roles and channels; and a text that is the same for the same ones.
    kept_from jsonb not null default '{}',
    kept_key text not null default '',
    primary key (rule_id, kept_key)
);
create index gatherings_due_at_idx on private.gatherings (due_at);

-- The event that an activity is, for rules; null for none.
create function private.rule_event(subject_table text, status text) returns text
language sql immutable set search_path = ''
as $$
    select case
        when status in ('unreachable', 'stalled', 'slow', 'overdue', 'late', 'recovered', 'at_risk') then status
        when status = 'completed' then 'finished'
        when status = 'failed' or status = 'blocked' and subject_table = 'streams' then 'failed'
    end
$$;

-- What rules ask of a run, and say of it; null once it was deleted, or if the caller may not see it.
create function private.run_facts(subject_table text, subject_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select case subject_table
        when 'streams' then (
            select jsonb_build_object('name', run.name, 'slug', run.slug, 'number', run.number, 'job_id', run.job_id,
                'job', (select job.slug from public.jobs as job where job.id = run.job_id), 'tags', run.tags,
                'error', left(run.error, 4000), 'archived_at', run.archived_at,
                'stream_type', run.stream_type, 'description', run.description, 'attempt', run.attempt,
                'began_at', coalesce(run.attempt_started_at, run.created_at), 'usual_seconds', run.usual_seconds,
                'progress', case when run.total > 0 then run.percentage end, 'status', run.goal_status,
                'is_running', run.goal_status in ('in_progress', 'on_track', 'at_risk') and not run.is_finished)
            from public.streams as run where run.id = subject_id)
        when 'acquisition_scans' then (
            select jsonb_build_object('name', run.name, 'slug', run.slug, 'number', run.number, 'job_id', run.job_id,
                'job', (select job.slug from public.jobs as job where job.id = run.job_id), 'tags', run.tags,
                'error', left(run.error, 4000), 'archived_at', run.archived_at,
                'current_step', left(run.current_step, 4000), 'attempt', run.attempt,
                'began_at', coalesce(run.attempt_started_at, run.started_at, run.created_at),
                'usual_seconds', run.usual_seconds, 'progress', run.progress_percentage, 'status', run.status,
                'is_running', run.status in ('scanning', 'analyzing'))
            from public.acquisition_scans as run where run.id = subject_id)
        when 'agent_executions' then (
            select jsonb_build_object('name', run.agent_name, 'slug', run.slug, 'number', run.number,
                'job_id', run.job_id, 'job', (select job.slug from public.jobs as job where job.id = run.job_id),
                'tags', run.tags, 'error', left(run.error, 4000), 'archived_at', run.archived_at,
                'agent_id', run.agent_id, 'stream_id', run.stream_id, 'output_summary', left(run.output_summary, 4000),
                'attempt', run.attempt,
                'began_at', coalesce(run.attempt_started_at, run.started_at, run.created_at),
                'usual_seconds', run.usual_seconds, 'status', run.status, 'is_running', run.status = 'running')
            from public.agent_executions as run where run.id = subject_id)
    end
$$;

-- What rules ask of a run, a job or an alert, and say of it; of a job also the facts of its newest run.
create function private.subject_facts(subject_table text, subject_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select case subject_table
        when 'jobs' then (
            select jsonb_build_object('name', job.name, 'slug', job.slug, 'kind', job.kind,
                'began_at', case when job.run_count > 0 then job.last_run_at else job.created_at end,
                'is_paused', exists (
                    select from public.schedules as plan where plan.job_id = job.id and plan.paused_at is not null),
                'newest', case job.kind
                    when 'streams' then (
                        select private.run_facts('streams', run.id) from public.streams as run
                        where run.job_id = job.id order by run.number desc limit 1)
                    when 'scans' then (
                        select private.run_facts('acquisition_scans', run.id) from public.acquisition_scans as run
                        where run.job_id = job.id order by run.number desc limit 1)
                    else (
                        select private.run_facts('agent_executions', run.id) from public.agent_executions as run
                        where run.job_id = job.id order by run.number desc limit 1)
                end)
            from public.jobs as job where job.id = subject_id)
        when 'signal_alerts' then (
            select jsonb_build_object('name', alert.target_name, 'priority', alert.priority,
                'signal_type', alert.signal_type, 'signal_strength', alert.signal_strength)
            from public.signal_alerts as alert where alert.id = subject_id)
        else private.run_facts(subject_table, subject_id)
    end
$$;

create function private.queue_activities() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into private.rule_events (org_id, event, subject_table, subject_id, source, detail, at)
    select fresh.org_id, private.rule_event(fresh.subject_table, fresh.status), fresh.subject_table, fresh.subject_id,
        fresh.id, jsonb_strip_nulls(jsonb_build_object(
            'name', fresh.subject_name, 'of', fresh.previous_status, 'lasted_seconds', fresh.lasted_seconds)),
        fresh.created_at
    from fresh
    where private.rule_event(fresh.subject_table, fresh.status) is not null and case fresh.status
        when 'recovered' then exists (
            select from public.firings as open
            where open.subject_id = fresh.subject_id and open.event = fresh.previous_status and open.resolved_at is null)
        else exists (
            select from public.rules as rule
            where rule.org_id = fresh.org_id and rule.is_enabled
                and private.rule_event(fresh.subject_table, fresh.status) = any (rule.events))
        or fresh.status = 'completed' and exists (
            select from public.firings as open
            where open.org_id = fresh.org_id and open.event = 'failed' and open.resolved_at is null)
        end;
    return null;
end
$$;
create trigger queue_rule_events after insert on public.activities referencing new table as fresh
    for each statement execute function private.queue_activities();

create function private.queue_alerts() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into private.rule_events (org_id, event, subject_table, subject_id, source, at)
    select fresh.org_id, 'alert', 'signal_alerts', fresh.id, fresh.id, fresh.created_at
    from fresh
    -- One of the rows that several recipients have of an alert.
    where (fresh.event_id is null or fresh.event_id = fresh.id) and exists (
        select from public.rules as rule
        where rule.org_id = fresh.org_id and rule.is_enabled and 'alert' = any (rule.events));
    return null;
end
$$;
create trigger queue_rule_events after insert on public.signal_alerts referencing new table as fresh
    for each statement execute function private.queue_alerts();

-- What is over without a recovery that is told: a run that ended, or a schedule that was changed.
create function private.close_firings() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update public.firings as open set resolved_at = new.recovered_at, remind_at = null
    where open.subject_id = new.subject_id and open.event = new.kind and open.resolved_at is null;
    return null;
end
$$;
create trigger close_firings after update on public.incidents
    for each row when (old.recovered_at is null and new.recovered_at is not null and new.recovery <> 'reported')
    execute function private.close_firings();

-- Creates a rule, or changes it if `rule` is given. Returns its id. Alerts are personal, so only admins may have a rule
-- pass them on.
create function public.put_rule(org uuid, rule uuid, name text, events text[], definition jsonb, is_enabled boolean)
returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
    written uuid;
begin
    if org not in (select private.my_writable_orgs()) then
        raise exception 'The rule % was not saved: only operators and admins may write rules.', put_rule.name
            using errcode = 'LW403';
    elsif org not in (select private.my_administered_orgs()) and ('alert' = any (put_rule.events) or exists (
        select from public.rules as one where one.id = rule and 'alert' = any (one.events))) then
        raise exception 'The rule % was not saved: alerts are personal, and only admins may have a rule pass them on.',
            put_rule.name using errcode = 'LW403';
    end if;
    if rule is null then
        insert into public.rules (org_id, name, events, definition, is_enabled, created_by)
        values (org, btrim(put_rule.name), put_rule.events, put_rule.definition, put_rule.is_enabled, (select auth.uid()))
        returning id into written;
    else
        update public.rules as one set
            name = btrim(put_rule.name), events = put_rule.events, definition = put_rule.definition,
            is_enabled = put_rule.is_enabled, updated_at = clock_timestamp()
        where one.id = rule and one.org_id = org
        returning id into written;
        if written is null then
            raise exception 'There is no such rule: it was removed.' using errcode = 'LW404';
        end if;
    end if;
    perform private.note_audit(org, case when rule is null then 'rule.created' else 'rule.changed' end,
        btrim(put_rule.name), null,
        jsonb_build_object('events', put_rule.events, 'is_enabled', put_rule.is_enabled) || put_rule.definition);
    return written;
end
$$;

-- Silences a rule until a time, or ends that with null; returns whether there is such a rule.
create function public.snooze_rule(org uuid, rule uuid, until timestamptz) returns boolean
language plpgsql security definer set search_path = ''
as $$
declare
    snoozed public.rules;
begin
    if org not in (select private.my_writable_orgs()) then
        raise exception 'The rule was not snoozed: only operators and admins may write rules.' using errcode = 'LW403';
    end if;
    update public.rules as one set snoozed_until = until, updated_at = clock_timestamp()
    where one.id = rule and one.org_id = org returning * into snoozed;
    if snoozed.id is not null then
        perform private.note_audit(org, 'rule.snoozed', snoozed.name, null, jsonb_build_object('until', until));
    end if;
    return snoozed.id is not null;
end
$$;

-- Removes a rule with what it has yet to tell; returns whether there was one.
create function public.remove_rule(org uuid, rule uuid) returns boolean
language plpgsql security definer set search_path = ''
as $$
declare
    removed public.rules;
begin
    if org not in (select private.my_writable_orgs()) then
        raise exception 'The rule was not removed: only operators and admins may write rules.' using errcode = 'LW403';
    end if;
    delete from public.rules as one where one.id = rule and one.org_id = org returning * into removed;
    if removed.id is not null then
        perform private.note_audit(org, 'rule.removed', removed.name);
    end if;
    return removed.id is not null;
end
$$;

-- Takes at most `max_rows` events from the queue, as the only process that does; null while another one does.
--
-- Returns {"at", "events", "rules"}: the time, the events with the facts of what each is of, and the enabled rules of their
-- organisations.
create function private.take_rule_events(max_rows integer, at timestamptz default null) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    taken jsonb;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('livewatch rules', 0)) then
        return null;
    end if;
    with next as (
        select one.id from private.rule_events as one order by one.id limit max_rows for update skip locked
    ), events as (
        delete from private.rule_events as one using next where one.id = next.id returning one.*
    ), orgs as (
        select distinct events.org_id from events
    )
    select jsonb_build_object(
        'at', coalesce(take_rule_events.at, clock_timestamp()),
        'events', coalesce((
            select jsonb_agg(to_jsonb(events) || jsonb_build_object(
                'row', private.subject_facts(events.subject_table, events.subject_id)) order by events.id)
            from events), '[]'),
        'rules', coalesce((
            select jsonb_agg(to_jsonb(rule)) from public.rules as rule join orgs using (org_id)
            where rule.is_enabled), '[]'))
    into taken;
    return taken;
end
$$;

-- Writes what fired, once for each rule and event, and adds it to what the rule has to tell. `fired` is a list of
-- {"rule_id", "event", "source", "subject_table", "subject_id", "subject_name", "job_id", "at", "due_at", "remind_at",
-- "line", "kept_key", "kept_from"}, of what time alone makes also "attempt", "began_at" and "percent"; one that an earlier
-- rule tells everybody has no "line". Returns how many were new.
create function private.fire(fired jsonb) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
    new_rows integer;
begin
    with given as (
        select one.*, rule.org_id from jsonb_to_recordset(fired) as one (
            rule_id uuid, event text, source uuid, subject_table text, subject_id uuid, subject_name text, job_id uuid,
            at timestamptz, due_at timestamptz, remind_at timestamptz, attempt integer, began_at timestamptz,
            percent double precision, line jsonb, kept_key text, kept_from jsonb)
        join public.rules as rule on rule.id = one.rule_id
    ), fresh as (
        insert into public.firings
            (org_id, rule_id, event, source, subject_table, subject_id, subject_name, job_id, at, remind_at, attempt,
             began_at, percent)
        select org_id, rule_id, event, source, subject_table, subject_id, subject_name, job_id, at, remind_at, attempt,
            began_at, percent
        from given
        on conflict (rule_id, source) do nothing
        returning rule_id, source
    ), gathered as (
        select private.gather(given.rule_id, given.org_id, min(given.due_at), jsonb_agg(given.line order by given.at),
            count(*)::integer, given.kept_key, (array_agg(given.kept_from))[1]) as number
        from given join fresh on fresh.rule_id = given.rule_id and fresh.source = given.source
        where given.line is not null
        group by given.rule_id, given.org_id, given.kept_key
    )
    select coalesce(sum(gathered.number), 0) into new_rows from gathered;
    return new_rows;
end
$$;

-- Adds lines to what a rule has to tell to those whom it is not kept from; returns their number. All that a rule has to
-- tell is due at once.
create function private.gather(
    rule uuid, org uuid, due timestamptz, lines jsonb, number integer, audience_key text, audience jsonb
) returns integer
language plpgsql security definer set search_path = ''
as $$
begin
    insert into private.gatherings as open (rule_id, org_id, due_at, count, events, kept_key, kept_from)
    values (rule, org, due, number, private.first_lines(lines), audience_key, audience)
    on conflict (rule_id, kept_key) do update set
        due_at = least(open.due_at, excluded.due_at),
        count = open.count + excluded.count,
        events = private.first_lines(open.events || excluded.events);
    return number;
end
$$;

create function private.first_lines(lines jsonb) returns jsonb
language sql immutable set search_path = ''
as $$
    select case when jsonb_array_length(lines) <= 50 then lines
        else (select jsonb_agg(one.line order by one.place) from jsonb_array_elements(lines) with ordinality as one (line, place)
              where one.place <= 50) end
$$;

-- Ends the open firings of a subject's event, or of a job's failures; returns {"id", "rule_id"} of each.
create function private.resolve_firings(event text, subject uuid, job uuid, at timestamptz) returns jsonb
language sql security definer set search_path = ''
as $$
    with ended as (
        update public.firings as open set resolved_at = resolve_firings.at, remind_at = null
        where open.resolved_at is null and open.event = resolve_firings.event
            and (open.subject_id = subject or open.job_id = job and open.at <= resolve_firings.at)
        returning open.id, open.rule_id, open.subject_name, open.at
    )
    select coalesce(jsonb_agg(to_jsonb(ended)), '[]') from ended
$$;

-- Returns the open firings that are to be told again, with their rules, and moves them on; of the last 7 days alone.
create function private.take_reminders(max_rows integer, now_at timestamptz) returns jsonb
language sql security definer set search_path = ''
as $$
    with due as (
        select one.id from public.firings as one where one.remind_at <= now_at
        order by one.remind_at limit max_rows for update skip locked
    ), moved as (
        update public.firings as one set
            remind_at = case when one.at > now_at - interval '7 days' and rule.is_enabled
                then now_at + make_interval(secs => (rule.definition ->> 'repeat_seconds')::double precision) end
        from due, public.rules as rule
        where due.id = one.id and rule.id = one.rule_id
        returning one.*, to_jsonb(rule) as rule
    )
    select coalesce(jsonb_agg(to_jsonb(moved)), '[]') from moved
$$;

-- Takes what the rules have to tell that are due: a list of {"rule", "organization", "members", "gatherings"}, of which
-- `members` are the roles by the ids of members if somebody is left out.
create function private.take_gatherings(max_rows integer, now_at timestamptz) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    taken jsonb;
begin
    with due as (
        select one.rule_id, min(one.due_at) as due_at from private.gatherings as one where one.due_at <= now_at
        group by one.rule_id order by 2 limit max_rows
    ), gone as (
        delete from private.gatherings as one using due where one.rule_id = due.rule_id returning one.*
    ), told as (
        select gone.rule_id, gone.org_id, bool_or(gone.kept_key <> '') as leaves_out,
            jsonb_agg(jsonb_build_object('id', gone.id, 'count', gone.count, 'events', gone.events,
                'kept_from', gone.kept_from) order by gone.opened_at, gone.kept_key) as gatherings
        from gone group by gone.rule_id, gone.org_id
    )
    select coalesce(jsonb_agg(jsonb_build_object(
        'rule', to_jsonb(rule), 'organization', org.name, 'gatherings', told.gatherings,
        'members', case when told.leaves_out then (
            select jsonb_object_agg(member.user_id, member.role) from public.org_members as member
            where member.org_id = told.org_id) end)), '[]')
    into taken
    from told join public.rules as rule on rule.id = told.rule_id
    join public.organizations as org on org.id = told.org_id;
    return taken;
end
$$;

-- Writes messages: to the inbox of the people and of the members with the roles, and for the channels. `messages` is a
-- list of {"id", "org_id", "people", "roles", "channels", "content"}. Returns the numbers of both.
create function private.send_messages(messages jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    inbox integer;
    outbox integer;
begin
    insert into public.notifications (org_id, user_id, type, title, message, action_url)
    select one.org_id, member.user_id, one.content ->> 'type', one.content ->> 'title', one.content ->> 'text',
        one.content ->> 'path'
    from jsonb_to_recordset(messages) as one (org_id uuid, people jsonb, roles jsonb, content jsonb)
    join public.org_members as member on member.org_id = one.org_id
        and (one.people ? member.user_id::text or one.roles ? member.role);
    get diagnostics inbox = row_count;
    insert into public.deliveries (org_id, channel_id, key, content)
    select one.org_id, target.id, one.id::text || ' ' || target.id::text, one.content - 'path'
    from jsonb_to_recordset(messages) as one (id uuid, org_id uuid, channels jsonb, content jsonb)
    join public.channels as target on target.org_id = one.org_id and one.channels ? target.id::text
    where target.is_enabled
    on conflict (key) do nothing;
    get diagnostics outbox = row_count;
    return jsonb_build_object('inbox', inbox, 'outbox', outbox);
end
$$;

-- An organisation has a rule from the start: failed and unreachable runs are told to those who operate it.
create function private.give_first_rule() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into public.rules (org_id, name, events, definition)
    values (new.id, 'Failed and silent runs', array['failed', 'unreachable', 'late'],
        '{"roles": ["operator", "admin"], "tells_recovery": true}');
    return null;
end
$$;
create trigger give_first_rule after insert on public.organizations
    for each row execute function private.give_first_rule();
insert into public.rules (org_id, name, events, definition)
select id, 'Failed and silent runs', array['failed', 'unreachable', 'late'],
    '{"roles": ["operator", "admin"], "tells_recovery": true}'
from public.organizations;

revoke execute on function
    public.put_rule(uuid, uuid, text, text[], jsonb, boolean), public.snooze_rule(uuid, uuid, timestamptz),
    public.remove_rule(uuid, uuid) from public, anon;
grant execute on function
    public.put_rule(uuid, uuid, text, text[], jsonb, boolean), public.snooze_rule(uuid, uuid, timestamptz),
    public.remove_rule(uuid, uuid) to authenticated, service_role;
revoke execute on function
    private.queue_activities(), private.queue_alerts(), private.close_firings(),
    private.take_rule_events(integer, timestamptz), private.fire(jsonb),
    private.gather(uuid, uuid, timestamptz, jsonb, integer, text, jsonb), private.first_lines(jsonb),
    private.resolve_firings(text, uuid, uuid, timestamptz), private.take_reminders(integer, timestamptz),
    private.take_gatherings(integer, timestamptz), private.send_messages(jsonb), private.give_first_rule() from public;
revoke execute on function private.rule_event(text, text), private.run_facts(text, uuid), private.subject_facts(text, uuid) from public;
grant execute on function private.rule_event(text, text), private.run_facts(text, uuid), private.subject_facts(text, uuid)
    to authenticated, service_role;
grant execute on function
    private.take_rule_events(integer, timestamptz), private.fire(jsonb),
    private.gather(uuid, uuid, timestamptz, jsonb, integer, text, jsonb),
    private.resolve_firings(text, uuid, uuid, timestamptz), private.take_reminders(integer, timestamptz),
    private.take_gatherings(integer, timestamptz), private.send_messages(jsonb) to livewatch_app, service_role;
