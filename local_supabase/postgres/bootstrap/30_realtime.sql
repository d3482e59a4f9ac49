-- The functions of the schema `realtime` that migrations and policies use on a hosted project. Idempotent.

create or replace function realtime.topic() returns text
language sql stable
as $$
    select nullif(current_setting('realtime.topic', true), '')
$$;

-- Broadcasts a message to a topic when the caller's transaction commits. As on a hosted project, it runs with the
-- caller's privileges, adds the message's id to the payload, and raises a warning instead of an error, so that a failed
-- broadcast does not abort the change that caused it.
create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void
language plpgsql
as $$
declare
    message_id uuid := uuidv7();
begin
    begin
        perform set_config('realtime.topic', topic, true);
        insert into realtime.messages (id, payload, event, topic, private, extension)
        values (
            message_id,
            case when payload ? 'id' then payload else jsonb_set(payload, '{id}', to_jsonb(message_id)) end,
            event, topic, private, 'broadcast'
        );
    exception when others then
        raise warning 'ErrorSendingBroadcastMessage: %', sqlerrm;
    end;
end
$$;

-- For row triggers: broadcasts the changed row in the format of a hosted project.
create or replace function realtime.broadcast_changes(
    topic_name text, event_name text, operation text, table_name text, table_schema text,
    new record, old record, level text default 'ROW'
) returns void
language plpgsql
as $$
begin
    if level = 'STATEMENT' then
        raise exception 'function can only be triggered for each row, not for each statement';
    end if;
    if operation not in ('INSERT', 'UPDATE', 'DELETE') then
        raise exception 'Unexpected operation type: %', operation;
    end if;
    perform realtime.send(
        jsonb_build_object(
            'old_record', old, 'record', new, 'operation', operation, 'table', table_name, 'schema', table_schema
        ),
        event_name, topic_name
    );
exception when others then
    raise exception 'Failed to process the row: %', sqlerrm;
end
$$;

-- The channel on which the server listens. Every role may notify on a channel that it knows, so only the server and the
-- trigger's function can read its name.
create table if not exists realtime.notification_channel (name text primary key);
revoke all on realtime.notification_channel from public, postgres, anon, authenticated, service_role;
insert into realtime.notification_channel
    select 'realtime_' || replace(gen_random_uuid()::text, '-', '')
    where not exists (select from realtime.notification_channel);

-- Notifies the server of a message: its id, topic, event and privacy as JSON, then its payload on a line of its own; or
-- its id alone where that exceeds a notification's 8,000 bytes, and the server fetches it. Hosted Realtime reads the
-- write-ahead log instead.
create or replace function realtime.notify_message() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
    message constant text := json_build_array(new.id, new.topic, new.event, coalesce(new.private, false))::text
        || chr(10) || coalesce(new.payload, '{}')::text;
begin
    perform pg_catalog.pg_notify(
        (select name from realtime.notification_channel),
        case when octet_length(message) < 8000 then message else new.id::text end);
    return null;
end
$$;
revoke execute on function realtime.notify_message() from public;
create or replace trigger notify_message after insert on realtime.messages
    for each row when (new.extension = 'broadcast') execute function realtime.notify_message();

-- Evaluates the policies on realtime.messages for a private topic with a user's role and claims. Call it in a
-- transaction that is rolled back, because it inserts rows and changes settings.
create or replace function realtime.permissions(claims text, user_role text, topic_name text, for_write boolean)
returns table (broadcast boolean, presence boolean)
language plpgsql
as $$
declare
    broadcast_id uuid := gen_random_uuid();
    presence_id uuid := gen_random_uuid();
begin
    if not for_write then
        insert into realtime.messages (id, topic, extension, private)
        values (broadcast_id, topic_name, 'broadcast', true), (presence_id, topic_name, 'presence', true);
    end if;
    perform set_config('realtime.topic', topic_name, true), set_config('request.jwt.claims', claims, true),
        set_config('request.jwt.claim.sub', coalesce(claims::jsonb ->> 'sub', ''), true),
        set_config('request.jwt.claim.role', coalesce(claims::jsonb ->> 'role', ''), true);
    perform set_config('role', user_role, true);
    if for_write then
        begin
            insert into realtime.messages (id, topic, extension, private)
            values (broadcast_id, topic_name, 'broadcast', true);
            broadcast := true;
        exception when insufficient_privilege or check_violation then
            broadcast := false;
        end;
        begin
            insert into realtime.messages (id, topic, extension, private)
            values (presence_id, topic_name, 'presence', true);
            presence := true;
        exception when insufficient_privilege or check_violation then
            presence := false;
        end;
    else
        broadcast := exists (select from realtime.messages m where m.id = broadcast_id);
        presence := exists (select from realtime.messages m where m.id = presence_id);
    end if;
    return next;
end
$$;
revoke execute on function realtime.permissions(text, text, text, boolean) from public;

grant execute on function realtime.topic() to public;
grant execute on function realtime.send(jsonb, text, text, boolean) to public;
grant execute on function realtime.broadcast_changes(text, text, text, text, text, record, record, text) to public;

do $$
begin
    if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
        create publication supabase_realtime;
    end if;
end
$$;
alter publication supabase_realtime owner to postgres;
