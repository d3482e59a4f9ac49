-- One event tells one person once: what a rule has to tell is kept apart by whom an earlier rule tells of the same events.

alter table private.gatherings
    drop constraint gatherings_pkey,
    -- Whom the message is kept from: people, roles and channels; and a text that is the same for the same ones.
    add column kept_from jsonb not null default '{}',
    add column kept_key text not null default '',
    add primary key (rule_id, kept_key);

drop function private.gather(uuid, uuid, timestamptz, jsonb, integer);

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

-- As before; a firing also has `kept_key` and `kept_from`. One that an earlier rule tells everybody has no `line`.
create or replace function private.fire(fired jsonb) returns integer
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

-- Takes what the rules have to tell that are due: a list of {"rule", "organization", "members", "gatherings"}, of which
-- `members` are the roles by the ids of members if somebody is left out.
drop function private.take_gatherings(integer, timestamptz);
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

revoke execute on function
    private.gather(uuid, uuid, timestamptz, jsonb, integer, text, jsonb),
    private.take_gatherings(integer, timestamptz) from public;
grant execute on function
    private.gather(uuid, uuid, timestamptz, jsonb, integer, text, jsonb),
    private.take_gatherings(integer, timestamptz) to livewatch_app, service_role;
