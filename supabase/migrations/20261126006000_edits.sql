-- Edits: what people change of a stream, merged by field, with who changed what, before and after.

alter table public.streams
    add column owner_id uuid references auth.users (id) on delete set null,
    add column tags text[] not null default '{}',
    add column due_on date,
    add constraint streams_tags_check check (cardinality(tags) <= 20 and char_length(array_to_string(tags, '')) <= 800);
create index streams_owner_id_idx on public.streams (owner_id) where owner_id is not null;

create table public.edits (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null,
    stream_id uuid not null,
    actor_id uuid not null,
    actor_name text not null,
    field text not null,
    before jsonb,
    after jsonb,
    undoes uuid,
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    foreign key (stream_id, org_id) references public.streams (id, org_id) on delete cascade
);
comment on column public.edits.undoes is 'The edit that this one takes back.';
create index edits_stream_id_idx on public.edits (stream_id, created_at desc);
create index edits_org_id_idx on public.edits (org_id, created_at desc);
select private.watch_table('edits', writers => 'database');

create function private.is_date(words text) returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
    return words ~ '^\d{4}-\d\d-\d\d$' and words::date is not null;
exception when datetime_field_overflow or invalid_datetime_format then
    return false;
end
$$;

-- Raises where a value is not one of its field.
create function private.check_stream_field(org uuid, field text, value jsonb) returns void
language plpgsql stable security definer set search_path = ''
as $$
declare
    words constant text := value #>> '{}';
    problem text;
begin
    case field
        when 'name' then
            if jsonb_typeof(value) <> 'string' or words !~ '\S' or char_length(btrim(words)) > 200 then
                problem := 'A name has 1 to 200 characters.';
            end if;
        when 'description' then
            if jsonb_typeof(value) <> 'string' or char_length(words) > 4000 then
                problem := format('A description has at most 4,000 characters; this one has %s.', char_length(words));
            end if;
        when 'goal_status' then
            if jsonb_typeof(value) <> 'string' or words not in ('not_started', 'in_progress', 'on_track', 'at_risk',
                'blocked', 'completed', 'stopped', 'cancelled') then
                problem := format('There is no status %s.', value);
            end if;
        when 'total' then
            if jsonb_typeof(value) <> 'number' or value::numeric not between 0 and 9007199254740992 then
                problem := 'A goal is a number from 0 on.';
            end if;
        when 'owner_id' then
            if jsonb_typeof(value) <> 'null'
                and not exists (select from public.org_members where org_id = org and user_id::text = words) then
                problem := 'The owner must be a member of the organisation.';
            end if;
        when 'tags' then
            if jsonb_typeof(value) <> 'array' or jsonb_array_length(value) > 20 or exists (
                select from jsonb_array_elements(value) as tag
                where jsonb_typeof(tag) <> 'string' or char_length(tag #>> '{}') not between 1 and 40) then
                problem := 'A stream has at most 20 tags of 1 to 40 characters.';
            end if;
        when 'due_on' then
            if jsonb_typeof(value) <> 'null' and not private.is_date(words) then
                problem := format('%s is no date.', value);
            end if;
        when 'target_metrics' then
            if jsonb_typeof(value) <> 'object' or pg_column_size(value) > 16384 then
                problem := 'Target metrics are names with values, of at most 16 KB.';
            end if;
        else problem := format('A stream has no field %s that can be edited.', to_json(field));
    end case;
    if problem is not null then
        raise exception '%', problem using errcode = 'LW422';
    end if;
end
$$;

-- Changes fields of a stream as the current user.
--
--   base     Values of these fields as the user saw them. A field that has changed since is left alone.
--   changes  New values by field.
--   undoes   The edit that is taken back, if this is to undo one.
--
-- Returns the fields that were left alone, with their values and who changed them last.
create function public.edit_stream(stream uuid, base jsonb, changes jsonb, undoes uuid default null) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    me constant uuid := auth.uid();
    row_now public.streams;
    now_values jsonb;
    now_field text;
    value jsonb;
    applied jsonb := '{}';
    conflicts jsonb := '{}';
    edited public.streams;
begin
    select * into row_now from public.streams as each
    where each.id = stream and each.org_id in (select private.my_writable_orgs()) for update;
    if not found then
        raise exception 'The stream was deleted, or you may only read it. Your text is kept here.' using errcode = 'LW404';
    end if;
    now_values := to_jsonb(row_now);
    for now_field, value in select each.key, each.value from jsonb_each(changes) as each loop
        perform private.check_stream_field(row_now.org_id, now_field, value);
        if now_values -> now_field = value then
            continue;
        elsif now_values -> now_field is distinct from base -> now_field then
            conflicts := conflicts || jsonb_build_object(now_field, jsonb_build_object(
                'value', now_values -> now_field,
                'by', (select edit.actor_name from public.edits as edit
                       where edit.stream_id = stream and edit.field = now_field
                       order by edit.created_at desc limit 1)));
        else
            applied := applied || jsonb_build_object(now_field, value);
        end if;
    end loop;
    if applied <> '{}' then
        edited := jsonb_populate_record(row_now, applied);
        update public.streams as each
        set name = btrim(edited.name), description = edited.description, goal_status = edited.goal_status,
            total = edited.total, owner_id = edited.owner_id, tags = edited.tags, due_on = edited.due_on,
            target_metrics = edited.target_metrics
        where each.id = stream;
        insert into public.edits (org_id, stream_id, actor_id, actor_name, field, before, after, undoes)
        select row_now.org_id, stream, me, private.display_name(me), each.key, now_values -> each.key, each.value,
            edit_stream.undoes
        from jsonb_each(applied) as each;
    end if;
    return conflicts;
end
$$;

-- Begins a stream without a program, as the current user; returns its id.
create function public.create_stream(org uuid, name text, description text default '') returns uuid
language plpgsql security definer set search_path = ''
as $$
declare
    made uuid;
begin
    if org is null or org not in (select private.my_writable_orgs()) then
        raise exception 'Only operators and admins of the organisation create streams.' using errcode = '42501';
    end if;
    perform private.check_stream_field(org, 'name', to_jsonb(name));
    perform private.check_stream_field(org, 'description', to_jsonb(description));
    insert into public.streams (org_id, name, description, created_by, owner_id)
    values (org, btrim(create_stream.name), create_stream.description, auth.uid(), auth.uid()) returning id into made;
    return made;
end
$$;

revoke execute on function
    private.is_date(text), private.check_stream_field(uuid, text, jsonb),
    public.edit_stream(uuid, jsonb, jsonb, uuid), public.create_stream(uuid, text, text) from public, anon;
grant execute on function public.edit_stream(uuid, jsonb, jsonb, uuid), public.create_stream(uuid, text, text)
    to authenticated, service_role;
