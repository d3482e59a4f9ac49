-- Changes of many runs at once: tags, which can be taken back, and deletions that wait for some seconds.

alter table public.acquisition_scans
    add column tags text[] not null default '{}',
    add constraint acquisition_scans_tags_check
        check (cardinality(tags) <= 20 and char_length(array_to_string(tags, '')) <= 800);
alter table public.agent_executions
    add column tags text[] not null default '{}',
    add constraint agent_executions_tags_check
        check (cardinality(tags) <= 20 and char_length(array_to_string(tags, '')) <= 800);

-- The column with the name of a run of a kind; raises where there is no such kind.
create function private.run_name_column(kind text) returns text
language plpgsql immutable set search_path = ''
as $$
begin
    if kind is null or kind not in ('streams', 'acquisition_scans', 'agent_executions') then
        raise exception 'There are no runs of the kind %.', to_json(kind) using errcode = 'LW422';
    end if;
    return case kind when 'agent_executions' then 'agent_name' else 'name' end;
end
$$;

-- Adds and removes tags of runs of one kind as the current user; those that the user may not write are left alone.
--
-- Returns the changed runs as [{"id", "before", "after"}], and null where there is none that the user may write.
create function public.tag_runs(kind text, runs uuid[], added text[], removed text[]) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    wanted constant text[] := array(
        select btrim(tag) from unnest(added) with ordinality as each (tag, place)
        group by btrim(tag) order by min(place));
    tagged jsonb;
    refused text;
begin
    if exists (select from unnest(wanted) as tag where char_length(tag) not between 1 and 40) then
        raise exception 'A tag has 1 to 40 characters.' using errcode = 'LW422';
    end if;
    execute format(
        'select jsonb_agg(jsonb_build_object(
             ''id'', mine.id, ''org_id'', mine.org_id, ''name'', mine.%2$I, ''before'', mine.tags,
             ''after'', array(select tag from unnest(mine.tags) with ordinality as each (tag, place)
                              where tag <> all ($2) order by place)
                 || array(select tag from unnest($3) with ordinality as each (tag, place)
                          where tag <> all (mine.tags) order by place)))
         from (select * from public.%1$I as each
               where each.id = any ($1) and each.org_id in (select private.my_writable_orgs())
               order by each.id for update) as mine',
        kind, private.run_name_column(kind)) into tagged using runs, removed, wanted;
    if tagged is null then
        return null;
    end if;
    select each ->> 'name' into refused from jsonb_array_elements(tagged) as each
    where jsonb_array_length(each -> 'after') > 20
        or (select sum(char_length(tag)) from jsonb_array_elements_text(each -> 'after') as tag) > 800
    limit 1;
    if refused is not null then
        raise exception 'There is room for 20 tags; remove some of “%” first.', refused using errcode = 'LW422';
    end if;
    select coalesce(jsonb_agg(each), '[]') into tagged from jsonb_array_elements(tagged) as each
    where each -> 'after' <> each -> 'before';
    perform private.set_tags(kind, tagged);
    return (select coalesce(jsonb_agg(each - 'org_id' - 'name'), '[]') from jsonb_array_elements(tagged) as each);
end
$$;

-- Gives runs the tags `before` if they still have the tags `after`; returns how many those were.
create function public.restore_tags(kind text, tagged jsonb) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
    restored jsonb;
begin
    perform private.run_name_column(kind);
    execute format(
        'select coalesce(jsonb_agg(jsonb_build_object(
             ''id'', mine.id, ''org_id'', mine.org_id, ''before'', mine.after, ''after'', mine.before)), ''[]'')
         from (select one.id, one.org_id, each.before, each.after
               from jsonb_to_recordset($1) as each (id uuid, before jsonb, after jsonb)
               join public.%I as one on one.id = each.id and to_jsonb(one.tags) = each.after
               where one.org_id in (select private.my_writable_orgs())
               order by one.id for update of one) as mine',
        kind) into restored using tagged;
    perform private.check_stream_field((each ->> 'org_id')::uuid, 'tags', each -> 'after')
    from jsonb_array_elements(restored) as each;
    perform private.set_tags(kind, restored);
    return jsonb_array_length(restored);
end
$$;

-- Gives locked runs other tags; for streams, notes that as an edit of the current user.
create function private.set_tags(kind text, tagged jsonb) returns void
language plpgsql security definer set search_path = ''
as $$
begin
    execute format(
        'update public.%I as one set tags = array(select jsonb_array_elements_text(given.after))
         from jsonb_to_recordset($1) as given (id uuid, after jsonb) where one.id = given.id',
        kind) using tagged;
    if kind = 'streams' then
        insert into public.edits (org_id, stream_id, actor_id, actor_name, field, before, after)
        select given.org_id, given.id, auth.uid(), named.actor_name, 'tags', given.before, given.after
        from jsonb_to_recordset(tagged) as given (id uuid, org_id uuid, before jsonb, after jsonb),
            (select private.display_name(auth.uid()) as actor_name) as named;
    end if;
