-- Chat: a thread on every stream, scan, agent run and alert, and one of the organisation; messages, read positions, and
-- who takes care of what a thread is about.

create table public.threads (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null references public.organizations (id) on delete cascade,
    subject_table text not null check (subject_table in
        ('organizations', 'streams', 'acquisition_scans', 'agent_executions', 'signal_alerts')),
    subject_id uuid not null,
    subject_name text not null,
    last_number integer not null default 0,
    last_at timestamptz not null default now(),
    handling text not null default 'open' check (handling in ('open', 'taken', 'snoozed', 'resolved')),
    handler_id uuid,
    handler_name text,
    handled_at timestamptz,
    snoozed_until timestamptz,
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (id, org_id),
    unique (org_id, subject_table, subject_id)
);
comment on column public.threads.last_number is 'Number of the latest message, which counts from 1 in each thread.';
create index threads_subject_id_idx on public.threads (subject_id);
create index threads_org_id_last_at_idx on public.threads (org_id, last_at desc);
select private.watch_table('threads', writers => 'database');

create table public.messages (
    id uuid primary key,
    org_id uuid not null,
    thread_id uuid not null,
    number integer not null,
    author_id uuid not null,
    author_name text not null,
    kind text not null default 'message' check (kind in ('message', 'handling')),
    body text not null check (char_length(body) <= 20000),
    reply_to uuid,
    mentions uuid[] not null default '{}',
    reactions jsonb not null default '{}' check (jsonb_typeof(reactions) = 'object'),
    edited_at timestamptz,
    deleted_at timestamptz,
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (thread_id, number),
    foreign key (thread_id, org_id) references public.threads (id, org_id) on delete cascade
);
comment on column public.messages.author_name is 'As the author was called then, for when they have left.';
comment on column public.messages.reactions is 'Ids of people by emoji.';
create index messages_org_id_idx on public.messages (org_id, created_at desc);
create index messages_author_id_idx on public.messages (author_id, created_at desc);
create index messages_words_idx on public.messages using gin (to_tsvector('simple', body));
select private.watch_table('messages', writers => 'database');

create table public.read_positions (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null,
    user_id uuid not null,
    thread_id uuid not null,
    number integer not null default 0,
    version bigint not null default 0,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (user_id, thread_id),
    foreign key (org_id, user_id) references public.org_members (org_id, user_id) on delete cascade,
    foreign key (thread_id, org_id) references public.threads (id, org_id) on delete cascade
);
comment on table public.read_positions is 'The number of the latest message that a person has read, by thread.';
create index read_positions_org_id_user_id_idx on public.read_positions (org_id, user_id);
create index read_positions_thread_id_idx on public.read_positions (thread_id, org_id);
select private.watch_table('read_positions', scope => 'user', writers => 'database');

create function private.display_name(person uuid) returns text
language sql stable security definer set search_path = ''
as $$
    select coalesce(
        (select nullif(btrim(profile.display_name), '') from public.profiles as profile where profile.user_id = person),
        'Member'
    )
$$;

-- The name of what a thread is about; null where it does not exist in the organisation. An alert is its recipient's.
create function private.subject_name(org uuid, subject_table text, subject_id uuid) returns text
language plpgsql stable security definer set search_path = ''
as $$
declare
    found text;
begin
    case subject_table
        when 'organizations' then
            select 'Chat' into found where subject_id = org;
        when 'streams' then
            select name into found from public.streams as each where each.id = subject_id and each.org_id = org;
        when 'acquisition_scans' then
            select name into found from public.acquisition_scans as each
            where each.id = subject_id and each.org_id = org;
        when 'agent_executions' then
            select agent_name into found from public.agent_executions as each
            where each.id = subject_id and each.org_id = org;
        when 'signal_alerts' then
            select target_name into found from public.signal_alerts as each
            where each.id = subject_id and each.org_id = org and (
                each.user_id = (select auth.uid())
                or exists (select from public.threads as thread
                           where thread.org_id = org and thread.subject_id = each.id));
        else found := null;
    end case;
    return found;
end
$$;

-- Returns the locked thread about a subject, made if there is none; raises where the user may not write there.
create function private.open_thread(org uuid, subject_table text, subject_id uuid) returns public.threads
language plpgsql security definer set search_path = ''
as $$
declare
    name constant text := private.subject_name(org, subject_table, subject_id);
    thread public.threads;
begin
    if org is null or org not in (select private.my_writable_orgs()) then
        raise exception 'Only operators and admins of the organisation write here.' using errcode = '42501';
    elsif name is null then
        raise exception 'This was deleted, or it belongs to somebody else.' using errcode = 'LW404';
    end if;
    select * into thread from public.threads as each
    where each.org_id = org and each.subject_table = open_thread.subject_table
        and each.subject_id = open_thread.subject_id for update;
    if found then
        return thread;
    end if;
    insert into public.threads (org_id, subject_table, subject_id, subject_name)
    values (org, open_thread.subject_table, open_thread.subject_id, name)
    on conflict on constraint threads_org_id_subject_table_subject_id_key
        do update set subject_name = excluded.subject_name
    returning * into thread;
    return thread;
