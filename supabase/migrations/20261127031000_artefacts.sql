-- Artefacts of runs: files, images, tables and texts that programs store with them.
--
-- Rows say what there is; the bytes are outside, in the bucket of a project or in the data directory. A crash between the
-- two loses nothing and leaves nothing: bytes are noted in `blob_removals` before they are written, and again when their
-- row is deleted or replaced; who stores an artefact takes the note away with the same transaction that adds its row.

create table public.artefacts (
    id uuid primary key default gen_random_uuid(),
    number bigint generated always as identity,
    org_id uuid not null references public.organizations (id) on delete cascade,
    run_id uuid not null,
    run_kind text not null check (run_kind in ('streams', 'scans', 'agents')),
    name text not null check (char_length(name) between 1 and 200),
    kind text not null check (kind in ('file', 'image', 'table', 'markdown')),
    media_type text not null check (char_length(media_type) <= 100),
    size bigint not null check (size >= 0),
    sha256 text not null check (char_length(sha256) = 64),
    -- Names the bytes.
    blob uuid not null unique,
    created_at timestamptz not null default now(),
    unique (run_id, name)
);
create index artefacts_org_id_idx on public.artefacts (org_id) include (size);
alter table public.artefacts enable row level security;
revoke all on public.artefacts from anon, authenticated;
grant select on public.artefacts to authenticated;
grant all on public.artefacts to service_role;
create policy "members see" on public.artefacts for select to authenticated
    using (org_id in (select private.my_orgs()));
create policy "keys see" on public.artefacts for select to authenticated
    using (org_id in (select private.ingest_orgs('read')));

-- Bytes to remove from `due_at` on: those that no row names any more, and those that are being written, for an hour.
create table private.blob_removals (
    blob uuid primary key,
    org_id uuid not null,
    size bigint not null,
    due_at timestamptz not null
);
create index blob_removals_due_at_idx on private.blob_removals (due_at);
create index blob_removals_org_id_idx on private.blob_removals (org_id);
alter table private.blob_removals enable row level security;

create function private.note_blob_removal() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    if tg_op = 'DELETE' or new.blob <> old.blob then
        insert into private.blob_removals (blob, org_id, size, due_at)
        values (old.blob, old.org_id, 0, clock_timestamp()) on conflict (blob) do update set due_at = excluded.due_at;
    end if;
    return null;
end
$$;
create trigger note_blob_removal after delete or update of blob on public.artefacts
    for each row execute function private.note_blob_removal();

create function private.delete_artefacts() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    delete from public.artefacts where run_id = old.id;
    return null;
end
$$;
create trigger delete_artefacts after delete on public.streams
    for each row execute function private.delete_artefacts();
create trigger delete_artefacts after delete on public.acquisition_scans
    for each row execute function private.delete_artefacts();
create trigger delete_artefacts after delete on public.agent_executions
    for each row execute function private.delete_artefacts();

-- Bytes that an organisation may store: 5 GiB.
create function private.artefact_quota() returns bigint
language sql immutable set search_path = ''
as $$
    select 5368709120
$$;

-- Returns the bytes that an organisation of the user stores and may store.
create function public.artefact_use(org uuid) returns table (used bigint, quota bigint)
language sql stable set search_path = ''
as $$
    select coalesce(sum(artefact.size), 0)::bigint, private.artefact_quota()
    from public.artefacts as artefact where artefact.org_id = org
$$;

-- Notes that the bytes of an artefact are about to be written; returns the id of the run and a name for the bytes, or why
-- there is no room. The run is one of the current key's organisation.
create function private.reserve_artefact(org uuid, run text, name text, size bigint) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    max_artefacts constant integer := 500;
    run_kind constant text := split_part(run, '/', 1);
    run_slug constant text := private.address_of(org, run_kind, split_part(run, '/', 2));
    subject_id uuid;
    blob constant uuid := gen_random_uuid();
    used bigint;
