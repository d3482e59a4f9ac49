-- Notes: a document of each stream, into which several people type at once. Its updates are ordered here: the version of an
-- update is one more than that of the last, so that of two at the same time one is refused, and rebased by the app.

create table public.documents (
    stream_id uuid primary key,
    org_id uuid not null,
    text text not null default '',
    text_version bigint not null default 0,
    version bigint not null default 0,
    length integer not null default 0 check (length between 0 and 220000),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    foreign key (stream_id, org_id) references public.streams (id, org_id) on delete cascade
) with (fillfactor = 50);
comment on column public.documents.text is 'The text at `text_version`; the updates from there on lead to `version`.';
comment on column public.documents.length is 'Of the latest version, in UTF-16 units.';
create index documents_org_id_idx on public.documents (org_id);

create table public.document_updates (
    document_id uuid not null references public.documents (stream_id) on delete cascade,
    org_id uuid not null,
    version bigint not null,
    changes jsonb not null,
    author_id uuid not null,
    client_id uuid not null,
    number integer not null,
    created_at timestamptz not null default clock_timestamp(),
    unique (document_id, version),
    unique (document_id, client_id, number)
);
comment on column public.document_updates.changes is 'A ChangeSet of CodeMirror, of the document at the version before.';
comment on column public.document_updates.number is 'Counts the updates of a client: the same again is written once.';
create index document_updates_created_at_idx on public.document_updates (created_at);

create table public.document_snapshots (
    id uuid primary key default gen_random_uuid(),
    org_id uuid not null,
    document_id uuid not null references public.documents (stream_id) on delete cascade,
    version bigint not null,
    text text not null,
    authors jsonb not null,
    is_closed boolean not null default false,
    began_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz not null default clock_timestamp()
);
comment on column public.document_snapshots.authors is 'Names by id of those who wrote since the snapshot before.';
comment on column public.document_snapshots.is_closed is 'Whether what is written next begins another snapshot.';
create index document_snapshots_document_id_idx on public.document_snapshots (document_id, version desc);

-- The last number of each client whose updates were trimmed, for what a browser sends again much later.
create table private.document_clients (
    document_id uuid not null references public.documents (stream_id) on delete cascade,
    client_id uuid not null,
    number integer not null,
    seen_at timestamptz not null default clock_timestamp(),
    primary key (document_id, client_id)
);
alter table private.document_clients enable row level security;

alter table public.documents enable row level security;
alter table public.document_updates enable row level security;
alter table public.document_snapshots enable row level security;
revoke all on public.documents, public.document_updates, public.document_snapshots from anon, authenticated;
grant select on public.documents, public.document_updates, public.document_snapshots to authenticated;
grant all on public.documents, public.document_updates, public.document_snapshots to service_role;
create policy "members see" on public.documents
    for select to authenticated using (org_id in (select private.my_orgs()));
create policy "members see" on public.document_updates
    for select to authenticated using (org_id in (select private.my_orgs()));
create policy "members see" on public.document_snapshots
    for select to authenticated using (org_id in (select private.my_orgs()));

-- Number of UTF-16 units of a text: two for each character beyond U+FFFF.
create function private.utf16_length(words text) returns integer
language sql immutable set search_path = ''
as $$
    select case when octet_length(words) = char_length(words) then char_length(words)
        else char_length(words) + char_length(regexp_replace(words, '[^\U00010000-\U0010FFFF]', '', 'g')) end
$$;

-- Length of a document before and after a change.
create function private.change_lengths(changes jsonb, out before bigint, out after bigint)
language sql immutable set search_path = ''
as $$
    select coalesce(sum(part.length), 0)::bigint, coalesce(sum(case when part.lines is null then part.length else
        greatest(jsonb_array_length(part.lines) - 2, 0) + (
            select coalesce(sum(private.utf16_length(line)), 0)
            from jsonb_array_elements_text(part.lines - 0) as line) end), 0)::bigint
    from (
        select (case jsonb_typeof(each) when 'array' then each -> 0 else each end)::bigint as length,
            case jsonb_typeof(each) when 'array' then each end as lines
        from jsonb_array_elements(changes) as each
    ) as part