end
$$;

-- Tells people of a message that concerns them, unless it is their own.
create function private.notify_of_message(message public.messages, thread public.threads, people uuid[], verb text)
returns void
language sql security definer set search_path = ''
as $$
    insert into public.notifications (org_id, user_id, type, title, message, action_url)
    select message.org_id, member.user_id, 'info',
        left(format('%s %s in %s', message.author_name, verb, thread.subject_name), 200),
        left(message.body, 300),
        format('/chat?about=%s:%s&message=%s', thread.subject_table, thread.subject_id, message.number)
    from public.org_members as member
    where member.org_id = message.org_id and member.user_id = any (people) and member.user_id <> message.author_id
$$;

-- Writes a message of the current user, and returns its number. The same id again changes nothing: a sender that does
-- not know whether a message has arrived sends it again.
create function public.post_message(
    message_id uuid, org uuid, subject_table text, subject_id uuid, body text,
    reply_to uuid default null, mentions uuid[] default '{}'
) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
    me constant uuid := auth.uid();
    thread public.threads;
    message public.messages;
    answered public.messages;
begin
    select * into message from public.messages as each where each.id = message_id;
    if found then
        if message.author_id = me and message.org_id = org then
            return message.number;
        end if;
        raise exception 'A message with this id exists already.' using errcode = 'LW409';
    elsif coalesce(body, '') !~ '\S' then
        raise exception 'A message needs a text.' using errcode = 'LW422';
    elsif char_length(body) > 20000 then
        raise exception 'A message has at most 20,000 characters; this one has %.', char_length(body)
            using errcode = 'LW422';
    end if;
    thread := private.open_thread(org, subject_table, subject_id);
    if (select count(*) from public.messages as each
        where each.author_id = me and each.created_at > now() - interval '10 seconds') >= 15 then
        raise exception 'You write faster than others can read. The message is sent in a few seconds.'
            using errcode = 'LW429';
    end if;
    if reply_to is not null then
        select * into answered from public.messages as each
        where each.id = post_message.reply_to and each.thread_id = thread.id;
    end if;
    insert into public.messages (id, org_id, thread_id, number, author_id, author_name, body, reply_to, mentions)
    select message_id, org, thread.id, thread.last_number + 1, me, private.display_name(me), body, answered.id,
        coalesce((select array_agg(member.user_id) from public.org_members as member
                  where member.org_id = org and member.user_id = any (mentions[1:50])), '{}')
    returning * into message;
    update public.threads as each set last_number = message.number, last_at = clock_timestamp() where each.id = thread.id;
    perform private.move_read_position(thread, message.number);
    perform private.notify_of_message(message, thread, message.mentions, 'mentioned you');
    if answered.id is not null and answered.author_id <> all (message.mentions) then
        perform private.notify_of_message(message, thread, array[answered.author_id], 'replied to you');
    end if;
    return message.number;
end
$$;

create function private.move_read_position(thread public.threads, number integer) returns void
language sql security definer set search_path = ''
as $$
    insert into public.read_positions as position (org_id, user_id, thread_id, number)
    values (thread.org_id, auth.uid(), thread.id, least(number, thread.last_number + 1))
    on conflict (user_id, thread_id) do update set number = excluded.number where position.number < excluded.number
$$;

-- Notes that the current user has read a thread up to a message.
create function public.mark_thread_read(thread uuid, number integer) returns void
language plpgsql security definer set search_path = ''
as $$
declare
    found_thread public.threads;
begin
    select * into found_thread from public.threads as each
    where each.id = thread and each.org_id in (select private.my_orgs());
    if found then
        perform private.move_read_position(found_thread, least(number, found_thread.last_number));
    end if;
end
$$;

-- Returns a message that the current user may change; others' only where `by_admins`.
create function private.my_message(message_id uuid, by_admins boolean) returns public.messages
language plpgsql security definer set search_path = ''
as $$
declare
    message public.messages;
begin
    select * into message from public.messages as each
    where each.id = message_id and each.deleted_at is null and each.kind = 'message'
        and each.org_id in (select private.my_writable_orgs())
        and (each.author_id = auth.uid() or (by_admins and each.org_id in (select private.my_administered_orgs())))
    for update;
    if not found then
        raise exception 'This message was deleted, or it is somebody else''s.' using errcode = 'LW404';
    end if;
    return message;
end
$$;

-- Changes the text of an own message.
create function public.edit_message(message_id uuid, body text) returns void
language plpgsql security definer set search_path = ''
as $$
declare
    message constant public.messages := private.my_message(message_id, false);
begin
    if coalesce(edit_message.body, '') !~ '\S' or char_length(edit_message.body) > 20000 then
        raise exception 'A message has 1 to 20,000 characters.' using errcode = 'LW422';
    end if;
    update public.messages as each set body = edit_message.body, edited_at = clock_timestamp()
    where each.id = message.id and each.body <> edit_message.body;