begin
    if org not in (select private.ingest_orgs('runs')) then
        return jsonb_build_object('refused', 'scope', 'message', 'This key may not report runs.', 'field', 'run');
    end if;
    select reported.id into subject_id from private.reported_runs as reported
    where reported.kind = run_kind and reported.org_id = org and reported.slug = run_slug;
    if subject_id is null then
        return jsonb_build_object(
            'refused', 'not_found', 'message', format('There is no %s: report it with PUT first.', run), 'field', 'run');
    end if;
    if not exists (
        select from public.artefacts as known where known.run_id = subject_id and known.name = reserve_artefact.name
    ) and (select count(*) from public.artefacts as known where known.run_id = subject_id) >= max_artefacts then
        return jsonb_build_object('refused', 'invalid', 'field', 'name', 'message', format(
            '%s has %s artefacts already, and may have no more: delete the run, or store several files as one archive.',
            run, max_artefacts));
    end if;
    -- One reservation of an organisation after the other, so that several do not share the same room.
    perform pg_advisory_xact_lock(hashtextextended('artefacts ' || org, 0));
    select coalesce(sum(each.size), 0) into used from (
        select known.size from public.artefacts as known where known.org_id = org
        union all
        select pending.size from private.blob_removals as pending
        where pending.org_id = org and pending.due_at > clock_timestamp()
    ) as each;
    if used + size > private.artefact_quota() then
        return jsonb_build_object('refused', 'invalid', 'field', 'name', 'message', format(
            'The artefact has %s bytes, and the organisation stores %s of the %s that it may: delete runs with large '
            'artefacts.', size, used, private.artefact_quota()));
    end if;
    insert into private.blob_removals (blob, org_id, size, due_at)
    values (blob, org, size, clock_timestamp() + interval '1 hour');
    return jsonb_build_object('run', subject_id, 'blob', blob);
end
$$;

-- Adds the row of an artefact whose bytes were written, in place of one with its name. False if the bytes were removed
-- meanwhile, or the run was deleted.
create function private.add_artefact(org uuid, run text, subject_id uuid, artefact jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    run_kind constant text := split_part(run, '/', 1);
    artefact_id uuid;
begin
    if not private.may_report(org, run_kind, subject_id) then
        return null;
    end if;
    delete from private.blob_removals as pending
    where pending.blob = (artefact ->> 'blob')::uuid and pending.org_id = org and pending.due_at > clock_timestamp();
    if not found then
        return null;
    end if;
    insert into public.artefacts as known (org_id, run_id, run_kind, name, kind, media_type, size, sha256, blob)
    values (
        org, subject_id, run_kind, artefact ->> 'name', artefact ->> 'kind', artefact ->> 'media_type',
        (artefact ->> 'size')::bigint, artefact ->> 'sha256', (artefact ->> 'blob')::uuid)
    on conflict (run_id, name) do update set
        kind = excluded.kind, media_type = excluded.media_type, size = excluded.size, sha256 = excluded.sha256,
        blob = excluded.blob, created_at = excluded.created_at
    returning known.id into artefact_id;
    -- Tells open pages.
    perform private.touch_run(org, run_kind, (
        select reported.slug from private.reported_runs as reported
        where reported.id = subject_id and reported.kind = run_kind), null);
    return jsonb_build_object('id', artefact_id);
end
$$;

-- Returns bytes that are to be removed, at most `most`, for the app's login role.
create function private.due_blobs(most integer) returns table (org_id uuid, blob uuid)
language sql security definer set search_path = ''
as $$
    select removal.org_id, removal.blob from private.blob_removals as removal
    where removal.due_at <= clock_timestamp() order by removal.due_at limit most
$$;
create function private.forget_blobs(blobs uuid[]) returns void
language sql security definer set search_path = ''
as $$
    delete from private.blob_removals where blob = any (blobs) and due_at <= clock_timestamp()
$$;

revoke execute on function
    private.note_blob_removal(), private.delete_artefacts(), private.artefact_quota(), public.artefact_use(uuid),
    private.reserve_artefact(uuid, text, text, bigint), private.add_artefact(uuid, text, uuid, jsonb),
    private.due_blobs(integer), private.forget_blobs(uuid[]) from public;
grant execute on function
    private.artefact_quota(), public.artefact_use(uuid), private.reserve_artefact(uuid, text, text, bigint),
    private.add_artefact(uuid, text, uuid, jsonb) to authenticated, service_role;
grant execute on function private.due_blobs(integer), private.forget_blobs(uuid[]) to livewatch_app;

-- The bucket of a project, which only the app's secret key reaches: no policy grants its objects to anybody.
do $$
begin
    if to_regclass('storage.buckets') is not null then
        execute 'insert into storage.buckets (id, name, public) values (''livewatch'', ''livewatch'', false)
                 on conflict (id) do nothing';
    end if;
end
$$;