end
$$;

-- Deletions that people have ordered and may still take back. A process that ends leaves them to the next one.
create table private.pending_deletions (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    user_id uuid not null references auth.users (id) on delete cascade,
    kind text not null check (kind in ('streams', 'acquisition_scans', 'agent_executions')),
    ids uuid[] not null,
    due_at timestamptz not null,
    started_at timestamptz
);
alter table private.pending_deletions enable row level security;

-- Orders the deletion of runs of an organisation after `delay` seconds; returns its id, and how many of them there are.
create function public.defer_deletion(org uuid, kind text, runs uuid[], delay double precision) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    found uuid[];
    ordered uuid;
begin
    if org is null or org not in (select private.my_writable_orgs()) then
        raise exception 'Only operators and admins of the organisation delete runs.' using errcode = 'LW403';
    end if;
    if kind not in ('streams', 'acquisition_scans', 'agent_executions') or delay not between 0 and 60
        or cardinality(runs) > 20000 then
        raise exception 'At most 20,000 streams, scans or agent runs are deleted at once, within a minute.'
            using errcode = 'LW422';
    end if;
    execute format('select array(select id from public.%I where id = any ($1) and org_id = $2 order by id)', kind)
        into found using runs, org;
    if cardinality(found) = 0 then
        raise exception 'Nothing was deleted: it was deleted before.' using errcode = 'LW404';
    end if;
    insert into private.pending_deletions (org_id, user_id, kind, ids, due_at)
    values (org, auth.uid(), kind, found, clock_timestamp() + make_interval(secs => delay)) returning id into ordered;
    return jsonb_build_object('id', ordered, 'count', cardinality(found));
end
$$;

-- Takes a deletion of the current user back; false if it has begun.
create function public.cancel_deletion(deletion uuid) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
    delete from private.pending_deletions as each
    where each.id = deletion and each.user_id = auth.uid() and each.started_at is null;
    return found;
end
$$;

-- Deletes at most `max_rows` runs of a deletion that is due, as the person who ordered it. Returns their number, and
-- null where no deletion is due. A person who may no longer delete is told so by a notification.
create function private.delete_pending(max_rows integer default 500) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
    claims constant text := current_setting('request.jwt.claims', true);
    due private.pending_deletions;
    deleted integer := 0;
begin
    -- In no order, so that one which fails does not keep others back.
    select * into due from private.pending_deletions where due_at <= clock_timestamp()
    order by random() limit 1 for update skip locked;
    if not found then
        return null;
    end if;
    -- The person's role counts as it is now, and the audit log names the person.
    perform set_config('request.jwt.claims',
                       jsonb_build_object('sub', due.user_id, 'role', 'authenticated')::text, true);
    if due.org_id in (select private.my_writable_orgs()) then
        execute format('delete from public.%I where id = any ($1) and org_id = $2', due.kind)
            using due.ids[1:max_rows], due.org_id;
        get diagnostics deleted = row_count;
        due.ids := due.ids[max_rows + 1:];
    else
        insert into public.notifications (org_id, user_id, type, title, message)
        select due.org_id, due.user_id, 'warning', 'A deletion was not carried out',
            format('%s rows were not deleted: your role was changed before.', cardinality(due.ids))
        from public.org_members as member where member.org_id = due.org_id and member.user_id = due.user_id;
        due.ids := '{}';
    end if;
    perform set_config('request.jwt.claims', coalesce(claims, ''), true);
    if cardinality(due.ids) = 0 then
        delete from private.pending_deletions where id = due.id;
    else
        update private.pending_deletions set ids = due.ids, started_at = coalesce(started_at, now()) where id = due.id;
    end if;
    return deleted;
end
$$;

revoke execute on function
    private.run_name_column(text), public.tag_runs(text, uuid[], text[], text[]), public.restore_tags(text, jsonb),
    private.set_tags(text, jsonb),
    public.defer_deletion(uuid, text, uuid[], double precision), public.cancel_deletion(uuid),
    private.delete_pending(integer) from public, anon;
grant execute on function
    public.tag_runs(text, uuid[], text[], text[]), public.restore_tags(text, jsonb),
    public.defer_deletion(uuid, text, uuid[], double precision), public.cancel_deletion(uuid),
    private.delete_pending(integer) to authenticated, service_role;