$$;

create function private.updates_since(stream uuid, after bigint) returns jsonb
language sql stable security definer set search_path = ''
as $$
    select coalesce(jsonb_agg(jsonb_build_object(
        'version', each.version, 'author', each.author_id, 'client', each.client_id, 'number', each.number,
        'changes', each.changes) order by each.version), '[]')
    from public.document_updates as each where each.document_id = stream and each.version > after
$$;

-- Writes updates of a document, each with author, client, number and changes, where `base` is its version.
--
-- Returns the state: `written`; `behind` with the updates since `base`; `refused` with the places of updates whose authors
-- may not write (`forbidden`) and of those that were written before (`known`), of which the others are to be rebased; or
-- `gone`. Only `written` has changed something.
create function private.append_updates(stream uuid, base bigint, updates jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    max_bytes constant integer := 100000;
    document public.documents;
    forbidden jsonb;
    known jsonb;
    given jsonb;
    lengths record;
    told jsonb := '[]';
begin
    select * into document from public.documents as each where each.stream_id = stream for update;
    if not found then
        insert into public.documents (stream_id, org_id)
        select each.id, each.org_id from public.streams as each where each.id = stream for key share
        on conflict do nothing;
        select * into document from public.documents as each where each.stream_id = stream for update;
        if not found then
            return jsonb_build_object('state', 'gone');
        end if;
    end if;
    if document.version <> base then
        return jsonb_build_object('state', 'behind', 'updates', private.updates_since(stream, base));
    end if;
    select jsonb_agg(place - 1) filter (where not exists (
            select from public.org_members as member
            where member.org_id = document.org_id and member.user_id = (each ->> 'author')::uuid
                and member.role in ('operator', 'admin'))),
        jsonb_agg(place - 1) filter (where exists (
            select from public.document_updates as written
            where written.document_id = stream and written.client_id = (each ->> 'client')::uuid
                and written.number = (each ->> 'number')::integer)
            or exists (
            select from private.document_clients as earlier
            where earlier.document_id = stream and earlier.client_id = (each ->> 'client')::uuid
                and earlier.number >= (each ->> 'number')::integer))
    into forbidden, known
    from jsonb_array_elements(updates) with ordinality as given (each, place);
    if forbidden is not null or known is not null then
        return jsonb_build_object(
            'state', 'refused', 'forbidden', coalesce(forbidden, '[]'), 'known', coalesce(known, '[]'));
    end if;
    for given in select each from jsonb_array_elements(updates) as each loop
        lengths := private.change_lengths(given -> 'changes');
        if lengths.before <> document.length then
            raise exception 'The update is of a text of % units; the document has %.', lengths.before, document.length
                using errcode = 'LW422';
        end if;
        document.version := document.version + 1;
        document.length := lengths.after;
        insert into public.document_updates (document_id, org_id, version, changes, author_id, client_id, number)
        values (stream, document.org_id, document.version, given -> 'changes', (given ->> 'author')::uuid,
            (given ->> 'client')::uuid, (given ->> 'number')::integer);
        told := told || jsonb_build_array(given || jsonb_build_object('version', document.version));
    end loop;
    update public.documents as each
    set version = document.version, length = document.length, updated_at = clock_timestamp()
    where each.stream_id = stream;
    -- What is too large for a broadcast is read by those who have the document open.
    perform realtime.send(
        jsonb_build_object('stream_id', stream, 'version', document.version,
            'updates', case when octet_length(told::text) <= max_bytes then told else '[]' end),
        'notes', 'org:' || document.org_id, true);
    return jsonb_build_object('state', 'written');
end
$$;

-- Takes the text of a version, for what is read first, and for the history: what is written within ten minutes is one
-- snapshot. `closes` ends it, so that the text stays as it is now.
create function private.fold_document(stream uuid, version bigint, words text, closes boolean default false)
returns void
language plpgsql security definer set search_path = ''
as $$
declare
    max_snapshots constant integer := 200;
    document public.documents;
    last public.document_snapshots;
    wrote jsonb;
begin
    select * into document from public.documents as each where each.stream_id = stream for update;
    if not found or fold_document.version > document.version or fold_document.version < document.text_version
        or (fold_document.version = document.version and private.utf16_length(words) <> document.length) then
        return;
    end if;
    update public.documents as each set text = words, text_version = fold_document.version
    where each.stream_id = stream and each.text_version < fold_document.version;
    select * into last from public.document_snapshots as each
    where each.document_id = stream order by each.version desc limit 1;
    select jsonb_object_agg(each.author_id, private.display_name(each.author_id)) into wrote
    from (select distinct author_id from public.document_updates as each
          where each.document_id = stream and each.version > coalesce(last.version, 0)
              and each.version <= fold_document.version) as each;
    if wrote is null then
        update public.document_snapshots as each set is_closed = each.is_closed or closes where each.id = last.id;
    elsif last.id is not null and not last.is_closed and last.began_at > clock_timestamp() - interval '10 minutes' then
        update public.document_snapshots as each
        set version = fold_document.version, text = words, authors = each.authors || wrote, is_closed = closes,
            ended_at = clock_timestamp()
        where each.id = last.id;
    else
        insert into public.document_snapshots (org_id, document_id, version, text, authors, is_closed)
        values (document.org_id, stream, fold_document.version, words, wrote, closes);
        delete from public.document_snapshots where id in (
            select each.id from public.document_snapshots as each where each.document_id = stream
            order by each.version desc offset max_snapshots);
    end if;
end
$$;

-- Deletes at most `max_rows` updates that the text holds and no browser needs to rebase over: a day old. Returns the number.
create function private.trim_updates(max_rows integer default 500) returns integer
language sql security definer set search_path = ''
as $$
    with expired as (
        select each.document_id, each.version
        from public.document_updates as each
        join public.documents as document on document.stream_id = each.document_id
        where each.created_at < now() - interval '1 day' and each.version <= document.text_version
        order by each.created_at limit max_rows
        for update of each skip locked
    ), gone as (
        delete from public.document_updates as each using expired
        where each.document_id = expired.document_id and each.version = expired.version
        returning each.document_id, each.client_id, each.number
    ), noted as (
        insert into private.document_clients as known (document_id, client_id, number)
        select document_id, client_id, max(number) from gone group by document_id, client_id
        on conflict (document_id, client_id)
            do update set number = greatest(known.number, excluded.number), seen_at = excluded.seen_at
    ), forgotten as (
        delete from private.document_clients where seen_at < now() - interval '30 days'
    )
    select count(*)::integer from gone
$$;

-- Tells an organisation where a member's caret is in the notes of a stream, at a version. Nothing is stored.
create function private.report_caret(
    stream uuid, person uuid, client uuid, version bigint, anchor integer, head integer
) returns void
language sql security definer set search_path = ''
as $$
    select realtime.send(
        jsonb_build_object('stream_id', found.id, 'user_id', person, 'client', client,
            'version', report_caret.version, 'anchor', anchor, 'head', head),
        'caret', 'org:' || found.org_id, true
    )
    from public.streams as found
    join public.org_members as member on member.org_id = found.org_id and member.user_id = person
    where found.id = stream and member.role in ('operator', 'admin') and private.is_shown(person)
$$;

-- By the app's own role only: it validates the changes, and names their authors.
revoke execute on function
    private.utf16_length(text), private.change_lengths(jsonb), private.updates_since(uuid, bigint),
    private.append_updates(uuid, bigint, jsonb), private.fold_document(uuid, bigint, text, boolean),
    private.trim_updates(integer), private.report_caret(uuid, uuid, uuid, bigint, integer, integer) from public;
grant execute on function
    private.append_updates(uuid, bigint, jsonb), private.fold_document(uuid, bigint, text, boolean),
    private.trim_updates(integer), private.report_caret(uuid, uuid, uuid, bigint, integer, integer) to livewatch_app;
