-- The schema `realtime` with its messages, in partitions by time: old messages leave with their partition. Idempotent.

create schema if not exists realtime authorization supabase_admin;
grant usage on schema realtime to postgres, anon, authenticated, service_role;
grant all on schema realtime to supabase_realtime_admin;

-- Takes the place of a table without partitions, as data directories of earlier versions have it; keeps its messages,
-- which replays may ask for, and its policies. A table on which something else depends stays as it is.
do $$
declare
    policies constant text[] := array(
        select format(
            'create policy %I on realtime.messages as %s for %s to %s%s%s', policyname, permissive, cmd,
            (select string_agg(quote_ident(role), ', ') from unnest(roles) as role),
            ' using (' || qual || ')', ' with check (' || with_check || ')')
        from pg_catalog.pg_policies where schemaname = 'realtime' and tablename = 'messages'
    );
    policy text;
begin
    if (select relkind from pg_catalog.pg_class where oid = to_regclass('realtime.messages')) is distinct from 'r' then
        return;
    end if;
    begin
        create temporary table kept_messages on commit drop as
            select topic, extension, payload, event, private, updated_at, inserted_at, id from realtime.messages;
        drop table realtime.messages;
    exception when dependent_objects_still_exist then
        raise warning 'realtime.messages keeps its form, because other objects depend on it: %', sqlerrm;
        return;
    end;
    create table realtime.messages (
        topic text not null,
        extension text not null,
        payload jsonb,
        event text,
        private boolean default false,
        updated_at timestamp not null default now(),
        inserted_at timestamp not null default now(),
        id uuid not null default gen_random_uuid(),
        primary key (id, inserted_at)
    ) partition by range (inserted_at);
    create table realtime.messages_default partition of realtime.messages default;
    insert into realtime.messages (topic, extension, payload, event, private, updated_at, inserted_at, id)
    select topic, extension, payload, event, private, updated_at, inserted_at, id from kept_messages;
    foreach policy in array policies loop
        execute policy;
    end loop;
end
$$;

create table if not exists realtime.messages (
    topic text not null,
    extension text not null,
    payload jsonb,
    event text,
    private boolean default false,
    updated_at timestamp not null default now(),
    inserted_at timestamp not null default now(),
    id uuid not null default gen_random_uuid(),
    primary key (id, inserted_at)
) partition by range (inserted_at);
-- Unlike on a hosted project, ids order the messages of one transaction, which have the same time, by arrival.
alter table realtime.messages alter column id set default uuidv7();
-- In UTC, also for a session of another time zone: the time decides which partition takes a message.
alter table realtime.messages
    alter column inserted_at set default (now() at time zone 'utc'),
    alter column updated_at set default (now() at time zone 'utc');
alter table realtime.messages owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
create index if not exists messages_inserted_at_topic_index on realtime.messages (inserted_at desc, topic)
    where extension = 'broadcast' and private;
grant select, insert, update on realtime.messages to postgres, anon, authenticated, service_role;

-- Makes the partition of a time span, with what the default partition holds of it.
create or replace function realtime.add_message_partition(starts_at timestamp, ends_at timestamp) returns void
language plpgsql set search_path = ''
as $$
declare
    name constant text :=
        format('messages_%s_%s', extract(epoch from starts_at)::bigint, extract(epoch from ends_at)::bigint);
begin
    -- Attached rather than created in place, which would wait for every transaction that broadcast something.
    execute format('create table realtime.%I (like realtime.messages including defaults including indexes)', name);
    execute format('alter table realtime.%I owner to supabase_realtime_admin', name);
    execute format('alter table realtime.%I enable row level security', name);
    execute format(
        'with moved as (
             delete from realtime.messages_default where inserted_at >= %L and inserted_at < %L returning *
         )
         insert into realtime.%I select * from moved', starts_at, ends_at, name);
    execute format(
        'alter table realtime.messages attach partition realtime.%I for values from (%L) to (%L)',
        name, starts_at, ends_at);
end
$$;

-- Returns the partitions of the messages with their time spans; the default partition has none.
create or replace function realtime.message_partitions()
returns table (name text, starts_at timestamp, ends_at timestamp)
language sql stable set search_path = ''
as $$
    select class.relname,
        to_timestamp(split_part(class.relname, '_', 2)::bigint) at time zone 'utc',
        to_timestamp(split_part(class.relname, '_', 3)::bigint) at time zone 'utc'
    from pg_catalog.pg_inherits as child join pg_catalog.pg_class as class on class.oid = child.inhrelid
    where child.inhparent = to_regclass('realtime.messages') and class.relname ~ '^messages_\d+_\d+$'
$$;

-- Makes the partitions of now and of the next span, and drops those whose messages are older than the retention. A span
-- is half of the retention, a minute to an hour. The default partition takes what has no other: messages of explicit
-- times, or of the first moments after the computer slept. Never waits for a transaction: it is called again.
create or replace function realtime.rotate_messages(retention interval) returns void
language plpgsql set search_path = ''
as $$
declare
    span constant interval := least(interval '1 hour', greatest(interval '1 minute', retention / 2));
    now_at constant timestamp := now() at time zone 'utc';
    next_start timestamp;
    next_end timestamp;
    expired text;
begin
    if (select relkind from pg_catalog.pg_class where oid = to_regclass('realtime.messages')) = 'r' then
        delete from realtime.messages where inserted_at < now_at - retention;
        return;
    end if;
    perform set_config('lock_timeout', '100ms', true);
    next_start := date_trunc('minute', now_at);
    while next_start <= now_at + span loop
        select max(known.ends_at) into next_end
        from realtime.message_partitions() as known where known.starts_at <= next_start and known.ends_at > next_start;
        if next_end is null then
            select least(next_start + span, min(known.starts_at)) into next_end
            from realtime.message_partitions() as known where known.starts_at > next_start;
            perform realtime.add_message_partition(next_start, next_end);
        end if;
        next_start := next_end;
    end loop;
    delete from realtime.messages_default
    where inserted_at < now_at - retention or inserted_at > now_at + interval '1 day';
    for expired in
        select known.name from realtime.message_partitions() as known
        -- Of the future beyond the next span are those that a wrong clock made.
        where known.ends_at <= now_at - retention or known.starts_at > now_at + 2 * span + interval '1 hour'
    loop
        execute format('truncate realtime.%I', expired);
        begin
            lock table only realtime.messages in access exclusive mode nowait;
            execute format('drop table realtime.%I', expired);
        exception when lock_not_available then
            null;
        end;
    end loop;
exception when lock_not_available then
    null;
end
$$;
revoke execute on function
    realtime.add_message_partition(timestamp, timestamp), realtime.message_partitions(),
    realtime.rotate_messages(interval) from public;

do $$
begin
    if (select relkind from pg_catalog.pg_class where oid = to_regclass('realtime.messages')) = 'p' then
        create table if not exists realtime.messages_default partition of realtime.messages default;
        alter table realtime.messages_default owner to supabase_realtime_admin;
        alter table realtime.messages_default enable row level security;
        perform realtime.rotate_messages(interval '10 minutes');
    end if;
end
$$;