end
$$;

-- Removes the text of an own message, or of any for admins; its number and its replies stay.
create function public.delete_message(message_id uuid) returns void
language plpgsql security definer set search_path = ''
as $$
declare
    message constant public.messages := private.my_message(message_id, true);
begin
    update public.messages as each
    set body = '', reactions = '{}', mentions = '{}', deleted_at = clock_timestamp() where each.id = message.id;
    if message.author_id <> auth.uid() then
        perform private.note_audit(message.org_id, 'message.deleted', message.author_name);
    end if;
end
$$;

-- Adds or takes back the current user's reaction.
create function public.react(message_id uuid, emoji text, is_on boolean) returns void
language plpgsql security definer set search_path = ''
as $$
declare
    message public.messages;
    people jsonb;
begin
    if char_length(emoji) not between 1 and 16 then
        raise exception 'A reaction is one emoji.' using errcode = 'LW422';
    end if;
    select * into message from public.messages as each
    where each.id = message_id and each.deleted_at is null and each.org_id in (select private.my_writable_orgs())
    for update;
    if not found then
        raise exception 'This message was deleted, or you may only read here.' using errcode = 'LW404';
    elsif is_on and not message.reactions ? emoji
        and (select count(*) from jsonb_object_keys(message.reactions)) >= 20 then
        raise exception 'A message has at most 20 different reactions.' using errcode = 'LW422';
    end if;
    people := coalesce(message.reactions -> emoji, '[]') - auth.uid()::text;
    if is_on then
        people := people || to_jsonb(auth.uid()::text);
    end if;
    update public.messages as each
    set reactions = case
        when people = '[]' then each.reactions - emoji
        else each.reactions || jsonb_build_object(emoji, people)
    end
    where each.id = message.id;
end
$$;

-- Takes, releases, snoozes or resolves what a thread is about, for the team, and says so in the thread.
create function public.handle_subject(
    org uuid, subject_table text, subject_id uuid, handling text, note text default '',
    until timestamptz default null
) returns void
language plpgsql security definer set search_path = ''
as $$
declare
    me constant uuid := auth.uid();
    thread public.threads;
begin
    if handling not in ('open', 'taken', 'snoozed', 'resolved') then
        raise exception 'The handling % is unknown.', to_json(handling) using errcode = 'LW422';
    elsif subject_table = 'organizations' then
        raise exception 'Only runs and alerts are handled.' using errcode = 'LW422';
    elsif char_length(coalesce(note, '')) > 2000 then
        raise exception 'A note has at most 2,000 characters.' using errcode = 'LW422';
    elsif (handling = 'snoozed') <> (until is not null) or until < now() or until > now() + interval '90 days' then
        raise exception 'Snooze until a time within 90 days.' using errcode = 'LW422';
    end if;
    thread := private.open_thread(org, subject_table, subject_id);
    if thread.handling = handle_subject.handling and thread.handler_id = me and until is null then
        return;
    end if;
    insert into public.messages (id, org_id, thread_id, number, author_id, author_name, kind, body)
    values (gen_random_uuid(), org, thread.id, thread.last_number + 1, me, private.display_name(me), 'handling',
            handle_subject.handling || coalesce(' ' || nullif(btrim(note), ''), ''));
    update public.threads as each
    set last_number = thread.last_number + 1, last_at = clock_timestamp(), handling = handle_subject.handling,
        handler_id = me, handler_name = private.display_name(me), handled_at = clock_timestamp(), snoozed_until = until
    where each.id = thread.id;
    perform private.move_read_position(thread, thread.last_number + 1);
end
$$;

-- A thread goes with what it is about.
create function private.delete_threads() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.threads as thread using deleted where thread.subject_id = deleted.id;
    return null;
end
$$;
do $$
declare
    name text;
begin
    foreach name in array array['streams', 'acquisition_scans', 'agent_executions', 'signal_alerts'] loop
        execute format(
            'create trigger delete_threads after delete on public.%I referencing old table as deleted
                 for each statement execute function private.delete_threads()', name);
    end loop;
end
$$;

revoke execute on function
    private.display_name(uuid), private.subject_name(uuid, text, uuid), private.open_thread(uuid, text, uuid),
    private.notify_of_message(public.messages, public.threads, uuid[], text),
    private.move_read_position(public.threads, integer), private.my_message(uuid, boolean), private.delete_threads(),
    public.post_message(uuid, uuid, text, uuid, text, uuid, uuid[]), public.mark_thread_read(uuid, integer),
    public.edit_message(uuid, text), public.delete_message(uuid), public.react(uuid, text, boolean),
    public.handle_subject(uuid, text, uuid, text, text, timestamptz)
    from public, anon;
grant execute on function
    public.post_message(uuid, uuid, text, uuid, text, uuid, uuid[]), public.mark_thread_read(uuid, integer),
    public.edit_message(uuid, text), public.delete_message(uuid), public.react(uuid, text, boolean),
    public.handle_subject(uuid, text, uuid, text, text, timestamptz)
    to authenticated, service_role;
